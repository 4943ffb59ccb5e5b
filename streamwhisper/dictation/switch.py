"""When dictation listens: a switch, and what it lets through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE

__all__ = ["COMMANDS", "Command", "PushToTalkBuffer", "Switch"]

Command = Literal["start", "stop", "toggle"]
COMMANDS: tuple[Command, ...] = ("start", "stop", "toggle")
Samples = NDArray[np.float32]


class Switch:
    """On while dictation listens. Lives on one thread."""

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self._told: list[Callable[[bool], None]] = []

    def tell(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher` with the new state whenever it changes."""
        self._told.append(watcher)

    def obey(self, command: Command) -> None:
        """Carry out a command; one that changes nothing is none."""
        wanted = not self.on if command == "toggle" else command == "start"
        if wanted != self.on:
            self.on = wanted
            for watcher in self._told:
                watcher(wanted)


class PushToTalkBuffer:
    """Lets sound through while a switch is on, and a little before and after.

    People begin to speak as they press a key, and let it go on their last word; and sound is
    under way for a moment before it is here.
    """

    def __init__(self, before: float = 0.3, after: float = 0.4) -> None:
        """Times are in seconds."""
        self._before, self._after = round(before * SAMPLE_RATE), round(after * SAMPLE_RATE)
        self._kept: Samples = np.zeros(0, np.float32)
        self._left = 0  # samples that still pass; 0: shut

    def let_through(self, sound: Samples, *, on: bool) -> tuple[Samples, bool]:
        """What passes of `sound` (float32 ``[n]`` at 16 kHz), and whether it has just shut."""
        if not on and not self._left:
            self._kept = np.concatenate([self._kept, sound])[-self._before :]
            return sound[:0], False
        passed = np.concatenate([self._kept, sound])
        self._kept = sound[:0]
        if on:
            self._left = self._after
            return passed, False
        self._left = max(0, self._left - len(sound))
        return passed, not self._left
