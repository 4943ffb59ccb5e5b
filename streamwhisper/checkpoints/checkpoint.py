"""Whisper checkpoints in one representation for all file formats.

The format is detected by content, never by file name: OpenAI's ``.pt``, CTranslate2's ``model.bin``
and Hugging Face's ``model.safetensors``, as a single file or in a folder. All become tensors under
OpenAI's names (``encoder.conv1.weight``, ``decoder.blocks.0.attn.query.weight``, ...). The sizes of
the model are read from the tensors and must match a ``config.json`` in the folder. Source of names
and shapes: ``whisper/model.py`` of OpenAI's reference implementation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from streamwhisper.checkpoints.catalog import KNOWN_MODELS, AlignmentHeads
from streamwhisper.checkpoints.ctranslate2 import is_ctranslate2, read_ctranslate2
from streamwhisper.checkpoints.declared_generation import declared_generation
from streamwhisper.checkpoints.model_folder import (
    declared_heads,
    declared_sizes,
    declared_vocabulary,
    folder_of,
    weight_files,
)
from streamwhisper.checkpoints.openai_pickle import is_pickled, read_pickled
from streamwhisper.checkpoints.safetensors_names import is_safetensors, read_weights
from streamwhisper.errors import CheckpointError
from streamwhisper.whisper.dimensions import ModelDimensions
from streamwhisper.whisper.generation_config import GenerationConfig

__all__ = ["Checkpoint", "load_checkpoint", "state_shapes"]

_HEAD_SIZE = 64
_EMBEDDINGS = "decoder.token_embedding.weight"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Sizes and weights of a model.

    Attributes:
        name: name of the model, e.g. ``"tiny.en"``; by default the file's stem.
        dims: sizes of the model.
        alignment_heads: (decoder layer, head) pairs whose cross-attention follows the audio: those
            that the folder declares, the published ones, or all of the upper half of the decoder.
        state: tensors under OpenAI's names, on the CPU, in the file's floating-point types.
        generation: generation settings that the folder declares.
    """

    name: str
    dims: ModelDimensions
    alignment_heads: AlignmentHeads
    state: dict[str, torch.Tensor]
    generation: GenerationConfig = field(default_factory=GenerationConfig)

    @property
    def multilingual(self) -> bool:
        """True if the model supports languages other than English."""
        return self.dims.multilingual and self.generation.multilingual is not False


def load_checkpoint(path: Path | str, *, name: str | None = None) -> Checkpoint:
    """Read the checkpoint at `path`, in any supported format.

    Args:
        path: a file, or a folder in the layout of Hugging Face or CTranslate2.
        name: name of the model, which selects the published alignment heads; None takes the
            file's name (``tiny.en.pt`` is ``tiny.en``).

    Raises:
        CheckpointError: the file is missing, damaged, or not a Whisper checkpoint.
    """
    path = Path(path)
    state = _read(weight_files(path) if path.is_dir() else (path,))
    folder = folder_of(path)
    dims = _dimensions(state, path, declared_sizes(folder) if folder else {})
    _check_shapes(state, state_shapes(dims), path)
    vocabulary = declared_vocabulary(folder) if folder else None
    if vocabulary is not None and vocabulary < dims.n_vocab:
        # Tokens beyond the vocabulary (added, or padding) have no spelling.
        state[_EMBEDDINGS] = state[_EMBEDDINGS][:vocabulary]
        dims = replace(dims, n_vocab=vocabulary)
    name = name or _stem(path)
    heads = declared_heads(folder) if folder else None
    if heads and not all(n < dims.n_text_layer and m < dims.n_text_head for n, m in heads):
        raise CheckpointError(
            f"{folder} declares alignment heads {list(map(list, heads))}; expected pairs below "
            f"[{dims.n_text_layer}, {dims.n_text_head}], the decoder's layers and heads"
        )
    generation = declared_generation(folder, dims.n_vocab) if folder else GenerationConfig()
    return Checkpoint(name, dims, heads or _alignment_heads(name, dims), state, generation)


