"""Whole recordings: silence, several languages, noise, and times within the audio."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamwhisper import LocalOptions, detect_language, load_model, transcribe
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.files import read_audio
from tests.support.paths import SAMPLE

METHODS = ("chunked", "sequential")
GERMAN, FRENCH = "fleurs-cuttledoc/fleurs-de-003", "fleurs-cuttledoc/fleurs-fr-002"
ENGLISH = "misc-en/jfk"


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


@pytest.fixture(scope="module")
def base(base_path):
    return load_model(base_path, LocalOptions(threads=1))


@pytest.fixture(scope="module")
def three(speech):
    """English, German and French, with pauses of a second."""
    clips = [speech.load(speech.clip(id)) for id in (ENGLISH, GERMAN, FRENCH)]
    return np.concatenate([clips[0], silence(1), clips[1], silence(1), clips[2]])


@pytest.fixture(scope="module")
def late(speech):
    return np.concatenate([silence(40), speech.load(speech.clip(GERMAN))])


@pytest.mark.parametrize("method", METHODS)
def test_silence_before_the_speech_changes_neither_language_nor_times(base, late, method):
    transcript = transcribe(late[: 46 * SAMPLE_RATE], base, method=method, temperature=0)
    assert transcript.language == "de"
    assert 39.5 < transcript.segments[0].start < 41
    assert "Männer und Frauen" in transcript.text


def test_the_language_is_detected_from_speech_however_late_it_comes(base, late):
    assert next(iter(detect_language(late, base).items()))[1] > 0.9
    assert next(iter(detect_language(late, base))) == "de"


@pytest.mark.parametrize("method", METHODS)
def test_each_part_of_a_recording_is_written_in_its_own_language(base, three, method):
    transcript = transcribe(three, base, method=method, temperature=0)
    languages = [segment.language for segment in transcript.segments]
    assert list(dict.fromkeys(languages)) == ["en", "de", "fr"]
    assert languages == sorted(languages, key=["en", "de", "fr"].index)
    for words in ("my fellow Americans", "Männer und Frauen", "Il a ajouté"):
        assert words in transcript.text
    assert "\ufffd" not in transcript.text


def test_a_language_that_is_given_is_that_of_all_segments(base, three):
    transcript = transcribe(
        three[8 * SAMPLE_RATE : 17 * SAMPLE_RATE], base, language="en", temperature=0
    )
    assert {segment.language for segment in transcript.segments} == {"en"}


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_written_where_nobody_speaks(base, speech, method):
    noise = speech.load(speech.clip("noise/doing_the_dishes"))[: 10 * SAMPLE_RATE]
    for samples in (noise, silence(30)):
        transcript = transcribe(samples, base, method=method)
        assert (transcript.text, transcript.language, transcript.segments) == ("", "", ())


@pytest.mark.parametrize(
    ("method", "heard"), [(method, heard) for method in METHODS for heard in (True, False)]
)
def test_times_are_in_order_not_empty_and_within_the_recording(recognizer, method, heard):
    samples = read_audio(SAMPLE)[: round(4.87 * SAMPLE_RATE)]
    transcript = transcribe(
        samples, recognizer, method=method, vad=heard, word_timestamps=heard, temperature=0
    )
    assert transcript.segments
    timed = [word for segment in transcript.segments for word in segment.words or ()]
    spans = [(segment.start, segment.end) for segment in transcript.segments]
    for times in (spans, [(word.start, word.end) for word in timed]):
        assert all(0 <= start < end <= transcript.duration for start, end in times)
        assert all(before[1] <= after[0] for before, after in pairwise(times))


def test_french_words_with_an_apostrophe_are_whole(base, speech):
    samples = speech.load(speech.clip(FRENCH))
    transcript = transcribe(samples, base, language="fr", word_timestamps=True, temperature=0)
    words = [word.word for segment in transcript.segments for word in segment.words or ()]
    assert {" qu'on", " d'assumer", " n'est"} <= {word.replace("’", "'") for word in words}


def test_a_clip_after_the_end_is_warned_of(recognizer):
    with pytest.warns(UserWarning, match="clip from 500 s: the recording ends at"):
        assert transcribe(SAMPLE, recognizer, clips=[(500, 510)]).text == ""
    with pytest.raises(ValueError, match="each before its end"):
        transcribe(SAMPLE, recognizer, clips=[(float("nan"), None)])
