"""Checkpoints: three file formats, one description."""

from __future__ import annotations

import contextlib
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from streamwhisper.checkpoints.checkpoint import load_checkpoint, state_shapes
from streamwhisper.errors import CheckpointError
from tests.support.examples import examples
from tests.support.made_up import (
    SMALL,
    State,
    assert_equal,
    ctranslate2_bytes,
    ctranslate2_variables,
    made_up,
    under_hugging_face_names,
    write_ctranslate2,
)

# --- round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_ctranslate2_weights_come_back_under_openai_names(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    state = made_up(dtype=dtype)
    checkpoint = load_checkpoint(write_ctranslate2(tmp_path / "made-up.ct2.bin", state))
    assert checkpoint.dims == SMALL
    assert checkpoint.name == "made-up"
    assert not checkpoint.multilingual
    assert_equal(checkpoint.state, state)


@pytest.mark.parametrize(("dtype", "peak"), [(torch.int8, 127), (torch.int16, 1023)])
def test_integer_weights_are_scaled_back(tmp_path: Path, dtype: torch.dtype, peak: int) -> None:
    state = made_up()
    variables = ctranslate2_variables(state)
    for name in [name for name in variables if name.endswith("/weight") and "conv" not in name]:
        weight = variables[name].float()
        by_row = peak / weight.abs().amax(dim=1)
        scale = by_row if dtype == torch.int8 else by_row.amin()
        variables[name] = (weight * scale.reshape(-1, 1)).round().to(dtype)
        variables[f"{name}_scale"] = scale
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_bytes(variables))
    found = load_checkpoint(path).state
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].is_floating_point()
        step = tensor.abs().max().item() / peak * (1 if dtype == torch.int8 else 4)
        assert torch.allclose(found[name].float(), tensor.float(), atol=step), name


