"""Writer of checkpoints as folders that Hugging Face's transformers and this package load.

The weights keep their types and are written tensor by tensor, so none is in memory twice. Source
of the fields: ``configuration_whisper.py`` and the published ``generation_config.json`` of OpenAI's
models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from streamwhisper.checkpoints.checkpoint import Checkpoint
from streamwhisper.checkpoints.model_folder import (
    CONFIG,
    GENERATION_CONFIG,
    WEIGHTS,
    refuse_to_overwrite,
)
from streamwhisper.checkpoints.safetensors_names import TYPES, huggingface_name
from streamwhisper.errors import CheckpointError
from streamwhisper.whisper.tokenizer import Tokenizer, get_tokenizer

__all__ = ["write_huggingface"]

_NAMES = {dtype: name for name, dtype in TYPES.items()}
_ALIGNMENT = 8  # alignment of tensors in the file, in bytes


def write_huggingface(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    force: bool = False,
    advance: Callable[[int, int | None], None] | None = None,
) -> None:
    """Write ``model.safetensors``, ``config.json`` and ``generation_config.json``.

    Each file is written under a temporary name and renamed once it is complete.

    Args:
        checkpoint: checkpoint to write.
        folder: destination; created if necessary.
        force: replace existing files with these names.
        advance: receives the bytes of weights written, and their total.

    Raises:
        ModelError: `folder` already contains files.
        CheckpointError: Hugging Face's layout does not support the sizes of the model.
        OSError: the files cannot be written.
    """
    refuse_to_overwrite(folder, force=force)
    config = _config(checkpoint)
    generation = _generation_config(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {huggingface_name(name): tensor for name, tensor in checkpoint.state.items()}
    part = folder / f"{WEIGHTS}.part"
    try:
        _write_safetensors(tensors, part, advance or _silent)
        part.replace(folder / WEIGHTS)
    finally:
        part.unlink(missing_ok=True)
    for name, content in ((CONFIG, config), (GENERATION_CONFIG, generation)):
        fresh = folder / f"{name}.part"
        fresh.write_text(f"{json.dumps(content, indent=2)}\n", encoding="utf-8")
        fresh.replace(folder / name)


def _silent(done: int, total: int | None) -> None:
    pass


def _write_safetensors(
    tensors: Mapping[str, torch.Tensor], path: Path, advance: Callable[[int, int | None], None]
) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    total = 0
    for name, tensor in tensors.items():
        end = total + tensor.numel() * tensor.itemsize
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [total, end],
        }
        total = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    done = 0
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            raw = tensor.detach().contiguous().view(-1).view(torch.uint8).numpy()
            file.write(raw.data)
            done += len(raw)
            advance(done, total)


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    dims = checkpoint.dims
    if dims.n_audio_state != dims.n_text_state:
        raise CheckpointError(
            f"{checkpoint.name} has an encoder of width {dims.n_audio_state} and a decoder of "
            f"width {dims.n_text_state}; Hugging Face's layout supports only one width"
        )
    tokenizer = get_tokenizer(dims.n_vocab)
    embeddings = checkpoint.state["decoder.token_embedding.weight"]
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "torch_dtype": str(embeddings.dtype).removeprefix("torch."),
        "num_mel_bins": dims.n_mels,
        "max_source_positions": dims.n_audio_ctx,
        "max_target_positions": dims.n_text_ctx,
        "d_model": dims.n_text_state,
        "encoder_layers": dims.n_audio_layer,
        "encoder_attention_heads": dims.n_audio_head,
        "encoder_ffn_dim": 4 * dims.n_audio_state,
        "decoder_layers": dims.n_text_layer,
        "decoder_attention_heads": dims.n_text_head,
        "decoder_ffn_dim": 4 * dims.n_text_state,
        "num_hidden_layers": dims.n_audio_layer,
        "vocab_size": dims.n_vocab,
        "activation_function": "gelu",
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "tie_word_embeddings": True,
        **_ends(tokenizer),
    }


def _generation_config(checkpoint: Checkpoint) -> dict[str, Any]:
    tokenizer = get_tokenizer(checkpoint.dims.n_vocab, checkpoint.generation)
    instructions = [tokenizer.sot, *range(tokenizer.translate, tokenizer.no_timestamps)]
    usual = [*tokenizer.non_speech_tokens, *instructions]
    declared = checkpoint.generation.suppress
    config: dict[str, Any] = {
        "alignment_heads": [list(pair) for pair in checkpoint.alignment_heads],
        "begin_suppress_tokens": list(tokenizer.blank_tokens),
        "is_multilingual": tokenizer.multilingual,
        "max_initial_timestamp_index": tokenizer.latest_start,
        "max_length": checkpoint.dims.n_text_ctx,
        "no_timestamps_token_id": tokenizer.no_timestamps,
        "prev_sot_token_id": tokenizer.sot_prev,
        "return_timestamps": False,
        "suppress_tokens": usual if declared is None else list(declared),
        **_ends(tokenizer),
    }
    if tokenizer.multilingual:
        languages = tokenizer.language_tokens.items()
        config["lang_to_id"] = {f"<|{code}|>": token for code, token in languages}
        config["task_to_id"] = {
            "transcribe": tokenizer.transcribe,
            "translate": tokenizer.translate,
        }
    return config


def _ends(tokenizer: Tokenizer) -> dict[str, int]:
    same = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), tokenizer.eot)
    return {**same, "decoder_start_token_id": tokenizer.sot}
