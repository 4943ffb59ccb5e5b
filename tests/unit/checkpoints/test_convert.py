"""Checkpoints written as Hugging Face folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from streamwhisper.checkpoints.checkpoint import Checkpoint, load_checkpoint
from streamwhisper.checkpoints.convert import write_huggingface
from streamwhisper.errors import CheckpointError, ModelError
from streamwhisper.whisper.dimensions import ModelDimensions
from tests.support.made_up import (
    EVERY_SIZE,
    SMALL,
    assert_equal,
    config_of,
    made_up,
    shrunk,
    write_hugging_face,
)

TINY = shrunk(EVERY_SIZE["tiny.en"])


def checkpoint_of(
    name: str = "tiny.en", dtype: torch.dtype = torch.float16, dims: ModelDimensions | None = None
) -> Checkpoint:
    dims = dims or shrunk(EVERY_SIZE[name])
    heads = ((dims.n_text_layer - 1, 0), (0, 0))
    return Checkpoint(name, dims, heads, made_up(dims, dtype))


@pytest.mark.parametrize("name", EVERY_SIZE)
def test_a_model_of_every_size_loads_back_identical(tmp_path: Path, name: str) -> None:
    before = checkpoint_of(name)
    write_huggingface(before, tmp_path / name)
    after = load_checkpoint(tmp_path / name)
    assert (after.name, after.dims) == (name, before.dims)
    assert after.alignment_heads == before.alignment_heads
    assert_equal(after.state, before.state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_types_are_kept_and_the_safetensors_library_reads_them(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    before = checkpoint_of(dtype=dtype)
    before.state["decoder.ln.weight"] = before.state["decoder.ln.weight"].double()
    write_huggingface(before, tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    expected = load_file(write_hugging_face(tmp_path / "b", before.state) / "model.safetensors")
    assert_equal(found, expected)


def test_the_config_has_the_fields_that_transformers_reads(tmp_path: Path) -> None:
    before = checkpoint_of("large-v3-turbo")
    write_huggingface(before, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config.items() >= config_of(before.dims).items()
    assert config["architectures"] == ["WhisperForConditionalGeneration"]
    assert config["encoder_ffn_dim"] == config["decoder_ffn_dim"] == 4 * 64
    assert (config["eos_token_id"], config["decoder_start_token_id"]) == (50257, 50258)
    assert config["torch_dtype"] == "float16"


def test_the_generation_config_has_the_published_tokens(tmp_path: Path) -> None:
    write_huggingface(checkpoint_of("tiny"), tmp_path / "many")
    many = json.loads((tmp_path / "many" / "generation_config.json").read_text())
    # As in openai/whisper-tiny.
    assert many["lang_to_id"]["<|en|>"] == 50259
    assert len(many["lang_to_id"]) == 99
    assert many["task_to_id"] == {"transcribe": 50359, "translate": 50358}
    assert many["no_timestamps_token_id"] == 50363
    assert many["begin_suppress_tokens"] == [220, 50257]
    assert many["suppress_tokens"][:4] == [1, 2, 7, 8]
    assert many["suppress_tokens"][-6:] == [50258, 50358, 50359, 50360, 50361, 50362]
    write_huggingface(checkpoint_of("tiny.en"), tmp_path / "english")
    english = json.loads((tmp_path / "english" / "generation_config.json").read_text())
    assert not english["is_multilingual"]
    assert "lang_to_id" not in english
    assert (english["eos_token_id"], english["no_timestamps_token_id"]) == (50256, 50362)


def test_progress_ends_with_every_byte(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    before = checkpoint_of()
    write_huggingface(before, tmp_path, advance=lambda *now: told.append(now))
    total = sum(tensor.numel() * 2 for tensor in before.state.values())
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_files_that_are_there_are_only_overwritten_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine as well")
    with pytest.raises(ModelError, match=r"already contains files.*--force"):
        write_huggingface(checkpoint_of(), tmp_path)
    assert (tmp_path / "config.json").read_text() == "mine"
    write_huggingface(checkpoint_of(), tmp_path, force=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors", "notes.txt")
    }
    assert load_checkpoint(tmp_path).dims == TINY


def test_a_model_can_be_written_over_itself(tmp_path: Path) -> None:
    state = made_up(TINY)
    before = load_checkpoint(write_hugging_face(tmp_path, state))
    write_huggingface(before, tmp_path, force=True)
    assert_equal(before.state, state)
    assert_equal(load_checkpoint(tmp_path).state, state)


def test_a_file_is_no_place_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        write_huggingface(checkpoint_of(), tmp_path / "file", force=True)


def test_a_model_that_the_layout_has_no_place_for_is_refused_unwritten(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="supports only one width"):
        write_huggingface(checkpoint_of(dims=SMALL), tmp_path / "out")
    with pytest.raises(CheckpointError, match="no Whisper vocabulary has 11"):
        write_huggingface(checkpoint_of(dims=replace(TINY, n_vocab=11)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_write_that_fails_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_huggingface(checkpoint_of(), tmp_path / "out", advance=interrupt)
    assert list((tmp_path / "out").iterdir()) == []