def test_integers_without_scales_are_refused(tmp_path: Path) -> None:
    variables = ctranslate2_variables(made_up())
    name = "decoder/embeddings/weight"
    variables[name] = variables[name].to(torch.int8)
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_bytes(variables))
    with pytest.raises(CheckpointError, match="without a scale"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_openai_files_come_back_as_they_are(tmp_path: Path, zipped: bool) -> None:
    state = made_up()
    path = tmp_path / "mine.pt"
    dims = {name: getattr(SMALL, name) for name in SMALL.__slots__}
    saved = {"dims": dims, "model_state_dict": state}
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    checkpoint = load_checkpoint(path)
    assert (checkpoint.name, checkpoint.dims) == ("mine", SMALL)
    assert_equal(checkpoint.state, state)


@pytest.mark.parametrize("with_projection", [True, False])
def test_hugging_face_weights_come_back_under_openai_names(
    tmp_path: Path, with_projection: bool
) -> None:
    state = made_up()
    renamed = under_hugging_face_names(state)
    if with_projection:
        renamed["proj_out.weight"] = state["decoder.token_embedding.weight"].clone()
    save_file(renamed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_equal(load_checkpoint(tmp_path / "model.safetensors").state, state)


# --- alignment heads -----------------------------------------------------------------------


def test_unknown_sizes_align_with_the_upper_half_of_the_decoder(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_ctranslate2(tmp_path / "tiny.en.bin", made_up()))
    assert checkpoint.name == "tiny.en"
    assert checkpoint.alignment_heads == ((1, 0), (1, 1), (2, 0), (2, 1))


# --- damaged, foreign and hostile files ----------------------------------------------------


@pytest.fixture(scope="module")
def whole_file() -> bytes:
    return ctranslate2_bytes(ctranslate2_variables(made_up()))


@settings(max_examples=examples(60))
@given(data=st.data())
def test_a_ctranslate2_file_that_is_cut_anywhere_is_refused(
    data: st.DataObject, whole_file: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.bin"
    path.write_bytes(whole_file[: data.draw(st.integers(0, len(whole_file) - 1))])
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


@settings(max_examples=examples(100))
@given(data=st.data())
def test_a_damaged_ctranslate2_file_is_read_or_refused_but_never_worse(
    data: st.DataObject, whole_file: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = bytearray(whole_file)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(damaged)
    with contextlib.suppress(CheckpointError):
        assert load_checkpoint(path).state.keys() == state_shapes(SMALL).keys()


def test_bytes_after_the_end_are_damage(tmp_path: Path, whole_file: bytes) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(whole_file + b"more")
    with pytest.raises(CheckpointError, match="4 bytes after its end"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "changes", [{"version": 5}, {"version": 7}, {"specification": "TransformerSpec"}]
)
def test_other_ctranslate2_files_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="not a Whisper checkpoint"):
        load_checkpoint(write_ctranslate2(tmp_path / "model.bin", made_up(), **changes))


def test_a_variable_nobody_knows_is_refused(tmp_path: Path) -> None:
    variables = ctranslate2_variables(made_up())
    variables["decoder/layer_0/adapter/weight"] = torch.zeros(3, 3)
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_bytes(variables))
    with pytest.raises(CheckpointError, match="adapter"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a Whisper checkpoint"),
        (b"<html>404</html>", "not a Whisper checkpoint"),
        (b"PK\x03\x04 and nothing more", "cannot read"),
        (b"\x80\x02 and nothing more", "cannot read"),
        (b"\x10\0\0\0\0\0\0\0{ and nothing more", "cannot read"),
    ],
)
def test_files_that_are_something_else_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said) as raised:
        load_checkpoint(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pt"):
        load_checkpoint(tmp_path / "nowhere.pt")


class Hostile:
    """A pickle of this makes a folder when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("zipped", [True, False, None])
def test_a_pickle_that_would_run_code_is_refused_unrun(tmp_path: Path, zipped: bool | None) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    saved = {"dims": Hostile(trace), "model_state_dict": made_up()}
    if zipped is None:
        path.write_bytes(pickle.dumps(saved, protocol=2))
    else:
        torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("saved", [{"model_state_dict": 3}, [1, 2], {"weights": {}}])
def test_pickles_without_weights_are_refused(tmp_path: Path, saved: object) -> None:
    torch.save(saved, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="model_state_dict"):
        load_checkpoint(tmp_path / "model.pt")


def broken_states() -> list[Any]:
    state = made_up()
    name = "decoder.blocks.1.cross_attn.key.weight"
    missing = {key: tensor for key, tensor in state.items() if key != name}
    gap = {key: tensor for key, tensor in state.items() if ".blocks.0." not in key}
    narrow = made_up(replace(SMALL, n_text_state=100))
    return [
        pytest.param(missing, f"{name} is missing", id="missing"),
        pytest.param({**state, "extra": torch.zeros(1)}, "extra is not part", id="extra"),
        pytest.param({**state, name: torch.zeros(3)}, r"shape \[3\] instead", id="shape"),
        pytest.param({**state, name: state[name].int()}, "instead of floating", id="integers"),
        pytest.param(gap, r"blocks\.0\..* is missing", id="gap"),
        pytest.param(narrow, "width 100", id="narrow"),
        pytest.param({}, "is missing", id="empty"),
        pytest.param({3: state[name]}, "not a whole|is missing|without", id="keys"),
    ]


@pytest.mark.parametrize(("state", "said"), broken_states())
def test_incomplete_weights_are_refused_by_name(tmp_path: Path, state: State, said: str) -> None:
    torch.save({"dims": {}, "model_state_dict": state}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(tmp_path / "model.pt")


def test_loaded_weights_outlive_their_file(tmp_path: Path) -> None:
    state = made_up()
    path = write_ctranslate2(tmp_path / "model.bin", state)
    found = load_checkpoint(path).state
    path.write_bytes(np.zeros(path.stat().st_size, dtype=np.uint8).tobytes())
    assert_equal(found, state)
