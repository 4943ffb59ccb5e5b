"""Steps in fixed slots write what the decoder itself writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from streamwhisper.audio.files import read_audio
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.transcribe import transcribe
from streamwhisper.whisper.alignment import CONTEXT_ROWS
from streamwhisper.whisper.search import SearchOptions
from streamwhisper.whisper.static_decoder import StaticDecoder
from tests.support.paths import SAMPLE

COMPILED = """
import json, sys
import numpy as np
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest

options = LocalOptions(dtype="float32", threads=1, compile=True)
recognizer = LocalRecognizer.load(sys.argv[1], options)
assert recognizer.model.stepping.compiled
mels = np.load(sys.argv[2]).values()
answers = recognizer.recognize([RecognitionRequest(mel=mel, language="en") for mel in mels])
print(json.dumps([answer.tokens for answer in answers]))
"""


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return read_audio(SAMPLE)


@pytest.fixture(scope="module")
def requests(sound: np.ndarray) -> list[RecognitionRequest]:
    """Windows of 5, 2 and 3 s, whose texts end at different steps."""
    windows = [sound[:80000], sound[64000:96000], sound[176000:224000]]
    return [RecognitionRequest(mel=log_mel(window), language="en") for window in windows]


@pytest.fixture(scope="module")
def plain(recognizer: LocalRecognizer, requests: list[RecognitionRequest]) -> list[Hypothesis]:
    """What the decoder itself answers."""
    assert recognizer.model.stepping is None
    return recognizer.recognize(requests)


@pytest.fixture
def static(recognizer: LocalRecognizer) -> Iterator[LocalRecognizer]:
    recognizer.model.stepping = StaticDecoder(recognizer.model)
    yield recognizer
    recognizer.model.stepping = None


def _assert_same(found: list[Hypothesis], expected: list[Hypothesis]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        assert [w.start for w in one.words] == [w.start for w in other.words]
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)


def test_a_batch_is_answered_as_by_the_decoder(
    static: LocalRecognizer, requests: list[RecognitionRequest], plain: list[Hypothesis]
) -> None:
    assert len({len(answer.tokens) for answer in plain}) > 1
    _assert_same(static.recognize(requests), plain)


def test_words_behind_prefixes_of_any_length_begin_where_the_decoder_says(
    recognizer: LocalRecognizer, requests: list[RecognitionRequest], plain: list[Hypothesis]
) -> None:
    behind = [
        replace(
            request,
            prefix=tuple(token for word in answer.words[:count] for token in word.tokens),
            prefix_end=answer.words[count - 1].end if count else 0.0,
        )
        for request, answer, count in zip(requests, plain, (9, 0, 2), strict=True)
    ]
    assert len(behind[0].prefix) > CONTEXT_ROWS  # so that some attention is not asked for
    expected = recognizer.recognize(behind)
    recognizer.model.stepping = StaticDecoder(recognizer.model)
    try:
        _assert_same(recognizer.recognize(behind), expected)
    finally:
        recognizer.model.stepping = None


def test_what_an_answer_leaves_serves_the_next_one(
    static: LocalRecognizer, requests: list[RecognitionRequest], plain: list[Hypothesis]
) -> None:
    first = static.recognize(requests)
    static.recognize(requests[::-1])  # in the same slots
    words = first[0].words[:3]
    behind = replace(
        requests[0],
        prefix=tuple(token for word in words for token in word.tokens),
        prefix_end=words[-1].end,
        past=first[0].past,
    )
    (second,) = static.recognize([behind])
    assert [w.text for w in second.words] == [w.text for w in plain[0].words[3:]]


def test_threads_take_turns(
    static: LocalRecognizer, requests: list[RecognitionRequest], plain: list[Hypothesis]
) -> None:
    with ThreadPoolExecutor(3) as executor:
        found = list(executor.map(lambda n: static.recognize(requests[n : n + 1]), range(3)))
    _assert_same([answer for (answer,) in found], plain)


def test_a_batch_that_holds_no_numbers_harms_no_later_one(
    static: LocalRecognizer, requests: list[RecognitionRequest], plain: list[Hypothesis]
) -> None:
    model = static.model
    nothing = torch.full((1, 6, 500, 64), torch.nan)
    cache = model.decoder_cache([(nothing, nothing)] * 4, 500)
    with torch.inference_mode(), model.steps([cache] * 1) as step:
        hidden, _ = step([[1]], [cache])
    assert hidden[0].isnan().all()
    _assert_same(static.recognize(requests[:1]), plain[:1])


def test_a_larger_batch_than_before_takes_the_place_of_the_smaller(
    static: LocalRecognizer, requests: list[RecognitionRequest], plain: list[Hypothesis]
) -> None:
    for count in (1, 3, 2, 1):
        _assert_same(static.recognize(requests[:count]), plain[:count])


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler")
def test_compiled_steps_write_the_same_tokens(
    tiny_en_path: Path, requests: list[RecognitionRequest], plain: list[Hypothesis], tmp_path: Path
) -> None:
    # In a process of its own, as it is used: torch's compiler minds what was imported before it.
    sounds = tmp_path / "mels.npz"
    np.savez(sounds, *(request.mel for request in requests))
    ended = subprocess.run(
        [sys.executable, "-c", COMPILED, str(tiny_en_path), str(sounds)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ended.stdout) == [list(answer.tokens) for answer in plain]


@pytest.mark.parametrize("beam_size", [None, 2])
def test_a_recording_is_transcribed_as_by_the_decoder(
    static: LocalRecognizer, sound: np.ndarray, beam_size: int | None
) -> None:
    options = TranscriptionOptions(search=SearchOptions(beam_size=beam_size))
    found = transcribe(static, sound[:96000], options)
    static.model.stepping = None
    expected = transcribe(static, sound[:96000], options)
    assert [(s.start, s.end, s.tokens) for s in found.segments] == [
        (s.start, s.end, s.tokens) for s in expected.segments
    ]
