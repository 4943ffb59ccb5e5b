"""Audio input: a queue, then the voice activity gate and the log-mel front end in step."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.mel import HOP, LogMel
from streamwhisper.session.window import SAMPLE_RATE
from streamwhisper.vad.gate import GateOptions, SpeechEnd, SpeechStart, VadGate

__all__ = ["QUANTUM", "AudioListener", "Decoder"]

QUANTUM = 512
"""Samples per step; steps end on multiples of this, so that chunk sizes do not matter."""
SLACK_SECONDS = 12.0
"""Audio that may queue behind a full window before reading pauses."""
INBOX_SECONDS = 4.0
"""Audio that may queue outside the buffers before reading pauses."""
PRE_ROLL_SLACK = 2 * SAMPLE_RATE
"""Samples kept during silence, for the pre-roll of the next segment."""


class Decoder(Protocol):
    """Decoder of wire bytes to 16 kHz mono float32 samples, cut anywhere."""

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Return the samples that are complete so far."""
        ...

    def finish(self) -> NDArray[np.float32]:
        """Return the samples that were held back."""
        ...


class AudioListener:
    """Audio input of a session; positions are samples since the session began.

    Attributes:
        received: samples received.
        taken: samples that passed the gate and the log-mel front end.
        finished: whether all audio was taken after `end`.
    """

    def __init__(self, n_mels: int, gate: GateOptions, window_seconds: float) -> None:
        capacity = round((window_seconds + SLACK_SECONDS) * SAMPLE_RATE)
        self.mel = LogMel(n_mels, capacity // HOP)
        self.gate = VadGate(gate)
        self.received = 0
        self.taken = 0
        self.finished = False
        self._queue: deque[NDArray[np.float32]] = deque()
        self._ended = False

    @property
    def full(self) -> bool:
        """True if reading should pause."""
        return self.received - self.taken >= INBOX_SECONDS * SAMPLE_RATE

    @property
    def ended(self) -> bool:
        """True if `end` was called."""
        return self._ended

    @property
    def held_bytes(self) -> int:
        """Size of the audio in the queue and in the front end."""
        return self.mel.nbytes + sum(samples.nbytes for samples in self._queue)

    def store(self, samples: NDArray[np.float32]) -> None:
        """Queue audio: float32 ``[n]`` at 16 kHz."""
        if len(samples):
            self._queue.append(samples)
            self.received += len(samples)

    def end(self) -> None:
        """Declare the end of the audio."""
        self._ended = True

    def take(
        self, boundary: int | None, needed_from: int | None
    ) -> list[SpeechStart | SpeechEnd] | None:
        """Take one step of audio.

        Args:
            boundary: position at which a step must end, e.g. of a flush.
            needed_from: oldest sample that may still be requested; None in silence.

        Returns:
            The gate's decisions, or None if no step can be taken now.
        """
        ahead = boundary is not None and boundary > self.taken
        if self.taken == self.received:
            return self._finish() if self._ended else None
        target = (self.taken // QUANTUM + 1) * QUANTUM
        if self.received < target:
            if not (ahead or self._ended):
                return None
            target = self.received
        if ahead and boundary is not None:
            target = min(target, boundary)
        oldest = self.taken - PRE_ROLL_SLACK if needed_from is None else needed_from
        if self.mel.room(oldest) < target - self.taken:
            return None
        changes = []
        for step in self._pull(target - self.taken):
            self.mel.append(step)
            changes += self.gate.append(step)
        self.taken = target
        return changes

    def _finish(self) -> list[SpeechStart | SpeechEnd] | None:
        if self.finished:
            return None
        self.finished = True
        return self.gate.finish()

    def _pull(self, count: int) -> list[NDArray[np.float32]]:
        steps = []
        while count:
            head = self._queue.popleft()
            if len(head) > count:
                self._queue.appendleft(head[count:])
                head = head[:count]
            steps.append(head)
            count -= len(head)
        return steps
