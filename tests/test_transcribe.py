from __future__ import annotations

import numpy as np
import pytest

from streamwhisper.events import Committed, Done
from streamwhisper.transcribe import STEP, listen, transcribe


@pytest.fixture(scope="module")
def clip(speech):
    return speech.load(speech.clip("librispeech/61-70968-0000"))


def test_a_recording_is_transcribed_with_word_times_that_lie_within_it(recognizer, clip):
    transcript = transcribe(recognizer, clip)
    assert transcript.text.startswith("He began a confused complaint")
    assert transcript.language == "en"
    assert transcript.audio_seconds == pytest.approx(len(clip) / 16000)
    assert 0 < transcript.speech_seconds <= transcript.audio_seconds
    starts = [word.start for word in transcript.words]
    assert starts == sorted(starts)
    assert transcript.words[-1].end <= transcript.audio_seconds
    assert " ".join(word.word for word in transcript.words) == transcript.text


def test_a_recording_may_be_handed_over_in_chunks(recognizer, clip):
    sound = np.concatenate([clip, clip])
    chunks = [sound[:STEP], sound[STEP:]]
    assert all(map(len, chunks))
    assert transcribe(recognizer, iter(chunks)) == transcribe(recognizer, sound)


def test_progress_counts_every_second_of_the_sound(recognizer):
    taken: list[float] = []
    transcribe(recognizer, np.zeros(20 * 16000, dtype=np.float32), progress=taken.append)
    assert taken == [8.0, 16.0, 20.0]


@pytest.mark.parametrize("seconds", [0, 3])
def test_a_recording_without_speech_has_an_empty_transcript(recognizer, seconds):
    transcript = transcribe(recognizer, np.zeros(seconds * 16000, dtype=np.float32))
    assert (transcript.text, transcript.words, transcript.language) == ("", (), None)
    assert transcript.audio_seconds == seconds


def test_utterances_are_lines(recognizer, clip):
    silence = np.zeros(3 * 16000, dtype=np.float32)
    transcript = transcribe(recognizer, np.concatenate([clip, silence, clip]))
    first, second = transcript.text.splitlines()
    assert first.split()[:4] == second.split()[:4] == ["He", "began", "a", "confused"]


def test_listening_yields_committed_text_while_sound_is_still_coming(recognizer, clip):
    pieces = np.array_split(clip, 10)
    given: list[int] = []
    seen: list[tuple[int, object]] = []

    def chunks():
        for number, piece in enumerate(pieces):
            given.append(number)
            yield piece

    for event in listen(recognizer, chunks()):
        seen.append((len(given), event))
    assert isinstance(seen[-1][1], Done)
    assert next(n for n, event in seen if isinstance(event, Committed)) < len(pieces)
