"""A recording is judged in pieces, with the result of the whole."""

from __future__ import annotations

import tracemalloc

import numpy as np

from streamwhisper.audio.files import read_audio
from streamwhisper.vad import spans
from streamwhisper.vad.models import SileroVad
from streamwhisper.vad.spans import BLOCK, map_speech
from tests.support.paths import SAMPLE

SPEECH = read_audio(SAMPLE)


def test_pieces_are_judged_as_the_whole(monkeypatch):
    whole = map_speech(SPEECH)
    monkeypatch.setattr(spans, "_PIECE", 100 * BLOCK)
    np.testing.assert_allclose(map_speech(SPEECH).probabilities, whole.probabilities, atol=1e-5)


def test_the_detector_goes_on_where_it_stopped():
    blocks = SPEECH[: 60 * BLOCK]
    whole, pieces = SileroVad(), SileroVad()
    expected = whole.judge(blocks)
    found = [pieces.judge(blocks[:BLOCK]), pieces.judge(blocks[BLOCK:])]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)
    one_more = SPEECH[60 * BLOCK : 61 * BLOCK]
    assert abs(whole(one_more) - pieces(one_more)) < 1e-5


def test_memory_does_not_grow_with_the_recording(monkeypatch):
    monkeypatch.setattr(spans, "_PIECE", 100 * BLOCK)
    map_speech(SPEECH[: 100 * BLOCK])  # loads the weights
    peaks = []
    for seconds in (5, 20):
        tracemalloc.start()
        map_speech(SPEECH[: seconds * 16000])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_nothing_is_no_speech():
    assert map_speech(np.zeros(0, np.float32)).spans() == []
