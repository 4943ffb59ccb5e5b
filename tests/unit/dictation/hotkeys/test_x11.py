"""Presses and releases of a hotkey on X11, from the events of a display."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

if sys.platform != "linux":
    pytest.skip("python-xlib is installed on Linux only", allow_module_level=True)

from Xlib import X

from streamwhisper.dictation.hotkeys.x11 import X11Listener

KEY = 8


def heard(events: list[tuple[int, int]], held: list[bool]) -> list[str]:
    """What is reported of events with their moments; `held` answers each look at the key."""
    told: list[str] = []
    listener = X11Listener.__new__(X11Listener)
    listener._key, listener._down, listener._release_time = KEY, False, None
    listener._pressed, listener._released = lambda: told.append("down"), lambda: told.append("up")
    answers = iter(held)
    listener._display = SimpleNamespace(query_keymap=lambda: [0, int(next(answers))])
    for kind, time in events:
        listener._take(SimpleNamespace(type=kind, time=time))
    return told


REPEATING = [
    (X.KeyPress, 0),
    *((kind, moment) for moment in (500, 530) for kind in (X.KeyRelease, X.KeyPress)),
    (X.KeyRelease, 560),
]


def test_a_key_that_repeats_is_one_press() -> None:
    assert heard(REPEATING, [True, True, False]) == ["down", "up"]


def test_repetitions_that_are_read_after_the_release_are_no_press() -> None:
    assert heard(REPEATING, [False]) == ["down", "up"]


def test_two_taps_that_are_read_late_are_two_presses() -> None:
    taps = [(X.KeyPress, 0), (X.KeyRelease, 80), (X.KeyPress, 200), (X.KeyRelease, 280)]
    assert heard(taps, [False, False]) == ["down", "up", "down", "up"]
