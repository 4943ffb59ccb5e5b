"""When dictation listens."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.dictation.level import bar, decibels
from streamwhisper.dictation.switch import PushToTalkBuffer, Switch


def test_a_switch_tells_of_changes_and_of_nothing_else():
    told: list[bool] = []
    switch = Switch(on=False)
    switch.subscribe(told.append)
    for command in ("stop", "start", "start", "toggle", "toggle", "stop"):
        switch.apply(command)
    assert told == [True, False, True, False]


@given(st.lists(st.tuples(st.integers(1, 4000), st.booleans()), max_size=30))
def test_a_shutter_passes_what_is_on_and_a_little_before_and_after_in_order(pieces):
    shutter, at, passed, wanted = PushToTalkBuffer(0.1, 0.2), 0, [], []
    for count, on in pieces:
        sound = np.arange(at, at + count, dtype=np.float32)
        passed += shutter.let_through(sound, on=on)[0].tolist()
        if on:
            wanted += sound.tolist()
        at += count
    assert set(wanted) <= set(passed)
    assert passed == sorted(set(passed))


def test_a_shutter_keeps_the_first_and_the_last_word():
    shutter = PushToTalkBuffer(before=0.3, after=0.4)
    piece = np.arange(SAMPLE_RATE // 10, dtype=np.float32)
    states = [False] * 5 + [True] * 3 + [False] * 8
    told = [shutter.let_through(piece, on=on) for on in states]
    lengths = [len(passed) for passed, _ in told]
    assert lengths == [0] * 5 + [4 * len(piece)] + [len(piece)] * 6 + [0] * 4
    assert [shut for _, shut in told].index(True) == 11  # once, when the rest is out
    assert sum(shut for _, shut in told) == 1


def test_levels_are_in_decibels_of_full_scale():
    sine = np.sin(np.linspace(0, 2000 * np.pi, SAMPLE_RATE)).astype(np.float32)
    assert abs(decibels(sine) + 3.01) < 0.02
    assert abs(decibels(sine / 10) + 23.01) < 0.02
    assert decibels(np.zeros(10, np.float32)) == decibels(np.zeros(0, np.float32)) == -120


def test_a_louder_sound_has_a_higher_bar_and_silence_none():
    bars = [bar(level) for level in range(-130, 1)]
    assert bars == sorted(bars)
    assert (bars[0], bars[-1]) == (" ", "█")
