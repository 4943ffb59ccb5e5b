"""The window: where it is cut, and what it remembers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.audio.mel import HOP, LogMel
from streamwhisper.recognition import HypothesisWord
from streamwhisper.session.window import SAMPLE_RATE, Window, WindowOptions, quietest_frame
from tests.support.examples import examples


def word(text: str, start: float, end: float) -> HypothesisWord:
    return HypothesisWord(f" {text}", (len(text), int(start * 10)), start, end, -0.1)


def noise_with_pauses(seconds: float, pauses: list[float]) -> LogMel:
    """Noise with 200 ms of near silence around each pause."""
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * SAMPLE_RATE))
    for pause in pauses:
        middle = int(pause * SAMPLE_RATE)
        samples[middle - 1600 : middle + 1600] *= 1e-3
    mel = LogMel(80, 4000)
    mel.append(samples.astype(np.float32))
    return mel


def test_the_quietest_frame_lies_in_the_pause() -> None:
    frame, _ = quietest_frame(noise_with_pauses(5, [2.5]), 100, 400)
    assert frame * HOP / SAMPLE_RATE == pytest.approx(2.5, abs=0.1)


def test_a_long_window_is_cut_in_a_pause_between_committed_words() -> None:
    window = Window(WindowOptions(trim_after=8, keep=3))
    sound = noise_with_pauses(10, [5.0])
    window.commit([word(f"w{i}", i, i + 1.0) for i in range(8)])
    assert window.trim(sound, 10 * SAMPLE_RATE)
    assert window.start / SAMPLE_RATE == pytest.approx(5.0, abs=0.11)
    assert [held.word.text for held in window.committed] == [" w5", " w6", " w7"]


def test_a_short_window_is_left_alone() -> None:
    window = Window(WindowOptions(trim_after=8))
    window.commit([word("one", 0, 1)])
    assert not window.trim(noise_with_pauses(5, []), 5 * SAMPLE_RATE)
    assert window.start == 0


def test_a_window_without_committed_words_is_not_cut() -> None:
    window = Window(WindowOptions(trim_after=8))
    assert not window.trim(noise_with_pauses(10, []), 10 * SAMPLE_RATE)


@settings(max_examples=examples(30))
@given(
    st.lists(st.floats(0.1, 1.5), min_size=1, max_size=12),
    st.integers(0, 40),
    st.floats(0.5, 6),
)
def test_a_cut_loses_no_token_and_keeps_the_order(
    lengths: list[float], prompt_tokens: int, keep: float
) -> None:
    options = WindowOptions(trim_after=1, keep=keep, prompt_tokens=prompt_tokens)
    window = Window(options)
    at, words = 0.0, []
    for length in lengths:
        words.append(word("x" * len(words), at, at + length))
        at += length
    every = tuple(token for item in words for token in item.tokens)
    window.commit(words)
    window.trim(noise_with_pauses(at + 1, []), int((at + 1) * SAMPLE_RATE))
    assert window.start % HOP == 0
    remembered = (*window.prompt, *window.prefix)
    assert remembered == every[len(every) - len(remembered) :]
    cut = len(every) - len(window.prefix)
    assert len(window.prompt) == min(cut, prompt_tokens)
    assert all(held.end >= window.start for held in window.committed)


def test_a_restart_moves_everything_to_the_prompt() -> None:
    window = Window(WindowOptions(prompt_tokens=8))
    window.commit([word("one", 0, 1)])
    tokens = window.prefix
    window.restart(32000)
    assert (window.prefix, window.prompt, window.start) == ((), tokens, 32000)


def test_words_are_placed_after_the_committed_ones() -> None:
    window = Window(WindowOptions())
    window.restart(SAMPLE_RATE)
    window.commit([word("one", 0, 1)])
    placed = window.place([word("two", 0.5, 1.5)])
    assert (placed[0].start, placed[0].end) == (2 * SAMPLE_RATE, int(2.5 * SAMPLE_RATE))


def test_words_that_are_heard_at_one_moment_share_the_time_around_them() -> None:
    window = Window(WindowOptions())
    placed = window.commit([word("a", 1.0, 1.0), word("b", 1.0, 1.4)], 2 * SAMPLE_RATE)
    assert [(held.start, held.end) for held in placed] == [(16000, 19200), (19200, 22400)]
    (late,) = window.commit([word("c", 2.5, 2.5)], 2 * SAMPLE_RATE)
    assert (late.start, late.end) == (2 * SAMPLE_RATE - 320, 2 * SAMPLE_RATE)


def reused(window: Window, lengths: list[int]) -> list[bool]:
    """Whether each request of a growing window continues from the answer before it."""
    found = []
    for length in lengths:
        found.append(window.reuse(window.start + length * SAMPLE_RATE // 100) is not None)
        window.past = object()
    return found


def test_a_short_window_is_always_computed_afresh() -> None:
    window = Window(WindowOptions(fresh_below=6, fresh_growth=2))
    assert not any(reused(window, [100, 101, 300, 599, 600]))


@given(st.lists(st.integers(601, 2800), min_size=1, max_size=60).map(sorted))
def test_a_longer_window_is_computed_afresh_each_time_it_has_grown_by_the_factor(
    lengths: list[int],
) -> None:
    window = Window(WindowOptions(fresh_below=6, fresh_growth=1.25))
    last, expected = 0, []
    for length in lengths:
        expected.append(length < last * 1.25)
        last = last if expected[-1] else length
    assert reused(window, lengths) == expected


def test_a_window_that_starts_elsewhere_is_computed_afresh() -> None:
    window = Window(WindowOptions(fresh_below=1))
    assert reused(window, [1000, 1001]) == [False, True]
    window.restart(5 * SAMPLE_RATE)
    assert reused(window, [1000]) == [False]
