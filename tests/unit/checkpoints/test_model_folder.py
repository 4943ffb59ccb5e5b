"""Folders as Hugging Face lays them out: shards, sizes, alignment heads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.checkpoints.model_folder import shard_names, weight_files
from streamwhisper.errors import CheckpointError
from streamwhisper.whisper.tokenizer import get_tokenizer
from tests.support.made_up import (
    EVERY_SIZE,
    assert_equal,
    config_of,
    made_up,
    shrunk,
    write_ctranslate2,
    write_hugging_face,
)

TINY = shrunk(EVERY_SIZE["tiny.en"])


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("name", EVERY_SIZE)
def test_a_folder_of_every_size_comes_back_whole(tmp_path: Path, name: str, shards: int) -> None:
    dims = shrunk(EVERY_SIZE[name])
    state = made_up(dims)
    heads = ((dims.n_text_layer - 1, 0),)
    folder = tmp_path / "my-model"
    write_hugging_face(folder, state, shards=shards, config=config_of(dims), heads=heads)
    checkpoint = load_checkpoint(folder)
    assert (checkpoint.name, checkpoint.dims) == ("my-model", dims)
    assert checkpoint.alignment_heads == heads
    assert_equal(checkpoint.state, state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_keep_the_type_they_have(tmp_path: Path, dtype: torch.dtype) -> None:
    state = made_up(TINY, dtype)
    assert_equal(load_checkpoint(write_hugging_face(tmp_path, state, shards=2)).state, state)


def test_without_a_config_the_weights_tell_the_sizes(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_hugging_face(tmp_path, made_up(TINY)))
    assert checkpoint.dims == TINY
    assert checkpoint.alignment_heads == ((2, 0), (3, 0))


def test_the_config_may_declare_heads_of_another_width(tmp_path: Path) -> None:
    config = config_of(TINY, encoder_attention_heads=4, decoder_attention_heads=2)
    checkpoint = load_checkpoint(write_hugging_face(tmp_path, made_up(TINY), config=config))
    assert (checkpoint.dims.n_audio_head, checkpoint.dims.n_text_head) == (4, 2)


@pytest.mark.parametrize("name", ["tiny.en", "tiny", "large-v3"])
@pytest.mark.parametrize("kind", ["added", "whole"])
def test_embeddings_beyond_the_vocabulary_are_left_out(
    tmp_path: Path, name: str, kind: str
) -> None:
    """Of tokens that a fine-tuned model added, or of rounding the embeddings up."""
    dims = shrunk(EVERY_SIZE[name])
    larger = replace(dims, n_vocab=51904)
    state = made_up(larger)
    write_hugging_face(tmp_path, state, config=config_of(larger))
    tokens = {"<|notimestamps|>": get_tokenizer(dims.n_vocab).no_timestamps, "<|mine|>": 51900}
    if kind == "added":
        (tmp_path / "added_tokens.json").write_text(json.dumps(tokens))
    else:
        entries = [{"content": text, "id": token} for text, token in tokens.items()]
        (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": entries}))
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.dims == dims
    embeddings = "decoder.token_embedding.weight"
    state[embeddings] = state[embeddings][: dims.n_vocab]
    assert_equal(checkpoint.state, state)


@pytest.mark.parametrize("tokens", [{}, {"<|notimestamps|>": "many"}, {"<|notimestamps|>": 51000}])
def test_a_vocabulary_that_is_not_declared_changes_nothing(
    tmp_path: Path, tokens: dict[str, Any]
) -> None:
    write_hugging_face(tmp_path, made_up(TINY))
    (tmp_path / "added_tokens.json").write_text(json.dumps(tokens))
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": 3}')
    assert load_checkpoint(tmp_path).dims == TINY


def test_the_weights_alone_have_the_same_declarations_as_their_folder(tmp_path: Path) -> None:
    write_hugging_face(tmp_path, made_up(TINY), heads=[(1, 0)])
    assert load_checkpoint(tmp_path / "model.safetensors").alignment_heads == ((1, 0),)


def test_a_ctranslate2_folder_has_its_alignment_heads_in_its_config(tmp_path: Path) -> None:
    write_ctranslate2(tmp_path / "model.bin", made_up())
    (tmp_path / "config.json").write_text('{"alignment_heads": [[2, 1]], "suppress_ids": []}')
    assert load_checkpoint(tmp_path).alignment_heads == ((2, 1),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decoder_layers": 2}, "declares n_text_layer = 2 .* have 4"),
        ({"num_mel_bins": 128}, "declares n_mels = 128 .* have 80"),
        ({"d_model": 384}, "declares n_audio_state = 384 .* have 64"),
        ({"decoder_attention_heads": 3}, "width 64 and 3 heads"),
        ({"vocab_size": "many"}, "'vocab_size' is 'many'; expected a positive integer"),
        ({"model_type": "wav2vec2"}, "type 'wav2vec2'; expected 'whisper'"),
    ],
)
def test_a_config_of_another_model_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write_hugging_face(tmp_path, made_up(TINY), config=config_of(TINY, **changes))
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("heads", [[[4, 0]], [[0, 1]], [[0]], "all", [[-1, 0]], [["0", "0"]]])
def test_alignment_heads_that_the_model_has_not_are_refused(tmp_path: Path, heads: object) -> None:
    write_hugging_face(tmp_path, made_up(TINY))
    (tmp_path / "generation_config.json").write_text(json.dumps({"alignment_heads": heads}))
    with pytest.raises(CheckpointError, match="expected pairs"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "model.safetensors.index.json"]
)
def test_a_declaration_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    write_hugging_face(tmp_path, made_up(TINY), shards=2)
    (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_checkpoint(tmp_path)


def test_missing_shards_are_named(tmp_path: Path) -> None:
    write_hugging_face(tmp_path, made_up(TINY), shards=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003\.safetensors of 3 shards"):
        load_checkpoint(tmp_path)


def test_a_shard_that_is_cut_short_is_named(tmp_path: Path) -> None:
    write_hugging_face(tmp_path, made_up(TINY), shards=3)
    shard = tmp_path / "model-00002-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"cannot read .*model-00002-of-00003"):
        load_checkpoint(tmp_path)


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    write_hugging_face(tmp_path, made_up(TINY), shards=2)
    first, second = weight_files(tmp_path)
    second.write_bytes(first.read_bytes())
    with pytest.raises(CheckpointError, match="which another shard has"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/x.safetensors", "a/b.safetensors"])
def test_an_index_cannot_name_files_outside_its_folder(tmp_path: Path, name: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match="without folders"):
        shard_names(index)


def test_a_folder_without_weights_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"without a model: expected model\.safetensors"):
        load_checkpoint(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="it is an adapter"):
        load_checkpoint(tmp_path)
