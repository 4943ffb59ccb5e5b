"""Sequential transcription, segment by segment beside openai-whisper's."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lib.offline import load_reference
from benchmarks.lib.speech import load
from streamwhisper import transcribe, transcribe_all
from streamwhisper.transcription.options import (
    ChunkOptions,
    PromptOptions,
    TranscriptionOptions,
    WordOptions,
)
from streamwhisper.whisper.fallback import FallbackOptions

GREEDY = FallbackOptions(temperatures=(0.0,))
EVERYTHING = ChunkOptions(vad=False)
"""Silence is heard as well, as the reference does."""


@pytest.fixture(scope="module")
def sound(speech):
    """Connected speech, a minute with the noise in it that nobody speaks in."""
    spoken = load(speech.folder, "longform/61-70968", 0.3, 46).samples
    noise = np.random.default_rng(0).normal(0, 0.003, 16 * 16000).astype(np.float32)
    return np.concatenate([spoken[: 36 * 16000], noise, spoken[36 * 16000 :]])


def assert_same(mine, theirs):
    assert mine.text == theirs["text"]
    expected = [segment for segment in theirs["segments"] if segment["text"]]
    assert len(mine.segments) == len(expected)
    for own, their in zip(mine.segments, expected, strict=True):
        assert (own.seek, own.text) == (their["seek"], their["text"])
        assert list(own.tokens) == their["tokens"]
        others = their.get("words") or []
        # Theirs may end after the recording; their words may have no length.
        apart = 0.2 if any(other["start"] == other["end"] for other in others) else 1e-6
        end = min(their["end"], mine.duration)
        assert (own.start, own.end) == pytest.approx((their["start"], end))
        assert own.log_probability == pytest.approx(their["avg_logprob"], abs=1e-3)
        assert own.no_speech_probability == pytest.approx(their["no_speech_prob"], abs=1e-3)
        assert own.compression_ratio == pytest.approx(their["compression_ratio"])
        for word, other in zip(own.words or (), others, strict=True):
            assert word.word == other["word"]
            assert (word.start, word.end) == pytest.approx(
                (other["start"], other["end"]), abs=apart
            )
            assert word.start < word.end
            assert word.probability == pytest.approx(other["probability"], abs=1e-3)


def test_segments_are_those_of_the_reference(recognizer, sound):
    done: list[float] = []
    options = TranscriptionOptions(method="sequential", fallback=GREEDY, chunks=EVERYTHING)
    mine = transcribe(recognizer, sound, options, progress=done.append)
    assert sum(done) == pytest.approx(len(sound) / 16000, abs=0.01)
    theirs = load_reference("tiny.en").transcribe(sound, temperature=0.0, fp16=False)
    assert_same(mine, theirs)


def test_words_clips_prompts_and_skipped_silence_are_those_of_the_reference(recognizer, sound):
    options = TranscriptionOptions(
        method="sequential",
        clips=((1.0, 24.0), (30.0, 60.0)),
        prompts=PromptOptions(initial="A tale of the wizard.", carry_initial=True),
        words=WordOptions(hallucination_silence_threshold=0.5),
        fallback=GREEDY,
        chunks=EVERYTHING,
    )
    mine = transcribe(recognizer, sound, options)
    theirs = load_reference("tiny.en").transcribe(
        sound,
        temperature=0.0,
        fp16=False,
        clip_timestamps=[1.0, 24.0, 30.0, 60.0],
        initial_prompt="A tale of the wizard.",
        carry_initial_prompt=True,
        word_timestamps=True,
        hallucination_silence_threshold=0.5,
    )
    assert_same(mine, theirs)
    assert all(word.end <= 60.5 for segment in mine.segments for word in segment.words)


def test_several_recordings_are_heard_as_each_is_alone_and_come_in_order(recognizer, sound):
    """Six, so that some begin when others have ended; one has hardly any audio."""
    spoken = [sound[: round(seconds * 16000)] for seconds in (33, 4, 0.01, 9, 2, 6)]
    done: list[float] = []
    options = TranscriptionOptions(method="sequential", fallback=GREEDY)
    together = list(transcribe_all(recognizer, spoken, options, progress=done.append))
    alone = [transcribe(recognizer, samples, options) for samples in spoken]
    for one, other in zip(together, alone, strict=True):
        assert (one.text, one.duration) == (other.text, other.duration)
        assert [(s.id, s.start, s.end, s.tokens) for s in one.segments] == [
            (s.id, s.start, s.end, s.tokens) for s in other.segments
        ]
    assert together[0].text
    assert sum(done) == pytest.approx(54.01, abs=0.02)
