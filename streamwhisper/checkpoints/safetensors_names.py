"""Reader of Whisper weights in safetensors files, with Hugging Face's names.

Source of the names: ``modeling_whisper.py`` of Hugging Face's transformers; of the format, a
u64 length, a header of JSON and the tensors: the documentation of safetensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from streamwhisper.checkpoints.mapped_file import MappedFile
from streamwhisper.errors import CheckpointError

__all__ = [
    "PROJECTION",
    "TYPES",
    "huggingface_name",
    "is_safetensors",
    "openai_name",
    "read_safetensors",
    "read_weights",
]

PROJECTION = "proj_out.weight"
"""Output projection; some files repeat the token embeddings under this name."""

TYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""Types of tensors by their names in safetensors files."""

_LAYER = {
    "self_attn.q_proj": "attn.query",
    "self_attn.k_proj": "attn.key",
    "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn.q_proj": "cross_attn.query",
    "encoder_attn.k_proj": "cross_attn.key",
    "encoder_attn.v_proj": "cross_attn.value",
    "encoder_attn.out_proj": "cross_attn.out",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "final_layer_norm": "mlp_ln",
}
_OUTSIDE_LAYERS = {
    "encoder.embed_positions.weight": "encoder.positional_embedding",
    "encoder.layer_norm.weight": "encoder.ln_post.weight",
    "encoder.layer_norm.bias": "encoder.ln_post.bias",
    "decoder.embed_tokens.weight": "decoder.token_embedding.weight",
    "decoder.embed_positions.weight": "decoder.positional_embedding",
    "decoder.layer_norm.weight": "decoder.ln.weight",
    "decoder.layer_norm.bias": "decoder.ln.bias",
}
_LAYER_NAME = re.compile(r"(encoder|decoder)\.layers\.(\d+)\.(.+)\.(weight|bias)")
_OPENAI_LAYER = {ours: theirs for theirs, ours in _LAYER.items()}
_OPENAI_OUTSIDE_LAYERS = {ours: theirs for theirs, ours in _OUTSIDE_LAYERS.items()}
_OPENAI_LAYER_NAME = re.compile(r"(encoder|decoder)\.blocks\.(\d+)\.(.+)\.(weight|bias)")


def is_safetensors(start: bytes) -> bool:
    """Return whether a file that starts with these bytes is in the safetensors format."""
    return len(start) > 9 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**27


def read_weights(paths: Iterable[Path]) -> dict[str, torch.Tensor]:
    """Return the tensors of one model under OpenAI's names, in the types of the files.

    The tensors are mapped and read on first access.

    Raises:
        CheckpointError: a file is damaged, or two files contain one tensor.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        own = read_safetensors(path)
        twice = sorted(own.keys() & tensors.keys())
        if twice:
            raise CheckpointError(f"{path} repeats {twice[0]!r}, which another shard has")
        tensors |= own
    projection = tensors.pop(PROJECTION, None)
    state = {openai_name(name): tensor for name, tensor in tensors.items()}
    embeddings = state.get("decoder.token_embedding.weight")
    if projection is not None and embeddings is not None and not embeddings.equal(projection):
        raise CheckpointError(
            f"{path} has an output projection that differs from its token embeddings"
        )
    return state


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the mapped tensors of one file, under the names in the file.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt"):
            pass  # the library checks every length and offset
        with path.open("rb") as file:
            begin = 8 + int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(begin - 8))
        mapped, tensors = MappedFile(path), {}
        for name, about in header.items():
            if name == "__metadata__":
                continue
            if about["dtype"] not in TYPES:
                raise CheckpointError(
                    f"{path}: {name!r} has the type {about['dtype']}; expected one of "
                    f"{', '.join(TYPES)}"
                )
            offset = begin + about["data_offsets"][0]
            tensors[name] = mapped.tensor(offset, TYPES[about["dtype"]], tuple(about["shape"]))
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"cannot read {path} as safetensors: {error}") from error
    return tensors


def openai_name(name: str) -> str:
    """Return OpenAI's name of a tensor with this Hugging Face name; unknown names are unchanged."""
    name = name.removeprefix("model.")
    match = _LAYER_NAME.fullmatch(name)
    if match is None:
        return _OUTSIDE_LAYERS.get(name, name)
    wing, layer, inside, leaf = match.groups()
    return f"{wing}.blocks.{layer}.{_LAYER.get(inside, inside)}.{leaf}"


def huggingface_name(name: str) -> str:
    """Return Hugging Face's name of a tensor with this OpenAI name."""
    match = _OPENAI_LAYER_NAME.fullmatch(name)
    if match is None:
        return f"model.{_OPENAI_OUTSIDE_LAYERS.get(name, name)}"
    wing, layer, inside, leaf = match.groups()
    return f"model.{wing}.layers.{layer}.{_OPENAI_LAYER.get(inside, inside)}.{leaf}"
