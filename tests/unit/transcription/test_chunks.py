"""Recordings cut at pauses: nothing that is spoken is left out, and nothing is too long."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.mel import HOP
from streamwhisper.transcription.chunks import cut_up
from streamwhisper.transcription.options import ChunkOptions
from streamwhisper.vad.spans import BLOCK, SpeechMap, map_speech
from tests.support.examples import examples
from tests.support.voice import sentence


@st.composite
def speech(draw: st.DrawFn) -> SpeechMap:
    """Runs of speech and of silence, from a block to a minute and a half."""
    runs = draw(st.lists(st.tuples(st.booleans(), st.integers(1, 2800)), max_size=8))
    every = [np.full(length, 0.9 if spoken else 0.05, np.float32) for spoken, length in runs]
    probabilities = np.concatenate([np.zeros(0, np.float32), *every])
    return SpeechMap(probabilities, len(probabilities) * BLOCK)


@settings(max_examples=examples(60))
@given(speech(), st.sampled_from([5.0, 12.0, 30.0]), st.sampled_from([0.0, 2.0]))
def test_chunks_hold_all_speech_in_order_and_are_never_too_long(heard, longest, overlap):
    options = ChunkOptions(longest=longest, overlap=overlap)
    chunks = cut_up(heard.samples, heard, [], options)
    for chunk in chunks:
        assert chunk.start % HOP == 0
        assert 0 <= chunk.start < chunk.end <= heard.samples
        assert chunk.seconds <= longest + HOP / SAMPLE_RATE
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start
        assert after.overlaps == (after.start <= before.end - HOP)
        if after.overlaps:
            assert before.end - after.start == pytest.approx(overlap * SAMPLE_RATE, abs=HOP)
    covered = np.zeros(heard.samples, bool)
    for chunk in chunks:
        covered[chunk.start : chunk.end] = True
    for span in heard.spans():
        assert covered[span.start : span.end].all()


@settings(max_examples=examples(60))
@given(speech())
def test_spans_hold_every_spoken_run_and_do_not_overlap(heard):
    spans = heard.spans()
    for before, after in itertools.pairwise(spans):
        assert before.end <= after.start
    left_out = heard.probabilities >= 0.5
    for span in spans:
        left_out[-(-span.start // BLOCK) : span.end // BLOCK] = False
    # A block of it by itself is too short to be speech.
    assert not (left_out[1:] & left_out[:-1]).any()


def test_long_speech_is_cut_in_its_clearest_pause():
    probabilities = np.full(2000, 0.95, np.float32)  # 64 s
    probabilities[800:806] = 0.1  # a pause of 0.19 s, too short to end a span, after 25.6 s
    heard = SpeechMap(probabilities, 2000 * BLOCK)
    first, second, third = cut_up(heard.samples, heard, [], ChunkOptions(longest=30))
    assert 800 * BLOCK <= first.end <= 806 * BLOCK
    assert abs(second.start - first.end) <= HOP
    assert not second.overlaps
    assert third.overlaps


def test_clips_are_never_joined_across_what_lies_between():
    heard = SpeechMap(np.full(1000, 0.95, np.float32), 1000 * BLOCK)  # 32 s
    chunks = cut_up(heard.samples, heard, [(1.0, 5.0), (6.0, None)], ChunkOptions(longest=30))
    assert [(chunk.start / SAMPLE_RATE, chunk.end / SAMPLE_RATE) for chunk in chunks] == [
        (1, 5),
        (6, 32),
    ]


def test_without_a_map_everything_is_heard_with_overlaps():
    chunks = cut_up(70 * SAMPLE_RATE, None, [], ChunkOptions(longest=30, overlap=4.0))
    assert [(c.start / SAMPLE_RATE, c.end / SAMPLE_RATE, c.overlaps) for c in chunks] == [
        (0, 30, False),
        (26, 56, True),
        (52, 70, True),
    ]


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_a_sentence_is_found_between_silences_even_where_it_is_quiet(gain):
    silence = np.zeros(3 * SAMPLE_RATE, np.float32)
    sound = np.concatenate([silence, sentence(1) * np.float32(gain), silence])
    chunks = cut_up(len(sound), map_speech(sound), [], ChunkOptions())
    assert chunks[0].start == pytest.approx(3 * SAMPLE_RATE, abs=SAMPLE_RATE // 2)
    assert chunks[-1].end == pytest.approx(len(sound) - 3 * SAMPLE_RATE, abs=SAMPLE_RATE)


def test_nobody_speaks_in_silence_or_hum():
    time = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    hum = (0.1 * np.sin(2 * np.pi * 50 * time)).astype(np.float32)
    for sound in (np.zeros(5 * SAMPLE_RATE, np.float32), hum, np.zeros(0, np.float32)):
        assert map_speech(sound).spans() == []
