from __future__ import annotations

import math

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lib import measure
from benchmarks.lib.measure import HeardWord, ScreenUpdate, SpokenWord

words = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12)


@given(words, words)
def test_an_alignment_uses_every_word_once_and_in_order(reference, heard):
    pairs = measure.align(reference, heard)
    assert [i for i, _ in pairs if i is not None] == list(range(len(reference)))
    assert [j for _, j in pairs if j is not None] == list(range(len(heard)))
    assert (None, None) not in pairs


@given(words.filter(bool), words)
def test_the_error_rate_is_that_of_jiwer(reference, heard):
    errors = measure.count_errors(reference, heard)
    assert errors.rate == pytest.approx(jiwer.wer(" ".join(reference), " ".join(heard)))
    assert errors.words == len(reference)


@given(words)
def test_a_text_against_itself_has_no_errors(text):
    assert measure.count_errors(text, text).total == 0


def test_errors_add_up_over_a_corpus_and_nothing_said_is_no_error():
    first = measure.count_errors(["a", "b"], ["a"])
    second = measure.count_errors(["c"], ["c", "d"])
    assert (first + second) == measure.Errors(0, 1, 1, 3)
    assert measure.count_errors([], []).rate == 0.0
    assert measure.count_errors([], ["a"]).rate == math.inf


def test_latency_counts_recognized_words_with_known_ends_alone():
    spoken = [SpokenWord("one", 1.0), SpokenWord("two", None), SpokenWord("three", 3.0)]
    spoken += [SpokenWord("four", 4.0)]
    heard = [HeardWord("one", 11.5), HeardWord("two", 12.5), HeardWord("tree", 13.5)]
    heard += [HeardWord("four", 15.0)]
    assert measure.latencies(spoken, heard, lambda audio: 10 + audio) == [0.5, 1.0]


def test_a_position_was_sent_with_the_chunk_that_holds_its_last_sample():
    ends, moments = [0.1, 0.2, 0.3], [1.1, 1.2, 1.3]
    assert measure.moment_sent(ends, moments, 0.05) == 1.1
    assert measure.moment_sent(ends, moments, 0.1) == 1.1
    assert measure.moment_sent(ends, moments, 0.11) == 1.2
    assert measure.moment_sent(ends, moments, 9.0) == 1.3


def test_a_mark_is_met_by_an_end_within_the_tolerance():
    assert measure.met([1.0, 5.0, 9.0], [1.5, 4.4, 1.2], 0.5) == 1
    assert measure.met([1.0], [], 0.5) == 0


@given(st.lists(st.floats(-100, 100), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_between_the_extremes_and_grows(values, share):
    value = measure.percentile(values, share)
    assert min(values) <= value <= max(values)
    assert measure.percentile(values, 0) == min(values)
    assert measure.percentile(values, 1) == max(values)


def test_percentiles_interpolate_and_nothing_has_none():
    assert measure.percentile([3, 1, 2], 0.5) == 2
    assert measure.percentile([0, 10], 0.9) == pytest.approx(9)
    assert math.isnan(measure.percentile([], 0.5))
    assert measure.percentiles([1.0])["p99"] == 1.0


@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(2, 20))
def test_the_slope_of_a_line_is_found(steepness, offset, count):
    points = [(float(x), steepness * x + offset) for x in range(count)]
    assert measure.slope(points) == pytest.approx(steepness, abs=1e-9)


def test_a_slope_needs_two_different_moments():
    assert measure.slope([]) == 0.0
    assert measure.slope([(1.0, 2.0), (1.0, 5.0)]) == 0.0


def test_a_word_is_displayed_since_it_last_took_its_place():
    screen = measure.watch_screen(
        [
            ScreenUpdate(1, ("the", "cap"), partial=True),
            ScreenUpdate(2, ("the", "cat", "sat"), partial=True),
            ScreenUpdate(3, ("the", "cat"), partial=False),
            ScreenUpdate(4, ("sat", "on"), partial=True),
            ScreenUpdate(5, ("sat", "up"), partial=False),
        ]
    )
    assert screen.since == (1, 2, 2, 5)
    assert (screen.shown, screen.unstable) == (5, 2)  # "cap" and "on" went
    assert screen.unstable_ratio == pytest.approx(0.4)


updates = st.lists(
    st.builds(
        ScreenUpdate,
        at=st.integers(0, 9).map(float),
        words=words.map(tuple),
        partial=st.booleans(),
    ),
    max_size=10,
)


@given(updates)
def test_every_committed_word_has_stood_since_some_update(updates):
    screen = measure.watch_screen(updates)
    committed = [word for update in updates if not update.partial for word in update.words]
    assert len(screen.since) == len(committed)
    assert 0 <= screen.unstable <= screen.shown
    assert set(screen.since) <= {update.at for update in updates}


@given(updates)
def test_a_screen_without_partials_shows_words_when_they_are_committed(updates):
    finals = [update for update in updates if not update.partial]
    screen = measure.watch_screen(finals)
    assert screen.since == tuple(update.at for update in finals for _ in update.words)
    assert screen.shown == 0
