"""The listener: the same gate and mel however sound is cut, and nothing lost where it waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamwhisper.audio.mel import HOP, N_FFT
from streamwhisper.session.listener import (
    INBOX_SECONDS,
    PRE_ROLL_SLACK,
    QUANTUM,
    SLACK_SECONDS,
    AudioListener,
)
from streamwhisper.vad.gate import GateOptions, SpeechEnd, SpeechStart, VadGate
from tests.support.examples import examples
from tests.support.voice import sentence

Samples = NDArray[np.float32]
RATE = 16000


def new_listener(window_seconds: float = 4) -> AudioListener:
    return AudioListener(80, GateOptions(), window_seconds)


def noise(count: int) -> Samples:
    """Too soft to be speech, and no two samples alike."""
    return (np.random.default_rng(0).standard_normal(count) * 1e-4).astype(np.float32)


def take_all(
    listener: AudioListener, boundary: int | None = None, needed_from: int | None = None
) -> list[SpeechStart | SpeechEnd]:
    """Take steps until none can be taken."""
    found = []
    while (changes := listener.take(boundary, needed_from)) is not None:
        found += changes
    return found


@pytest.fixture(scope="module")
def talk() -> Samples:
    """Silence and two utterances, nine seconds in all; not a whole number of steps."""
    parts = [sentence(1)[: 2 * RATE], sentence(2)[: 2 * RATE]]
    pause = np.zeros(RATE + RATE // 2, np.float32)
    return np.concatenate([pause, parts[0], pause, parts[1], pause, pause[:123]])


@pytest.fixture(scope="module")
def heard(talk: Samples) -> tuple[list[SpeechStart | SpeechEnd], NDArray[np.float32]]:
    """What the gate decides on the whole, and the mel frames of the whole."""
    gate = VadGate(GateOptions())
    listener = new_listener()
    listener.mel.append(talk)
    return gate.append(talk) + gate.finish(), listener.mel.window(0)


@settings(max_examples=examples(12))
@given(data=st.data())
def test_any_chunking_gives_the_same_gate_changes_and_the_same_frames(
    talk: Samples, heard: tuple[list[SpeechStart | SpeechEnd], NDArray[np.float32]], data: Any
) -> None:
    """Taken as it comes or later, with steps that end anywhere, frames asked for on the way."""
    positions = st.integers(0, len(talk))
    cuts = sorted(data.draw(st.lists(positions, max_size=30), label="cuts"))
    boundaries = data.draw(st.sets(positions, max_size=8), label="boundaries")
    listener, changes = new_listener(), []
    for piece in np.split(talk, cuts):
        listener.store(piece)
        if data.draw(st.booleans(), label="take"):
            for boundary in sorted(boundaries):
                if listener.taken < boundary <= listener.received:
                    changes += take_all(listener, boundary)
            changes += take_all(listener)
        if data.draw(st.booleans(), label="ask"):
            listener.mel.window(0)
    listener.end()
    changes += take_all(listener)
    expected_changes, expected_frames = heard
    assert changes == expected_changes
    assert [type(change) for change in changes] == [SpeechStart, SpeechEnd] * 2
    np.testing.assert_allclose(listener.mel.window(0), expected_frames, atol=1e-4)
    assert listener.finished


@settings(max_examples=examples(60))
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=8),
    boundaries=st.sets(st.integers(1, 12000), max_size=6),
    ends=st.booleans(),
)
def test_a_step_ends_on_the_grid_or_exactly_at_a_boundary(
    sizes: list[int], boundaries: set[int], ends: bool
) -> None:
    """And only at the end of all sound anywhere else; every boundary that came is met."""
    listener = new_listener()
    sound = noise(sum(sizes))
    for piece in np.split(sound, np.cumsum(sizes)):
        listener.store(piece)
    assert listener.received == len(sound)
    if ends:
        listener.end()
    waiting = sorted(boundary for boundary in boundaries if boundary <= len(sound))
    stops = [0]
    while (
        listener.take(next((at for at in waiting if at > listener.taken), None), None) is not None
    ):
        assert listener.taken > stops[-1] or listener.finished
        stops.append(listener.taken)
    on_grid = set(range(0, len(sound) + 1, QUANTUM))
    at_the_end = {len(sound)} if ends else set()
    assert set(stops) == on_grid | set(waiting) | at_the_end
    assert listener.mel.sound.end == listener.taken
    assert np.array_equal(listener.mel.sound.read(0, listener.taken), sound[: listener.taken])


def test_a_part_of_a_step_waits_until_a_boundary_or_the_end_asks_for_it() -> None:
    listener = new_listener()
    listener.store(noise(QUANTUM - 1))
    assert listener.take(None, None) is None
    assert listener.take(0, None) is None
    assert listener.take(100, None) == []
    assert listener.taken == 100
    assert listener.take(100, None) is None
    listener.end()
    assert listener.take(None, None) == []
    assert listener.taken == QUANTUM - 1


@settings(max_examples=examples(15))
@given(data=st.data())
def test_sound_that_finds_no_room_waits_and_is_not_lost(data: st.DataObject) -> None:
    """What is needed stays readable all along; all the rest comes once the need moves on."""
    window = data.draw(st.floats(1, 4), label="window")
    listener = new_listener(window)
    capacity = listener.mel.sound.capacity - N_FFT  # the frames of the last samples need more
    assert capacity >= (window + SLACK_SECONDS) * RATE - HOP
    sound = noise(capacity + data.draw(st.integers(QUANTUM + HOP, 4 * RATE), label="too much"))
    start = 0
    for size in data.draw(st.lists(st.integers(1, RATE), min_size=1, max_size=40), label="sizes"):
        listener.store(sound[start : start + size])
        start = min(start + size, len(sound))
        take_all(listener, needed_from=0)
    listener.store(sound[start:])
    take_all(listener, needed_from=0)
    assert listener.take(None, 0) is None
    assert capacity - QUANTUM < listener.taken <= capacity
    assert np.array_equal(listener.mel.sound.read(0, listener.taken), sound[: listener.taken])
    needed = 0
    listener.end()
    while not listener.finished:
        needed = min(needed + data.draw(st.integers(1, 4 * RATE), label="on"), listener.taken)
        take_all(listener, needed_from=needed)
        held = listener.mel.sound.read(needed, listener.taken)
        assert np.array_equal(held, sound[needed : listener.taken])
    assert listener.taken == len(sound)


def test_without_room_not_even_a_boundary_or_the_end_is_taken() -> None:
    listener = new_listener(1)
    listener.store(noise(listener.mel.sound.capacity + QUANTUM))
    take_all(listener, needed_from=0)
    taken = listener.taken
    listener.end()
    assert listener.take(listener.received, 0) is None
    assert listener.taken == taken
    assert not listener.finished


def test_in_silence_sound_goes_on_and_the_last_seconds_of_it_are_held() -> None:
    """Nobody asks for it, and whoever speaks next has a pre-roll."""
    listener = new_listener(1)
    sound = noise(3 * listener.mel.sound.capacity // QUANTUM * QUANTUM)
    listener.store(sound)
    take_all(listener)
    assert listener.taken == len(sound)
    kept = listener.mel.sound.read(listener.taken - PRE_ROLL_SLACK, listener.taken)
    assert np.array_equal(kept, sound[-PRE_ROLL_SLACK:])


@settings(max_examples=examples(40))
@given(sizes=st.lists(st.integers(0, 2000), max_size=6), taken_first=st.booleans())
def test_it_is_finished_only_after_the_end_with_all_taken(
    sizes: Sequence[int], taken_first: bool
) -> None:
    listener = new_listener()
    for size in sizes:
        listener.store(noise(size))
        if taken_first:
            take_all(listener)
        assert not listener.finished
    assert not listener.ended
    listener.end()
    assert listener.ended
    assert not listener.finished
    while listener.taken < listener.received:
        assert listener.take(None, None) is not None
        assert not listener.finished
    assert listener.take(None, None) == []
    assert listener.finished
    assert listener.take(None, None) is None


def test_speech_that_the_end_cuts_off_is_ended_by_the_last_step(talk: Samples) -> None:
    listener = new_listener()
    cut = talk[: 3 * RATE]
    listener.store(cut)
    listener.end()
    changes = take_all(listener)
    assert [type(change) for change in changes] == [SpeechStart, SpeechEnd]
    assert changes[-1].at == len(cut)


@settings(max_examples=examples(40))
@given(sizes=st.lists(st.integers(0, 2 * RATE), max_size=6))
def test_reading_pauses_while_the_inbox_is_full(sizes: Sequence[int]) -> None:
    listener = new_listener()
    for size in sizes:
        listener.store(noise(size))
        assert listener.full == (listener.received >= INBOX_SECONDS * RATE)
    take_all(listener)
    assert not listener.full
    assert listener.received == sum(sizes)
