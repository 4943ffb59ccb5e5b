"""The attribution of the streaming benchmark, on a run made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.streaming import figures
from benchmarks.lib.live_run import Run
from benchmarks.lib.measure import SpokenWord
from benchmarks.lib.speech import Recording
from streamwhisper.events import Committed, Done, Partial
from streamwhisper.protocol import Status


@pytest.fixture
def run() -> Run:
    """Two utterances of 1 s each, sent from moment 100 in chunks of 0.5 s."""
    words = tuple(SpokenWord(text, end) for text, end in [("red", 0.4), ("kite", 0.9)])
    words += (SpokenWord("blue", 1.4), SpokenWord("sea", None))
    silence = np.zeros(32000, dtype=np.float32)
    run = Run(Recording("made", silence, "RED KITE BLUE SEA", words))
    run.chunk_ends = [0.5, 1.0, 1.5, 2.0]
    run.moments = [100.5, 101.0, 101.5, 102.0]
    run.end_sent, run.cpu_seconds = 102.0, 0.5

    def committed(text: str, utterance: int, *, final: bool = False) -> Committed:
        return Committed(text, 0.0, 0.0, (), "en", utterance, final)

    run.arrivals = [
        (100.7, Partial("Red cut", 0.0, 0.0)),
        (101.0, Status(lag_ms=250, real_time_factor=0.5, audio_seconds=1.0)),
        (101.2, Partial("Red kite", 0.0, 0.0)),
        (101.4, committed("Red kite.", 0)),
        (101.6, committed("", 0, final=True)),
        (102.2, committed(" Blue see.", 1, final=True)),
        (102.5, Done(2.0, 2.0)),
    ]
    return run


def test_each_figure_is_attributed_to_the_words_it_belongs_to(run):
    found = figures([run])
    assert found["words"] == 4
    assert found["wer"] == 25.0  # "see" for "sea"
    # red 101.4 − 100.5, kite 101.4 − 101.0, blue 102.2 − 101.5
    assert found["commit_latency"]["p50"] == pytest.approx(0.7)
    assert found["timed_words"] == 3
    # red 100.7 − 100.5, kite 101.2 − 101.0, blue when it was committed
    assert found["display_latency"]["p50"] == pytest.approx(0.2)
    # "cut" was withdrawn, of red, cut and kite
    assert found["unstable_partial_words"] == pytest.approx(33.33)
    assert found["lag_max"] == 0.25
    assert found["end_to_done"] == 0.5
    assert found["cpu_per_audio_second"] == 0.25


def test_the_final_latency_needs_a_last_word_that_was_recognized(run):
    assert run.final_latencies() == [pytest.approx(101.6 - 101.0)]