def _read(paths: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Return the tensors of one model; only safetensors can have several files."""
    path = paths[0]
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error}") from error
    if is_safetensors(start):
        return read_weights(paths)
    if is_ctranslate2(start):
        return read_ctranslate2(path)
    if is_pickled(start):
        return read_pickled(path)
    raise CheckpointError(
        f"{path} is not a Whisper checkpoint: it starts with {start[:16]!r}; expected "
        "OpenAI's .pt, Hugging Face's model.safetensors, or CTranslate2's model.bin"
    )


def state_shapes(dims: ModelDimensions) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor of a model of these sizes."""
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, rows: int, *columns: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (rows, *columns)
        if bias:
            shapes[f"{name}.bias"] = (rows,)

    def block(name: str, width: int, attentions: tuple[str, ...]) -> None:
        for attention in attentions:
            for part in ("query", "key", "value", "out"):
                linear(f"{name}.{attention}.{part}", width, width, bias=part != "key")
            linear(f"{name}.{attention}_ln", width)
        linear(f"{name}.mlp.0", 4 * width, width)
        linear(f"{name}.mlp.2", width, 4 * width)
        linear(f"{name}.mlp_ln", width)

    audio, text = dims.n_audio_state, dims.n_text_state
    shapes["encoder.positional_embedding"] = (dims.n_audio_ctx, audio)
    linear("encoder.conv1", audio, dims.n_mels, 3)
    linear("encoder.conv2", audio, audio, 3)
    for layer in range(dims.n_audio_layer):
        block(f"encoder.blocks.{layer}", audio, ("attn",))
    linear("encoder.ln_post", audio)
    shapes["decoder.positional_embedding"] = (dims.n_text_ctx, text)
    shapes["decoder.token_embedding.weight"] = (dims.n_vocab, text)
    for layer in range(dims.n_text_layer):
        block(f"decoder.blocks.{layer}", text, ("attn", "cross_attn"))
    linear("decoder.ln", text)
    return shapes


def _dimensions(
    state: Mapping[str, torch.Tensor], path: Path, declared: Mapping[str, int]
) -> ModelDimensions:
    """Return the sizes of the tensors. Only the number of heads can need a declaration."""

    def size(name: str, axis: int, rank: int) -> int:
        tensor = state.get(name)
        if tensor is None or tensor.ndim != rank:
            seen = "is missing" if tensor is None else f"has shape {list(tensor.shape)}"
            raise CheckpointError(
                f"{path} is not a complete Whisper checkpoint: {name!r} {seen}; expected "
                f"{rank} axes"
            )
        return tensor.shape[axis]

    def layers(wing: str) -> int:
        found = (re.match(rf"{wing}\.blocks\.(\d+)\.", name) for name in state)
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    audio = size("encoder.positional_embedding", 1, 2)
    text = size("decoder.positional_embedding", 1, 2)
    dims = ModelDimensions(
        n_mels=size("encoder.conv1.weight", 1, 3),
        n_audio_ctx=size("encoder.positional_embedding", 0, 2),
        n_audio_state=audio,
        n_audio_head=declared.get("n_audio_head", audio // _HEAD_SIZE),
        n_audio_layer=layers("encoder"),
        n_vocab=size(_EMBEDDINGS, 0, 2),
        n_text_ctx=size("decoder.positional_embedding", 0, 2),
        n_text_state=text,
        n_text_head=declared.get("n_text_head", text // _HEAD_SIZE),
        n_text_layer=layers("decoder"),
    )
    for width, heads in ((audio, dims.n_audio_head), (text, dims.n_text_head)):
        if width == 0 or heads == 0 or width % heads or (not declared and width % _HEAD_SIZE):
            raise CheckpointError(
                f"{path} has states of width {width} and {heads} heads; expected a width that is "
                f"a multiple of {_HEAD_SIZE}, or a config.json with numbers of heads that divide "
                "the width"
            )
    for name, size_declared in declared.items():
        if getattr(dims, name) != size_declared:
            raise CheckpointError(
                f"{path} declares {name} = {size_declared} in config.json, but its weights have "
                f"{getattr(dims, name)}; expected files of one model"
            )
    return dims


def _check_shapes(
    state: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    wrong = [
        *(f"{name} is missing" for name in shapes if name not in state),
        *(f"{name} is not part of a Whisper model" for name in state if name not in shapes),
        *(
            f"{name} has shape {list(state[name].shape)} instead of {list(shape)}"
            for name, shape in shapes.items()
            if name in state and tuple(state[name].shape) != shape
        ),
        *(
            f"{name} holds {tensor.dtype} instead of floating point"
            for name, tensor in state.items()
            if not tensor.is_floating_point()
        ),
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"{path} is not a complete Whisper checkpoint: {'; '.join(wrong[:3])}{more}"
        )


def _stem(path: Path) -> str:
    for suffix in (".ct2.bin", ".safetensors", ".pt", ".bin"):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


def _alignment_heads(name: str, dims: ModelDimensions) -> AlignmentHeads:
    known = KNOWN_MODELS.get(name)
    if known is not None and known.dims == dims:
        return known.alignment_heads
    # Fine-tuning keeps the roles of heads, but two published models can have equal sizes.
    same = [model for model in KNOWN_MODELS.values() if model.dims == dims]
    if len(same) == 1:
        return same[0].alignment_heads
    upper = range(dims.n_text_layer // 2, dims.n_text_layer)
    return tuple((layer, head) for layer in upper for head in range(dims.n_text_head))
