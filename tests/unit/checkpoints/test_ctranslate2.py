"""CTranslate2's files: every precision, and variables that are stored once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.errors import CheckpointError
from tests.support.made_up import (
    EVERY_SIZE,
    State,
    assert_equal,
    ctranslate2_bytes,
    ctranslate2_variables,
    made_up,
    quantised,
    shrunk,
)

EMBEDDINGS, PROJECTION = "decoder/embeddings/weight", "decoder/projection/weight"


def written(tmp_path: Path, variables: State, aliases: dict[str, str] | None = None) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_bytes(variables, aliases=aliases))
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", EVERY_SIZE)
def test_floating_point_of_every_size_comes_back_as_it_was(
    tmp_path: Path, name: str, dtype: torch.dtype
) -> None:
    dims = shrunk(EVERY_SIZE[name])
    state = made_up(dims, dtype)
    checkpoint = load_checkpoint(written(tmp_path, ctranslate2_variables(state, dims)))
    assert checkpoint.dims == dims
    assert_equal(checkpoint.state, state)


@pytest.mark.parametrize("name", EVERY_SIZE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rows_of_8_bits_come_back_within_half_a_step(
    tmp_path: Path, name: str, dtype: torch.dtype
) -> None:
    """As int8_float32, int8_float16 and int8_bfloat16: the type is that of all the rest."""
    dims = shrunk(EVERY_SIZE[name])
    state = made_up(dims, dtype)
    checkpoint = load_checkpoint(written(tmp_path, quantised(ctranslate2_variables(state, dims))))
    assert checkpoint.dims == dims
    for key, tensor in state.items():
        found = checkpoint.state[key]
        if tensor.ndim == 2 and "positional" not in key:
            step = tensor.float().abs().amax(dim=1, keepdim=True) / 127
            assert ((found - tensor.float()).abs() <= 0.501 * step).all(), key
        else:
            assert found.dtype == dtype
            assert torch.equal(found, tensor), key


def test_8_bits_that_are_written_again_are_the_same_8_bits(tmp_path: Path) -> None:
    dims = shrunk(EVERY_SIZE["tiny.en"])
    before = quantised(ctranslate2_variables(made_up(dims), dims))
    state = load_checkpoint(written(tmp_path, before)).state
    after = quantised(ctranslate2_variables(state, dims))
    integers = {name for name, tensor in before.items() if tensor.dtype == torch.int8}
    assert all(torch.equal(before[name], after[name]) for name in integers)
    assert any(name.endswith("embeddings/weight") for name in integers)


def test_rows_of_zeros_stay_zeros(tmp_path: Path) -> None:
    dims = shrunk(EVERY_SIZE["tiny.en"])
    state = made_up(dims)
    name = "decoder.blocks.1.mlp.0.weight"
    state[name][3] = 0
    found = load_checkpoint(written(tmp_path, quantised(ctranslate2_variables(state, dims)))).state
    assert not found[name][3].any()


def test_convolutions_may_have_8_bits_as_well(tmp_path: Path) -> None:
    dims = shrunk(EVERY_SIZE["tiny.en"])
    state = made_up(dims)
    variables = ctranslate2_variables(state, dims)
    weight = state["encoder.conv1.weight"].float()
    scale = 127 / weight.abs().amax(dim=(1, 2))
    variables["encoder/conv1/weight"] = (weight * scale[:, None, None]).round().to(torch.int8)
    variables["encoder/conv1/weight_scale"] = scale
    found = load_checkpoint(written(tmp_path, variables)).state["encoder.conv1.weight"]
    assert ((found - weight).abs() <= 0.501 / scale[:, None, None]).all()


@pytest.mark.parametrize("integers", [False, True])
def test_a_variable_that_is_stored_once_is_read_under_both_its_names(
    tmp_path: Path, integers: bool
) -> None:
    """The converter stores no two equal variables: layers that were copied, biases of zeros."""
    dims = shrunk(EVERY_SIZE["tiny.en"])
    state = made_up(dims)
    aliases = {
        "encoder/layer_1/ffn/linear_0/weight": "decoder/layer_0/ffn/linear_0/weight",
        "encoder/layer_2/ffn/linear_1/bias": "encoder/layer_0/ffn/linear_1/bias",
        "encoder/layer_3/self_attention/layer_norm/beta": "decoder/layer_2/ffn/layer_norm/beta",
    }
    state["encoder.blocks.1.mlp.0.weight"] = state["decoder.blocks.0.mlp.0.weight"]
    state["encoder.blocks.2.mlp.2.bias"] = state["encoder.blocks.0.mlp.2.bias"]
    state["encoder.blocks.3.attn_ln.bias"] = state["decoder.blocks.2.mlp_ln.bias"]
    variables = ctranslate2_variables(state, dims)
    variables = quantised(variables) if integers else variables
    whole = load_checkpoint(written(tmp_path, variables)).state
    for alias in aliases:
        variables.pop(alias)
        variables.pop(f"{alias}_scale", None)
    assert_equal(load_checkpoint(written(tmp_path, variables, aliases)).state, whole)


def test_an_alias_of_nothing_is_damage(tmp_path: Path) -> None:
    dims = shrunk(EVERY_SIZE["tiny.en"])
    variables = ctranslate2_variables(made_up(dims), dims)
    with pytest.raises(CheckpointError, match="'nothing', which is missing"):
        load_checkpoint(written(tmp_path, variables, {"something": "nothing"}))


def test_an_output_projection_of_its_own_is_refused(tmp_path: Path) -> None:
    dims = shrunk(EVERY_SIZE["tiny.en"])
    variables = ctranslate2_variables(made_up(dims), dims)
    other = {PROJECTION: "decoder/layer_0/ffn/linear_0/weight"}
    with pytest.raises(CheckpointError, match="output projection that differs from"):
        load_checkpoint(written(tmp_path, variables, other))
