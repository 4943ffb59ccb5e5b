"""A transcript in parts: together they are the whole, and each comes before the next is heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamwhisper import transcribe
from streamwhisper.audio.files import read_audio
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.options import (
    ChunkOptions,
    PromptOptions,
    TranscriptionOptions,
    WordOptions,
)
from streamwhisper.transcription.parts import joined, transcribe_parts
from tests.support.paths import SAMPLE

SMALL = ChunkOptions(batch_size=1, longest=6.0, longest_pause=0.0)
TIMED = TranscriptionOptions(words=WordOptions(), chunks=SMALL)


def nothing() -> None:
    pass


def spelt(transcript: Transcript) -> list[object]:
    """All of it but for figures whose last digits depend on who is in the same batch."""
    segments = [
        (s.id, s.start, s.end, s.text, s.tokens, [(w.word, w.start, w.end) for w in s.words or ()])
        for s in transcript.segments
    ]
    return [transcript.text, transcript.language, transcript.duration, segments]


@pytest.fixture(scope="module")
def sample():
    return read_audio(SAMPLE)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("vad", [True, False])  # False: chunks overlap
def test_the_parts_together_are_the_transcript_word_by_word(recognizer, sample, vad, batch):
    options = replace(TIMED, chunks=replace(SMALL, vad=vad, batch_size=batch))
    whole = transcribe(recognizer, sample, options)
    parts = list(transcribe_parts(recognizer, sample, options, pause=nothing))
    assert (len(parts) > 1) == vad
    assert spelt(joined(parts)) == spelt(whole)


def test_each_part_comes_before_the_next_is_heard(recognizer, sample):
    pauses: list[int] = []
    parts = transcribe_parts(recognizer, sample, TIMED, pause=lambda: pauses.append(1))
    next(parts)
    before = len(pauses)
    next(parts)
    assert len(pauses) == before + 1


def test_a_pause_that_raises_ends_it(recognizer, sample):
    left = False

    def pause() -> None:
        if left:
            raise InterruptedError

    parts = transcribe_parts(recognizer, sample, TIMED, pause=pause)
    next(parts)
    left = True
    with pytest.raises(InterruptedError):
        next(parts)


def test_silence_is_one_part_without_text(recognizer):
    silence = np.zeros(32000, np.float32)
    [part] = transcribe_parts(recognizer, silence, TIMED, pause=nothing)
    assert (part.text, part.segments, part.duration) == ("", (), 2.0)


def test_a_name_that_is_listed_is_preferred(recognizer, speech):
    sound = speech.load(speech.clip("librispeech/61-70968-0036"))
    plain = TranscriptionOptions(chunks=ChunkOptions(batch_size=1))
    named = replace(plain, prompts=PromptOptions(vocabulary=("Montfichet",)))
    heard = [transcribe(recognizer, sound, options).text for options in (plain, named)]
    assert "Montfichet" not in heard[0]
    assert "Montfichet" in heard[1]
