"""Made-up weights of any size, and writers of the formats that real ones come in."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.checkpoints.checkpoint import state_shapes
from streamwhisper.whisper.dimensions import ModelDimensions

SMALL = ModelDimensions(
    n_mels=5,
    n_audio_ctx=6,
    n_audio_state=64,
    n_audio_head=1,
    n_audio_layer=2,
    n_vocab=11,
    n_text_ctx=7,
    n_text_state=128,
    n_text_head=2,
    n_text_layer=3,
)
State = dict[str, torch.Tensor]


def made_up(dims: ModelDimensions = SMALL, dtype: torch.dtype = torch.float16) -> State:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(shape, generator=generator).to(dtype)
        for name, shape in state_shapes(dims).items()
    }


def assert_equal(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


# --- a writer of CTranslate2's format ------------------------------------------------------

CODES = {torch.float32: 0, torch.int8: 1, torch.int16: 2, torch.float16: 4, torch.bfloat16: 5}


def ctranslate2_variables(state: State, dims: ModelDimensions = SMALL) -> State:
    """The same weights under the names, and stacked, as CTranslate2 has them."""
    variables: State = {
        "encoder/num_heads": torch.tensor(1, dtype=torch.int16),
        "decoder/num_heads": torch.tensor(2, dtype=torch.int16),
        "decoder/pre_norm": torch.tensor(1, dtype=torch.int8),
    }

    def norm(target: str, source: str) -> None:
        variables[f"{target}/gamma"] = state[f"{source}.weight"]
        variables[f"{target}/beta"] = state[f"{source}.bias"]

    def linear(target: str, *sources: str) -> None:
        weights = [state[f"{source}.weight"] for source in sources]
        biases = [
            state.get(f"{source}.bias", torch.zeros(len(weight), dtype=weight.dtype))
            for source, weight in zip(sources, weights, strict=True)
        ]
        variables[f"{target}/weight"] = torch.cat(weights)
        variables[f"{target}/bias"] = torch.cat(biases)

    linear("encoder/conv1", "encoder.conv1")
    linear("encoder/conv2", "encoder.conv2")
    norm("encoder/layer_norm", "encoder.ln_post")
    norm("decoder/layer_norm", "decoder.ln")
    for wing, layers in (("encoder", dims.n_audio_layer), ("decoder", dims.n_text_layer)):
        position = f"{wing}.positional_embedding"
        variables[f"{wing}/position_encodings/encodings"] = state[position]
        for n in range(layers):
            old, new = f"{wing}.blocks.{n}", f"{wing}/layer_{n}"
            queries = [f"{old}.attn.{part}" for part in ("query", "key", "value")]
            linear(f"{new}/self_attention/linear_0", *queries)
            linear(f"{new}/self_attention/linear_1", f"{old}.attn.out")
            norm(f"{new}/self_attention/layer_norm", f"{old}.attn_ln")
            if wing == "decoder":
                cross = f"{old}.cross_attn"
                linear(f"{new}/attention/linear_0", f"{cross}.query")
                linear(f"{new}/attention/linear_1", f"{cross}.key", f"{cross}.value")
                linear(f"{new}/attention/linear_2", f"{cross}.out")
                norm(f"{new}/attention/layer_norm", f"{cross}_ln")
            linear(f"{new}/ffn/linear_0", f"{old}.mlp.0")
            linear(f"{new}/ffn/linear_1", f"{old}.mlp.2")
            norm(f"{new}/ffn/layer_norm", f"{old}.mlp_ln")
    variables["decoder/embeddings/weight"] = state["decoder.token_embedding.weight"]
    return variables


def quantised(variables: State) -> State:
    """Weights of layers in 8 bits, with a scale for each row, as CTranslate2 makes them."""
    found: State = {}
    for name, tensor in variables.items():
        if not name.endswith("/weight") or "conv" in name:
            found[name] = tensor
            continue
        weight = tensor.float()
        largest = weight.abs().amax(dim=1)
        scale = 127 / torch.where(largest == 0, 127.0, largest)
        found[name] = (weight * scale[:, None]).round().to(torch.int8)
        found[f"{name}_scale"] = scale
    return found


def ctranslate2_bytes(
    variables: State,
    *,
    version: int = 6,
    specification: str = "WhisperSpec",
    aliases: dict[str, str] | None = None,
) -> bytes:
    def string(text: str) -> bytes:
        raw = text.encode() + b"\0"
        return struct.pack("<H", len(raw)) + raw

    out = [struct.pack("<I", version), string(specification), struct.pack("<I", 3)]
    out.append(struct.pack("<I", len(variables)))
    for name, tensor in variables.items():
        raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        out += [string(name), struct.pack(f"<B{tensor.ndim}I", tensor.ndim, *tensor.shape)]
        out += [struct.pack("<BI", CODES[tensor.dtype], len(raw)), raw]
    aliases = {"decoder/projection/weight": "decoder/embeddings/weight", **(aliases or {})}
    out.append(struct.pack("<I", len(aliases)))
    out += [string(end) for pair in aliases.items() for end in pair]
    return b"".join(out)


def write_ctranslate2(path: Path, state: State, **changes: Any) -> Path:
    path.write_bytes(ctranslate2_bytes(ctranslate2_variables(state), **changes))
    return path


# --- a writer of Hugging Face's format -----------------------------------------------------

_NAMES = {
    "positional_embedding": "embed_positions.weight",
    "token_embedding": "embed_tokens",
    "ln_post": "layer_norm",
    "decoder.ln.": "decoder.layer_norm.",
    "blocks": "layers",
    "cross_attn_ln": "encoder_attn_layer_norm",
    "attn_ln": "self_attn_layer_norm",
    "cross_attn.": "encoder_attn.",
    ".attn.": ".self_attn.",
    "attn.query": "attn.q_proj",
    "attn.key": "attn.k_proj",
    "attn.value": "attn.v_proj",
    "attn.out": "attn.out_proj",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "mlp_ln": "final_layer_norm",
}


def under_hugging_face_names(state: State) -> State:
    def renamed(name: str) -> str:
        for old, new in _NAMES.items():
            name = name.replace(old, new)
        return f"model.{name}"

    return {renamed(name): tensor for name, tensor in state.items()}


def config_of(dims: ModelDimensions, **changes: Any) -> dict[str, Any]:
    """What ``config.json`` says of a model; Hugging Face has one width for both halves."""
    return {
        "model_type": "whisper",
        "num_mel_bins": dims.n_mels,
        "max_source_positions": dims.n_audio_ctx,
        "d_model": dims.n_text_state,
        "encoder_attention_heads": dims.n_audio_head,
        "encoder_layers": dims.n_audio_layer,
        "vocab_size": dims.n_vocab,
        "max_target_positions": dims.n_text_ctx,
        "decoder_attention_heads": dims.n_text_head,
        "decoder_layers": dims.n_text_layer,
        **changes,
    }


def write_hugging_face(
    folder: Path,
    state: State,
    *,
    shards: int = 1,
    config: dict[str, Any] | None = None,
    heads: Sequence[tuple[int, int]] = (),
    **generation: Any,
) -> Path:
    """A folder as Hugging Face's transformers write it; more than one shard have an index.

    Args:
        generation: what `generation_config.json` declares.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = under_hugging_face_names(state)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        where = {}
        for n in range(shards):
            file = f"model-{n + 1:05}-of-{shards:05}.safetensors"
            own = dict(list(tensors.items())[n::shards])
            save_file(own, folder / file, metadata={"format": "pt"})
            where |= dict.fromkeys(own, file)
        index = {"metadata": {"total_size": 0}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    if heads:
        generation["alignment_heads"] = [list(pair) for pair in heads]
    if generation:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


# --- models of every size class ------------------------------------------------------------


def shrunk(dims: ModelDimensions) -> ModelDimensions:
    """The same model, narrow: 64 wide, with one head, and a short memory."""
    narrow = {"n_audio_state": 64, "n_audio_head": 1, "n_text_state": 64, "n_text_head": 1}
    return replace(dims, n_audio_ctx=15, n_text_ctx=9, **narrow)


def narrow(name: str) -> ModelDimensions:
    """A known model, narrow, that hears whole windows."""
    return replace(shrunk(EVERY_SIZE[name]), n_audio_ctx=1500, n_text_ctx=448)


DISTILLED = {
    "distil-small.en": replace(KNOWN_MODELS["small.en"].dims, n_text_layer=4),
    "distil-medium.en": replace(KNOWN_MODELS["medium.en"].dims, n_text_layer=2),
    "distil-large-v2": replace(KNOWN_MODELS["large-v2"].dims, n_text_layer=2),
    "distil-large-v3": replace(KNOWN_MODELS["large-v3"].dims, n_text_layer=2),
}
EVERY_SIZE = {name: model.dims for name, model in KNOWN_MODELS.items()} | DISTILLED
