"""Checkpoints written as Hugging Face folders."""

from __future__ import annotations

from pathlib import Path

from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.checkpoints.convert import write_huggingface
from tests.support.made_up import assert_equal


def test_real_weights_come_back_identical(tiny_en_path: Path, tmp_path: Path) -> None:
    before = load_checkpoint(tiny_en_path)
    write_huggingface(before, tmp_path / "tuned")
    after = load_checkpoint(tmp_path / "tuned")
    assert after.dims == KNOWN_MODELS["tiny.en"].dims
    assert after.alignment_heads == before.alignment_heads
    assert_equal(after.state, before.state)
