"""What final latency and idle cost are counted from, on runs made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.finals import answer, cut, endpoint_figures, endpoints, flush_figures, table
from benchmarks.latency.idle import ENCODER_CALLS, Idle, figures, lasting, sample
from benchmarks.lib.live_run import Run
from benchmarks.lib.measure import SpokenWord
from benchmarks.lib.speech import SAMPLE_RATE, Recording
from streamwhisper.events import Committed, Done, Flushed, SpeechEnded, SpeechStarted
from streamwhisper.server.metrics import Metrics


def committed(text: str, utterance: int, *, final: bool = False) -> Committed:
    return Committed(text, 0.0, 0.0, (), "en", utterance, final)


def recording(seconds: float, *words: tuple[str, float | None]) -> Recording:
    samples = np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)
    text = " ".join(word for word, _ in words)
    return Recording("made", samples, text, tuple(SpokenWord(*word) for word in words))


def sent_in_time(heard: Recording, *arrivals: tuple[float, object]) -> Run:
    """A run sent from moment 100 in chunks of 0.1 s; arrivals are seconds after that."""
    run = Run(heard)
    run.chunk_ends = [0.1 * (n + 1) for n in range(round(heard.seconds * 10))]
    run.moments = [100 + end for end in run.chunk_ends]
    run.end_sent = run.moments[-1]
    run.arrivals = [(100 + at, event) for at, event in arrivals]
    return run


def test_an_endpoint_is_counted_from_the_sound_that_decided_it():
    # What was heard up to 1.568 s was sent at 1.6 s.
    run = sent_in_time(
        recording(4.0, ("red", 0.4), ("kite", 0.85), ("blue", None)),
        (0.3, SpeechStarted(0.0)),
        (1.0, committed("Red", 0)),
        (1.61, SpeechEnded(1.36, 1.568)),
        (1.65, committed(" kite.", 0, final=True)),
        (3.30, SpeechEnded(3.056, 3.264)),
        (3.45, committed(" Blue.", 1, final=True)),
        (4.0, SpeechEnded(4.0, 4.0)),  # for the sound ends
        (4.2, committed("", 2, final=True)),
        (4.2, Done(4.0, 3.0)),
    )
    first, second = endpoints(run)
    assert first.decided == pytest.approx(1.568)
    assert first.told == pytest.approx(0.01)
    assert first.final == pytest.approx(0.05)
    assert first.silence == pytest.approx(1.568 - 0.85)
    assert first.whole == pytest.approx(1.65 - 0.9)
    assert second.final == pytest.approx(3.45 - 3.3)
    assert second.silence is None
    assert second.whole is None
    found = endpoint_figures([first, second])
    assert found["utterances"] == 2
    assert found["decision_to_final"]["p50"] == pytest.approx(0.1)
    assert found["speech_to_final"]["p95"] == pytest.approx(0.75)


def test_words_after_the_answer_to_a_flush_are_late():
    heard = recording(1.0, ("red", 0.4), ("kite", 0.9))
    in_time = answer(
        sent_in_time(
            heard,
            (0.8, committed("Red", 0)),
            (1.2, committed(" kite.", 0, final=True)),
            (1.2, Flushed(None)),
            (1.3, Done(1.0, 1.0)),
        )
    )
    assert in_time.seconds == pytest.approx(0.2)
    assert in_time.late == 0
    assert in_time.errors.total == 0
    late = answer(
        sent_in_time(heard, (1.1, Flushed(None)), (1.4, committed("Red kite.", 0, final=True)))
    )
    assert late.seconds == pytest.approx(0.1)
    assert late.late == 2
    assert late.errors.deletions == 2
    found = flush_figures([in_time, late])
    assert found["clips"] == 2
    assert found["not_fully_committed"] == 1
    assert found["wer"] == 50.0


def test_a_clip_is_cut_after_its_last_word_and_never_made_longer():
    clip = recording(2.0, ("red", 0.5), ("kite", 1.2))
    assert cut(clip, 0.1).seconds == pytest.approx(1.3)
    assert cut(clip, 5.0).seconds == 2.0
    assert cut(recording(2.0, ("red", None)), 0.1).seconds == 2.0


def test_the_table_has_both_percentiles_of_every_figure():
    endpoint = endpoint_figures([])
    flushes = {"whole clips": flush_figures([])}
    lines = table(endpoint, flushes).splitlines()
    assert lines[0] == "| | p50 | p95 | |"
    assert [line.count("|") for line in lines] == [5] * len(lines)
    assert "flush sent → flushed, whole clips" in lines[-1]


def test_encoder_calls_are_the_requests_in_all_batches():
    metrics = Metrics()
    assert sample(metrics.render().decode(), ENCODER_CALLS) == 0
    metrics.record_batch(1, 0.1)
    metrics.record_batch(3, 0.2)
    assert sample(metrics.render().decode(), ENCODER_CALLS) == 4
    assert sample(metrics.render().decode(), "no_such_metric") == 0


def test_a_session_is_idle_within_both_bars():
    row = Idle("hush", seconds=30.0, encoder_calls=0, cpu_seconds=0.3)
    assert row.percent == pytest.approx(1.0)
    assert row.met
    assert not Idle("hush", 30.0, 1, 0.3).met
    assert not Idle("hush", 30.0, 0, 0.9).met
    assert figures(row)["cpu_percent"] == 1.0


def test_sound_is_repeated_and_cut_to_the_time_that_was_asked_for():
    once = Recording("noise", np.arange(16000, dtype=np.float32), "said", ())
    long = lasting(once, 2.5)
    assert long.seconds == 2.5
    assert np.array_equal(long.samples[16000:32000], once.samples)
    assert lasting(once, 0.5).seconds == 0.5
    assert long.text == ""
