"""What a folder's generation_config.json declares is honoured, live and offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamwhisper.audio.mel import log_mel
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.checkpoints.convert import write_huggingface
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import CheckpointError, RecognitionError
from streamwhisper.recognition import DecodingOptions, RecognitionRequest
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.transcribe import detect_language, transcribe
from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.logit_filters import LogitFilters
from streamwhisper.whisper.search import SearchOptions, SearchTask, search
from streamwhisper.whisper.tail import encode
from streamwhisper.whisper.tokenizer import get_tokenizer
from tests.support.made_up import config_of, made_up, narrow, write_hugging_face

CPU = torch.device("cpu")
MANY = get_tokenizer(51865)
NOISE = np.random.default_rng(1).normal(0, 0.1, 32000).astype(np.float32)


def _folder(path: Path, name: str = "tiny", **declared: Any) -> Path:
    dims = narrow(name)
    return write_hugging_face(path, made_up(dims), config=config_of(dims), **declared)


def _load(path: Path, name: str = "tiny", **declared: Any) -> LocalRecognizer:
    options = LocalOptions(device="cpu", dtype="float32", threads=1)
    return LocalRecognizer.load(_folder(path, name, **declared), options)


def test_nothing_declared_leaves_the_reference_s_defaults(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    assert load_checkpoint(folder).generation == GenerationConfig()
    tokenizer = get_tokenizer(51865, load_checkpoint(folder).generation)
    assert tokenizer.non_speech_tokens == MANY.non_speech_tokens
    assert tokenizer.blank_tokens == (220, 50257)
    assert tokenizer.latest_start == 50
    assert tokenizer.language_tokens == MANY.language_tokens


def test_declared_tokens_are_never_written_and_all_others_may_be(tmp_path: Path) -> None:
    yes = MANY.encode(" yes")
    never = [token for token in range(MANY.n_vocab) if token not in (*yes, MANY.eot)]
    recognizer = _load(tmp_path, suppress_tokens=never, begin_suppress_tokens=[MANY.eot])
    request = RecognitionRequest(
        mel=log_mel(NOISE), language="en", options=DecodingOptions(max_tokens=3)
    )
    (live,) = recognizer.recognize([request])
    assert {*live.tokens} <= {*yes}
    (sound,) = encode(recognizer.tails, [torch.from_numpy(log_mel(NOISE))])
    (found,) = search(
        recognizer.model,
        recognizer.search_output,
        recognizer.tokenizer,
        [SearchTask(sound)],
        SearchOptions(timestamps=False, max_tokens=3),
    )
    assert found.tokens[0] == yes[0]
    assert {*found.tokens} == {*yes}


def test_an_empty_list_lets_everything_but_special_tokens_be_written(tmp_path: Path) -> None:
    tokenizer = _load(tmp_path, suppress_tokens=[], begin_suppress_tokens=[]).tokenizer
    rules = LogitFilters(tokenizer, 51865, CPU)
    logits = rules.apply(torch.zeros(51865), [], first=True, times=False)
    assert logits[: MANY.eot + 1].isfinite().all()
    assert logits[MANY.eot + 1 :].isinf().all()


def test_no_text_begins_with_what_is_declared(tmp_path: Path) -> None:
    tokenizer = _load(tmp_path, begin_suppress_tokens=[7, 9]).tokenizer
    rules = LogitFilters(tokenizer, 51865, CPU)
    logits = rules.apply(torch.zeros(51865), [], first=True, times=False)
    assert logits[[7, 9]].isinf().all()
    assert logits[[220, MANY.eot]].isfinite().all()


@pytest.mark.parametrize(("options", "latest"), [({}, 7), ({"max_initial_timestamp": 0.5}, 25)])
def test_the_first_timestamp_is_as_late_as_declared_unless_it_is_chosen(
    tmp_path: Path, options: dict[str, float], latest: int
) -> None:
    recognizer = _load(tmp_path, max_initial_timestamp_index=7)
    rules = LogitFilters(recognizer.tokenizer, 51865, CPU)
    assert rules.latest_start == 7
    logits = rules.apply(torch.zeros(51865), [], first=True, times=True)
    begin = MANY.timestamp_begin
    assert logits.isfinite().nonzero().flatten().tolist() == list(range(begin, begin + 8))
    (sound,) = encode(recognizer.tails, [torch.from_numpy(log_mel(NOISE))])
    firsts = [
        search(
            recognizer.model,
            recognizer.search_output,
            recognizer.tokenizer,
            [SearchTask(sound, seed=seed)],
            SearchOptions(max_tokens=1, **options),
            temperature=100.0,
        )[0].tokens[0]
        - begin
        for seed in range(30)
    ]
    assert 0 <= min(firsts) < max(firsts) <= latest
    assert latest == 7 or max(firsts) > 7


def test_declared_languages_are_those_of_the_model(tmp_path: Path) -> None:
    codes = {"<|de|>": 50261, "<|gsw|>": 50300}
    recognizer = _load(tmp_path, lang_to_id=codes, is_multilingual=True)
    assert recognizer.tokenizer.languages == recognizer.info.languages == ("de", "gsw")
    assert detect_language(recognizer, NOISE).keys() == {"de", "gsw"}
    recognizer.warm_up()
    (live,) = recognizer.recognize([RecognitionRequest(mel=log_mel(NOISE))])
    assert live.language in {"de", "gsw"}
    start = recognizer.tokenizer.sot_sequence(language="gsw", task="transcribe")
    assert start == (50258, 50300, 50359)
    with pytest.raises(RecognitionError, match="choose one of de, gsw"):
        transcribe(recognizer, NOISE, TranscriptionOptions(language="en"))


def test_a_model_that_is_not_multilingual_is_told_no_language(tmp_path: Path) -> None:
    recognizer = _load(tmp_path, is_multilingual=False)
    assert not recognizer.info.multilingual
    assert recognizer.tokenizer.sot_sequence(language=None, task="transcribe") == (50258,)
    with pytest.raises(RecognitionError, match="supports English only"):
        detect_language(recognizer, NOISE)


def test_the_token_for_no_timestamps_tells_the_vocabulary(tmp_path: Path) -> None:
    dims = narrow("tiny")
    state = made_up(dims)
    name = "decoder.token_embedding.weight"
    state[name] = torch.cat((state[name], state[name][:7]))
    write_hugging_face(tmp_path, state, no_timestamps_token_id=50363)
    assert load_checkpoint(tmp_path).dims.n_vocab == 51865


@pytest.mark.parametrize(
    ("name", "declared", "said"),
    [
        ("tiny", {"suppress_tokens": [1, 51865]}, "'suppress_tokens' is .* from 0 to 51864"),
        ("tiny", {"suppress_tokens": "all"}, "'suppress_tokens' is 'all'; expected a list"),
        ("tiny", {"begin_suppress_tokens": [-1]}, r"'begin_suppress_tokens' is \[-1\]"),
        ("tiny", {"lang_to_id": {"en": 50259}}, "'lang_to_id' is .*languages such as"),
        ("tiny", {"lang_to_id": {"<|en|>": "1"}}, "'lang_to_id' is"),
        ("tiny", {"lang_to_id": {}}, "'lang_to_id' is"),
        ("tiny", {"is_multilingual": "yes"}, "'is_multilingual' is 'yes'; expected true or false"),
        ("tiny", {"max_initial_timestamp_index": -1}, "'max_initial_timestamp_index' is -1"),
        ("tiny", {"no_timestamps_token_id": True}, "'no_timestamps_token_id' is True"),
        ("tiny", {"no_timestamps_token_id": 50364}, "50364; the vocabulary of 51865 .* at 50363"),
        ("tiny.en", {"is_multilingual": True}, "51864 tokens only supports English"),
    ],
)
def test_what_cannot_be_of_this_model_is_refused(
    tmp_path: Path, name: str, declared: dict[str, Any], said: str
) -> None:
    with pytest.raises(CheckpointError, match=said):
        _load(tmp_path, name, **declared)


def test_older_folders_declare_it_in_their_config(tmp_path: Path) -> None:
    folder = _folder(tmp_path, suppress_tokens=[3])
    config = json.loads((folder / "config.json").read_text())
    config |= {"suppress_tokens": [1, 2], "suppress_ids_begin": [5], "max_length": 448}
    (folder / "config.json").write_text(json.dumps(config))
    generation = load_checkpoint(folder).generation
    assert generation == GenerationConfig(suppress=(3,), begin_suppress=(5,))


def test_a_converted_model_declares_what_it_was_declared(tmp_path: Path) -> None:
    declared = {
        "suppress_tokens": [1, 2],
        "begin_suppress_tokens": [3],
        "lang_to_id": {"<|en|>": 50259},
        "is_multilingual": True,
        "no_timestamps_token_id": 50363,
        "max_initial_timestamp_index": 9,
    }
    checkpoint = load_checkpoint(_folder(tmp_path / "one", **declared))
    write_huggingface(checkpoint, tmp_path / "two")
    assert load_checkpoint(tmp_path / "two").generation == checkpoint.generation
