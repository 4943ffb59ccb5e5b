"""Reading Whisper weights from Hugging Face's ``model.safetensors``.

Source of the names: ``modeling_whisper.py`` of Hugging Face's transformers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from streamwhisper.errors import CheckpointError

__all__ = ["is_safetensors", "read_safetensors"]

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


def is_safetensors(start: bytes) -> bool:
    """Whether a file that starts with these bytes is in the safetensors format."""
    return len(start) > 9 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**27


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read `path` into tensors under OpenAI's names, in the types the file has.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, json.JSONDecodeError) as error:
        raise CheckpointError(f"cannot read {path} as safetensors: {error}") from error
    # The output projection is the token embeddings, transposed; some files repeat it.
    projection = tensors.pop("proj_out.weight", None)
    state = {_openai_name(name): tensor for name, tensor in tensors.items()}
    embeddings = state.get("decoder.token_embedding.weight")
    if projection is not None and embeddings is not None and not embeddings.equal(projection):
        raise CheckpointError(f"{path} has an output projection other than its token embeddings")
    return state


def _openai_name(name: str) -> str:
    name = name.removeprefix("model.")
    match = _LAYER_NAME.fullmatch(name)
    if match is None:
        return _OUTSIDE_LAYERS.get(name, name)
    wing, layer, inside, leaf = match.groups()
    return f"{wing}.blocks.{layer}.{_LAYER.get(inside, inside)}.{leaf}"
