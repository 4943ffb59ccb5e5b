"""LoRA adapters: the formula, the names, and what does not fit."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from streamwhisper.checkpoints.checkpoint import Checkpoint
from streamwhisper.checkpoints.lora import merged
from streamwhisper.errors import CheckpointError
from tests.support.made_up import EVERY_SIZE, assert_equal, made_up, shrunk

RANK, ALPHA = 4, 16
# Hugging Face's names of layers, and OpenAI's.
LAYERS = {
    "encoder.layers.0.self_attn.q_proj": "encoder.blocks.0.attn.query",
    "encoder.layers.3.self_attn.k_proj": "encoder.blocks.3.attn.key",
    "encoder.layers.1.fc1": "encoder.blocks.1.mlp.0",
    "encoder.layers.1.fc2": "encoder.blocks.1.mlp.2",
    "decoder.layers.0.self_attn.v_proj": "decoder.blocks.0.attn.value",
    "decoder.layers.1.self_attn.out_proj": "decoder.blocks.1.attn.out",
    "decoder.layers.2.encoder_attn.q_proj": "decoder.blocks.2.cross_attn.query",
    "decoder.layers.3.encoder_attn.out_proj": "decoder.blocks.3.cross_attn.out",
    "decoder.layers.3.fc1": "decoder.blocks.3.mlp.0",
    "decoder.layers.3.fc2": "decoder.blocks.3.mlp.2",
}
QUERY = "decoder.layers.2.encoder_attn.q_proj"
Matrices = dict[str, tuple[torch.Tensor, torch.Tensor]]


def checkpoint_of(dtype: torch.dtype = torch.float32) -> Checkpoint:
    dims = shrunk(EVERY_SIZE["tiny.en"])
    return Checkpoint("tiny.en", dims, ((3, 0),), made_up(dims, dtype))


def matrices_of(checkpoint: Checkpoint, ranks: dict[str, int] | None = None) -> Matrices:
    """A and B of every layer in `LAYERS`."""
    generator = torch.Generator().manual_seed(2)
    found = {}
    for layer, name in LAYERS.items():
        outputs, inputs = checkpoint.state[f"{name}.weight"].shape
        rank = (ranks or {}).get(layer, RANK)
        found[layer] = (
            torch.randn((rank, inputs), generator=generator),
            torch.randn((outputs, rank), generator=generator),
        )
    return found


def write_adapter(
    folder: Path, matrices: Matrices, *, inside: str = "model.", suffix: str = "", **changes: Any
) -> Path:
    """As PEFT writes it."""
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.05,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": ["q_proj", "fc1"],
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": False,
        "use_dora": False,
        **changes,
    }
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    tensors = {}
    for layer, (a, b) in matrices.items():
        tensors[f"base_model.model.{inside}{layer}.lora_A{suffix}.weight"] = a
        tensors[f"base_model.model.{inside}{layer}.lora_B{suffix}.weight"] = b
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def expected(
    checkpoint: Checkpoint, matrices: Matrices, scales: dict[str, float]
) -> dict[str, torch.Tensor]:
    """The formula, number by number in float64."""
    state = dict(checkpoint.state)
    for layer, (a, b) in matrices.items():
        name = f"{LAYERS[layer]}.weight"
        change = torch.einsum("or,ri->oi", b.double(), a.double()) * scales[layer]
        state[name] = (state[name].double() + change).float()
    return state


def assert_close(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("inside", ["model.", ""])
@pytest.mark.parametrize("suffix", ["", ".default"])
def test_every_kind_of_layer_is_changed_by_the_formula(
    tmp_path: Path, inside: str, suffix: str
) -> None:
    checkpoint = checkpoint_of()
    before = {name: tensor.clone() for name, tensor in checkpoint.state.items()}
    matrices = matrices_of(checkpoint)
    folder = write_adapter(tmp_path, matrices, inside=inside, suffix=suffix)
    after = merged(checkpoint, folder)
    scales = dict.fromkeys(LAYERS, ALPHA / RANK)
    assert_close(after.state, expected(checkpoint, matrices, scales))
    assert_equal(checkpoint.state, before)
    assert (after.name, after.dims, after.alignment_heads) == (
        "tiny.en",
        checkpoint.dims,
        ((3, 0),),
    )
    changed = {name for name in before if not torch.equal(after.state[name], before[name])}
    assert changed == {f"{name}.weight" for name in LAYERS.values()}


def test_rank_stabilised_adapters_are_divided_by_the_root(tmp_path: Path) -> None:
    checkpoint = checkpoint_of()
    matrices = matrices_of(checkpoint)
    after = merged(checkpoint, write_adapter(tmp_path, matrices, use_rslora=True))
    scales = dict.fromkeys(LAYERS, ALPHA / math.sqrt(RANK))
    assert_close(after.state, expected(checkpoint, matrices, scales))


def test_patterns_give_layers_ranks_and_alphas_of_their_own(tmp_path: Path) -> None:
    checkpoint = checkpoint_of()
    ranks = {layer: 8 for layer in LAYERS if layer.endswith("fc1")} | {QUERY: 2}
    matrices = matrices_of(checkpoint, ranks)
    patterns = {"rank_pattern": {"fc1": 8, f"model.{QUERY}": 2}, "alpha_pattern": {"q_proj": 6}}
    after = merged(checkpoint, write_adapter(tmp_path, matrices, **patterns))
    scales = {
        layer: (6 if layer.endswith("q_proj") else ALPHA) / ranks.get(layer, RANK)
        for layer in LAYERS
    }
    assert_close(after.state, expected(checkpoint, matrices, scales))


def test_fan_in_fan_out_transposes_the_product(tmp_path: Path) -> None:
    checkpoint = checkpoint_of()
    layer = "decoder.layers.3.fc1"  # 256 outputs, 64 inputs
    a, b = torch.randn(RANK, 256), torch.randn(64, RANK)
    after = merged(checkpoint, write_adapter(tmp_path, {layer: (a, b)}, fan_in_fan_out=True))
    name = f"{LAYERS[layer]}.weight"
    wanted = checkpoint.state[name] + ALPHA / RANK * (b @ a).T
    torch.testing.assert_close(after.state[name], wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_keep_their_type_and_are_rounded_once(tmp_path: Path, dtype: torch.dtype) -> None:
    checkpoint = checkpoint_of(dtype)
    matrices = matrices_of(checkpoint)
    after = merged(checkpoint, write_adapter(tmp_path, matrices))
    exact = expected(checkpoint, matrices, dict.fromkeys(LAYERS, ALPHA / RANK))
    step = torch.finfo(dtype).eps
    for name, tensor in after.state.items():
        assert tensor.dtype == dtype
        torch.testing.assert_close(tensor.float(), exact[name].float(), rtol=step, atol=step)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peft_type": "IA3"}, "type 'IA3'; expected 'LORA'"),
        ({"use_dora": True}, "'use_dora' to True, which cannot be merged"),
        ({"bias": "all"}, "'bias' to 'all'"),
        ({"modules_to_save": ["proj_out"]}, "merge_and_unload"),
        ({"init_lora_weights": "pissa"}, "'pissa'"),
        ({"r": 0}, "r = 0, .*expected numbers above 0"),
        ({"lora_alpha": None}, "lora_alpha = None"),
        ({"rank_pattern": {"fc1": "8"}}, "expected numbers above 0"),
        ({"rank_pattern": [8]}, r"pattern \[8\]"),
        ({"alpha_pattern": {"(": 8}}, "expected a regular expression"),
        ({"r": 8}, r"matrices \[4, 64\] and \[64, 4\] .* needs \[8, 64\] and \[64, 8\]"),
    ],
)
def test_adapters_of_another_kind_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    checkpoint = checkpoint_of()
    with pytest.raises(CheckpointError, match=said):
        merged(checkpoint, write_adapter(tmp_path, matrices_of(checkpoint), **changes))


@pytest.mark.parametrize(
    "layer",
    [
        "decoder.layers.4.fc1",
        "decoder.embed_tokens",
        "encoder.conv1",
        "encoder.layers.0.encoder_attn.q_proj",
        "vision_tower.blocks.0.q_proj",
    ],
)
def test_layers_that_the_model_has_not_are_named(tmp_path: Path, layer: str) -> None:
    matrices = {layer: (torch.zeros(RANK, 64), torch.zeros(64, RANK))}
    with pytest.raises(CheckpointError, match=f"adapts '{layer}', which tiny.en lacks"):
        merged(checkpoint_of(), write_adapter(tmp_path, matrices))


def test_matrices_of_another_model_are_named(tmp_path: Path) -> None:
    matrices = {QUERY: (torch.zeros(RANK, 512), torch.zeros(512, RANK))}
    with pytest.raises(CheckpointError, match=r"\[4, 512\] .*needs \[4, 64\] .*another model"):
        merged(checkpoint_of(), write_adapter(tmp_path, matrices))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({}, "has no tensors"),
        ({f"base_model.model.model.{QUERY}.lora_A.weight": torch.zeros(4, 64)}, "only lora_A"),
        ({"base_model.model.model.decoder.embed_tokens.weight": torch.zeros(4)}, "a tensor '"),
        ({f"base_model.model.model.{QUERY}.lora_B.bias": torch.zeros(4)}, "a tensor '"),
    ],
)
def test_a_file_of_other_tensors_is_refused(
    tmp_path: Path, tensors: dict[str, torch.Tensor], said: str
) -> None:
    folder = write_adapter(tmp_path, {})
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match=said):
        merged(checkpoint_of(), folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    folder = write_adapter(tmp_path, matrices_of(checkpoint_of()))
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"cannot read .*{name}"):
        merged(checkpoint_of(), folder)


def test_a_recognizer_runs_with_the_merged_weights(tmp_path: Path) -> None:
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer
    from tests.support.made_up import write_hugging_face

    checkpoint = checkpoint_of()
    matrices = matrices_of(checkpoint)
    folder = write_adapter(tmp_path / "adapter", matrices)
    model = write_hugging_face(tmp_path / "model", checkpoint.state)
    threads = torch.get_num_threads()
    options = LocalOptions(dtype="float32", threads=threads, adapter=folder)
    weights = LocalRecognizer.load(model, options).model.state_dict()
    assert_close(weights, merged(checkpoint, folder).state)
