"""The test doubles that embedders use: scripted words, failures, and their text."""

from __future__ import annotations

import pytest

from streamwhisper import RecognitionError, listen, read_audio
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import SessionOptions
from streamwhisper.testing import (
    FailingRecognizer,
    Script,
    ScriptedRecognizer,
    text_of,
    write_script,
)
from tests.support.paths import SAMPLE

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "it")
OPTIONS = SessionOptions(endpoint=EndpointOptions("fixed"))


@pytest.fixture(scope="module")
def samples():
    return read_audio(SAMPLE)[: 12 * 16000]


@pytest.mark.parametrize("size", [800, 1600, 50_000])
def test_every_word_is_recognized_once_however_the_audio_is_cut(samples, size):
    script = write_script(samples, WORDS)
    chunks = [samples[at : at + size] for at in range(0, len(samples), size)]
    assert text_of(listen(ScriptedRecognizer(script), chunks, OPTIONS)) == " ".join(WORDS)


def test_without_words_the_speech_is_filled_with_numbers(samples):
    script = write_script(samples)
    assert script.text.startswith("w0 w1 w2 ")
    assert len(script.pcm) == 2 * len(samples)
    assert text_of(listen(ScriptedRecognizer(script), [samples], OPTIONS)) == script.text


def test_words_need_room_and_starts(samples):
    with pytest.raises(ValueError, match="900 words, but the speech has room for"):
        write_script(samples, ["a"] * 900)
    with pytest.raises(ValueError, match="1 words with 2 starts"):
        Script(samples, (1.0, 2.0), ("a",))


def test_a_recognizer_that_fails_recovers(samples):
    recognizer = FailingRecognizer(ScriptedRecognizer(write_script(samples, WORDS)))
    with pytest.raises(RecognitionError, match="on purpose"):
        list(listen(recognizer, [samples], OPTIONS))
    assert text_of(listen(recognizer, [samples], OPTIONS)) == " ".join(WORDS)
