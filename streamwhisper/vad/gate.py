"""The gate that decides when somebody speaks.

Two detectors in a row: WebRTC's costs next to nothing and passes nearly everything that could
be speech; Silero's network judges what it passes, with quiet sound amplified. While the gate is
shut and WebRTC hears nothing, the network sleeps. All decisions fall on the absolute clock of
512-sample blocks, so they do not depend on how the sound was cut into chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.ring import RingBuffer
from streamwhisper.errors import check_fields
from streamwhisper.vad.models import Leveller, SileroVad, VoiceDetector, WebRtcVad

__all__ = ["GateOptions", "SpeechEnd", "SpeechStart", "VadGate"]

_REPLAYED = 10  # blocks of history that bring the network's state up to date when it wakes
_AWAKE = 16  # blocks it stays awake after WebRTC last heard something


@dataclass(frozen=True, slots=True)
class GateOptions:
    """When the gate opens and shuts; times in seconds.

    Attributes:
        threshold: probability from which a block may open the gate.
        negative_threshold: probability below which a block is silence while it is open.
        minimum_speech: how long speech must last to open the gate.
        silence: how long silence must last to shut it.
        pre_roll: how much sound before the speech belongs to it, at least 0.3.
        post_roll: how much sound after it does, at most `silence`.
        aggressiveness: of the WebRTC detector, 0 (passes most) to 3.

    Raises:
        ValueError: a value that makes no sense.
    """

    threshold: float = 0.5
    negative_threshold: float = 0.35
    minimum_speech: float = 0.09
    silence: float = 0.6
    pre_roll: float = 0.4
    post_roll: float = 0.4
    aggressiveness: int = 0

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("threshold", 0 < self.threshold < 1, "between 0 and 1"),
            (
                "negative_threshold",
                0 < self.negative_threshold <= self.threshold,
                f"above 0 and at most threshold ({self.threshold})",
            ),
            ("minimum_speech", 0 <= self.minimum_speech <= 1, "0 to 1 s"),
            ("silence", self.silence > 0, "above 0 s"),
            ("pre_roll", 0.3 <= self.pre_roll <= 10, "0.3 to 10 s"),
            (
                "post_roll",
                0 <= self.post_roll <= self.silence,
                f"0 s to silence ({self.silence} s)",
            ),
            ("aggressiveness", self.aggressiveness in range(4), "0, 1, 2 or 3"),
        )


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """Somebody began to speak.

    Attributes:
        at: absolute sample where the segment begins, pre-roll included.
        decided: absolute sample that had been heard when this was known.
    """

    at: int
    decided: int


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """They stopped.

    Attributes:
        at: absolute sample where the segment ends, post-roll included.
        decided: absolute sample that had been heard when this was known.
    """

    at: int
    decided: int


class VadGate:
    """Finds speech segments in a 16 kHz stream on its absolute sample clock."""

    def __init__(self, options: GateOptions | None = None) -> None:
        """Start shut, at sample 0."""
        self.options = options or GateOptions()
        self._first: VoiceDetector = WebRtcVad(self.options.aggressiveness)
        self._network: VoiceDetector = SileroVad()
        self._leveller = Leveller()
        self._gain = np.float32(1)
        self._block = self._network.block
        self._sound = RingBuffer((_REPLAYED + 2) * self._block)
        self._pending: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._framed = 0  # samples the first detector has heard
        self._judged = 0  # samples the network has judged, or slept through for good
        self._awake_until = 0
        self._onset: int | None = None  # where speech began that may open the gate
        self._last_end = 0
        self._speaking = False
        self._last_speech = 0
        self._silence = self.options.silence  # that shuts it in the present pause
        self._probability = 0.0

    @property
    def speaking(self) -> bool:
        """Whether the gate is open."""
        return self._speaking

    @property
    def last_speech(self) -> int:
        """Absolute sample after the last block that was judged speech; 0 before any."""
        return self._last_speech

    @property
    def silence(self) -> float:
        """Seconds of silence that shut it in the present pause."""
        return self._silence

    @property
    def probability(self) -> float:
        """What the network said of the last block; 0.0 while it sleeps."""
        return self._probability

    def hold(self, silence: float) -> None:
        """Let `silence` (seconds, above 0) shut the gate in the present pause.

        Speech takes it back: later pauses have the silence of the options again. What was heard
        already is not judged once more; where that was longer, the next block shuts the gate.
        """
        self._silence = silence

    def append(self, samples: NDArray[np.float32]) -> list[SpeechStart | SpeechEnd]:
        """Hear the next samples (float32 ``[n]``) and say what was decided, in order."""
        sound = np.concatenate([self._pending, samples])
        whole = len(sound) - len(sound) % self._block
        events: list[SpeechStart | SpeechEnd] = []
        for start in range(0, whole, self._block):
            self._sound.append(sound[start : start + self._block])
            events += self._hear()
        self._pending = sound[whole:].copy()
        return events

    def finish(self) -> list[SpeechStart | SpeechEnd]:
        """The sound is over: judge what is left of it, and end an open segment with it.

        Speech too short to open the gate by then is given the benefit of the doubt.
        """
        end = self._sound.end + len(self._pending)
        events: list[SpeechStart | SpeechEnd] = []
        if len(self._pending):
            self._sound.append(np.pad(self._pending, (0, self._block - len(self._pending))))
            self._pending = self._pending[:0]
            events += self._hear()
        if self._onset is not None:
            events.append(self._open(end))
        if self._speaking:
            self._last_end = end
            self._speaking = False
            events.append(SpeechEnd(end, end))
        # The last block was filled up with zeros: nothing lies beyond the sound.
        self._last_speech = min(self._last_speech, end)
        return [replace(e, at=min(e.at, end), decided=min(e.decided, end)) for e in events]

    def _hear(self) -> list[SpeechStart | SpeechEnd]:
        """Judge the newest block."""
        end = self._sound.end
        self._gain = self._leveller.gain(self._sound.read(end - self._block, end))
        if self._noticed() or self._speaking:
            self._awake_until = end + _AWAKE * self._block
        if end > self._awake_until:
            self._probability = 0.0
            self._onset = None
            return []
        if self._judged < end - self._block:
            # It slept: start afresh a little earlier, where the speech may have begun unnoticed.
            self._network.reset()
            self._judged = max(self._judged, self._sound.start, end - (_REPLAYED + 1) * self._block)
        events: list[SpeechStart | SpeechEnd] = []
        while self._judged < end:
            start, self._judged = self._judged, self._judged + self._block
            sound = self._sound.read(start, self._judged) * self._gain
            self._probability = self._network(sound)
            event = self._judge(start, self._judged)
            if event is not None:
                events.append(event)
        return events

    def _noticed(self) -> bool:
        """Whether the first detector heard speech in any frame since it was asked last."""
        noticed = False
        while self._framed + self._first.block <= self._sound.end:
            start, self._framed = self._framed, self._framed + self._first.block
            noticed |= self._first(self._sound.read(start, self._framed)) > 0.5
        return noticed

    def _judge(self, start: int, end: int) -> SpeechStart | SpeechEnd | None:
        """Hysteresis over the network's judgement of one block."""
        options = self.options
        if self._speaking:
            if self._probability >= options.negative_threshold:
                self._last_speech = end
                self._silence = options.silence
            elif end - self._last_speech >= _samples(self._silence):
                self._speaking = False
                roll = min(options.post_roll, self._silence)
                self._last_end = self._last_speech + _samples(roll)
                return SpeechEnd(self._last_end, self._sound.end)
            return None
        if self._onset is None and self._probability >= options.threshold:
            self._onset = start
        elif self._probability < options.negative_threshold:
            self._onset = None
        if self._onset is not None:
            self._last_speech = end
            if end - self._onset >= _samples(options.minimum_speech):
                return self._open(self._sound.end)
        return None

    def _open(self, decided: int) -> SpeechStart:
        onset = self._onset or 0
        self._onset = None
        self._speaking = True
        self._silence = self.options.silence
        return SpeechStart(max(onset - _samples(self.options.pre_roll), self._last_end, 0), decided)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
