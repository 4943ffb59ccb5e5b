"""OpenAI's files: mapped where torch can map them, each tensor by itself."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.checkpoints.openai_pickle import read_pickled
from tests.support.made_up import EVERY_SIZE, SMALL, State, assert_equal, made_up, shrunk


def written(path: Path, state: State, **options: Any) -> Path:
    dims = {name: getattr(SMALL, name) for name in SMALL.__slots__}
    torch.save({"dims": dims, "model_state_dict": state}, path, **options)
    return path


@pytest.mark.parametrize("name", EVERY_SIZE)
def test_a_file_of_every_size_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    state = made_up(shrunk(EVERY_SIZE[name]))
    checkpoint = load_checkpoint(written(tmp_path / f"{name}.pt", state))
    assert (checkpoint.name, checkpoint.dims) == (name, shrunk(EVERY_SIZE[name]))
    assert_equal(checkpoint.state, state)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system lists no mappings")
def test_the_mapping_goes_with_the_last_tensor(tmp_path: Path) -> None:
    path = written(tmp_path / "model.pt", made_up())

    def mappings() -> int:
        return Path("/proc/self/maps").read_text().count(str(path))

    state = read_pickled(path)
    assert mappings() == 1  # ours; torch's is gone
    kept = state.pop("decoder.ln.bias")
    before = kept.clone()
    del state
    assert mappings() == 1
    assert torch.equal(kept, before)
    del kept
    assert mappings() == 0


@pytest.mark.parametrize("kind", ["shared", "transposed", "part", "extra", "old"])
def test_tensors_that_do_not_lie_alone_are_read_as_torch_reads_them(
    tmp_path: Path, kind: str
) -> None:
    state = made_up()
    name, other = "encoder.blocks.0.attn.query.weight", "encoder.blocks.0.attn.value.weight"
    if kind == "shared":
        state[other] = state[name]
    elif kind == "transposed":
        state[name] = state[name].T
    elif kind == "part":
        state[name] = torch.cat([state[name], state[name]])[64:]
    path = written(tmp_path / "model.pt", state, _use_new_zipfile_serialization=kind != "old")
    if kind == "extra":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("model/data/9999", bytes(os.urandom(64)))
    assert_equal(load_checkpoint(path).state, state)
