"""Switch that turns dictation on and off, and the audio it lets through."""

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
    """On while dictation listens. Not thread-safe."""

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self._subscribers: list[Callable[[bool], None]] = []

    def subscribe(self, subscriber: Callable[[bool], None]) -> None:
        """Call `subscriber` with the new state at each change."""
        self._subscribers.append(subscriber)

    def apply(self, command: Command) -> None:
        """Apply a command; subscribers are called only if the state changes."""
        wanted = not self.on if command == "toggle" else command == "start"
        if wanted != self.on:
            self.on = wanted
            for subscriber in self._subscribers:
                subscriber(wanted)


class PushToTalkBuffer:
    """Audio gate that is open while a switch is on, and shortly before and after.

    Speakers start to talk while they press the key and release it on their last word, and audio
    arrives with a delay.
    """

    def __init__(self, before: float = 0.3, after: float = 0.4) -> None:
        """Pass audio from `before` seconds before to `after` seconds after the switch is on."""
        self._before, self._after = round(before * SAMPLE_RATE), round(after * SAMPLE_RATE)
        self._kept: Samples = np.zeros(0, np.float32)
        self._left = 0  # samples that still pass; 0: closed

    def let_through(self, chunk: Samples, *, on: bool) -> tuple[Samples, bool]:
        """Return the samples that pass, and whether the gate has just closed.

        Args:
            chunk: float32 ``[n]`` at 16 kHz.
            on: state of the switch.
        """
        if not on and not self._left:
            self._kept = np.concatenate([self._kept, chunk])[-self._before :]
            return chunk[:0], False
        passed = np.concatenate([self._kept, chunk])
        self._kept = chunk[:0]
        if on:
            self._left = self._after
            return passed, False
        self._left = max(0, self._left - len(chunk))
        return passed, not self._left
