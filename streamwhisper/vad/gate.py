"""Speech gate: finds the start and end of speech in a stream.

Two detectors run in a row. WebRTC's costs next to nothing and passes nearly everything that could
be speech. Silero's network judges the rest, with quiet audio amplified. While the gate is closed
and WebRTC detects nothing, the network does not run. All decisions fall on the absolute clock of
512-sample blocks, so they do not depend on how the audio was cut into chunks.
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

_REPLAYED = 10  # blocks of history that bring the network's state up to date when it starts
_AWAKE = 16  # blocks for which the network runs after WebRTC last detected something


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Options of the speech gate; times in seconds.

    Attributes:
        threshold: speech probability from which a block can open the gate.
        negative_threshold: probability below which a block is silence while the gate is open.
        minimum_speech: duration of speech that opens the gate, 0 to 1 s.
        silence: duration of silence that closes the gate and so ends an utterance. In a session it
            applies when the text is unclear. It is also the maximum of
            `EndpointOptions.silence_after_sentence` and the minimum of
            `EndpointOptions.silence_mid_sentence`.
        pre_roll: duration of audio before the speech that belongs to it, 0.3 to 10 s.
        post_roll: duration of audio after the speech that belongs to it, at most `silence`.
        aggressiveness: filter strength of the WebRTC detector, 0 (passes most) to 3.

    Raises:
        ValueError: a value is out of range.
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
    """Start of a speech segment.

    Attributes:
        at: absolute sample where the segment begins, including the pre-roll.
        decided: number of samples received when the gate opened.
    """

    at: int
    decided: int


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """End of a speech segment.

    Attributes:
        at: absolute sample where the segment ends, including the post-roll.
        decided: number of samples received when the gate closed.
    """

    at: int
    decided: int


class VadGate:
    """Detector of speech segments in a 16 kHz stream, on the stream's absolute sample clock."""

    def __init__(
        self,
        options: GateOptions | None = None,
        *,
        trigger: VoiceDetector | None = None,
        network: VoiceDetector | None = None,
    ) -> None:
        """Start closed, at sample 0.

        Args:
            options: thresholds and durations.
            trigger: cheap detector that decides whether the network runs; WebRTC's by default.
            network: detector that judges each block; Silero's by default.
        """
        self.options = options or GateOptions()
        self._trigger = trigger or WebRtcVad(self.options.aggressiveness)
        self._network = network or SileroVad()
        self._leveller = Leveller()
        self._gain = np.float32(1)
        self._block = self._network.block
        self._audio = RingBuffer((_REPLAYED + 2) * self._block)
        self._pending: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._framed = 0  # samples that the trigger has judged
        self._judged = 0  # samples that the network has judged or skipped
        self._awake_until = 0
        self._onset: int | None = None  # start of speech that can open the gate
        self._last_end = 0
        self._speaking = False
        self._last_speech = 0
        self._silence = self.options.silence  # seconds of silence that close the present pause
        self._probability = 0.0

    @property
    def speaking(self) -> bool:
        """True while the gate is open."""
        return self._speaking

    @property
    def last_speech(self) -> int:
        """Absolute sample after the last block that was judged speech; 0 before any."""
        return self._last_speech

    @property
    def silence(self) -> float:
        """Seconds of silence that close the gate in the present pause."""
        return self._silence

    @property
    def probability(self) -> float:
        """Speech probability of the last block; 0.0 while the network does not run."""
        return self._probability

    def hold(self, silence: float) -> None:
        """Let `silence` (seconds, above 0) close the gate in the present pause.

        Later pauses use the silence of the options again. Blocks already judged are not judged
        again; if the pause is already longer, the next block closes the gate.
        """
        self._silence = silence

    def append(self, samples: NDArray[np.float32]) -> list[SpeechStart | SpeechEnd]:
        """Process the next samples (float32 ``[n]``); return the resulting events in order."""
        audio = np.concatenate([self._pending, samples])
        whole = len(audio) - len(audio) % self._block
        events: list[SpeechStart | SpeechEnd] = []
        for start in range(0, whole, self._block):
            self._audio.append(audio[start : start + self._block])
            events += self._process()
        self._pending = audio[whole:].copy()
        return events

    def finish(self) -> list[SpeechStart | SpeechEnd]:
        """Process the remaining samples and end an open segment; return the resulting events.

        Speech at the end counts even if it is too short to open the gate.
        """
        end = self._audio.end + len(self._pending)
        events: list[SpeechStart | SpeechEnd] = []
        if len(self._pending):
            self._audio.append(np.pad(self._pending, (0, self._block - len(self._pending))))
            self._pending = self._pending[:0]
            events += self._process()
        if self._onset is not None:
            events.append(self._open(end))
        if self._speaking:
            self._last_end = end
            self._speaking = False
            events.append(SpeechEnd(end, end))
        # The last block was padded with zeros; no event lies after the audio.
        self._last_speech = min(self._last_speech, end)
        return [replace(e, at=min(e.at, end), decided=min(e.decided, end)) for e in events]

    def _process(self) -> list[SpeechStart | SpeechEnd]:
        """Judge the newest block."""
        end = self._audio.end
        self._gain = self._leveller.gain(self._audio.read(end - self._block, end))
        if self._noticed() or self._speaking:
            self._awake_until = end + _AWAKE * self._block
        if end > self._awake_until:
            self._probability = 0.0
            self._onset = None
            return []
        if self._judged < end - self._block:
            # The network did not run: restart a little earlier, where speech may have begun.
            self._network.reset()
            self._judged = max(self._judged, self._audio.start, end - (_REPLAYED + 1) * self._block)
        events: list[SpeechStart | SpeechEnd] = []
        while self._judged < end:
            start, self._judged = self._judged, self._judged + self._block
            audio = self._audio.read(start, self._judged) * self._gain
            self._probability = self._network(audio)
            event = self._judge(start, self._judged)
            if event is not None:
                events.append(event)
        return events

    def _noticed(self) -> bool:
        """Return whether the trigger detected speech in any frame since the last call."""
        noticed = False
        while self._framed + self._trigger.block <= self._audio.end:
            start, self._framed = self._framed, self._framed + self._trigger.block
            noticed |= self._trigger(self._audio.read(start, self._framed)) > 0.5
        return noticed

    def _judge(self, start: int, end: int) -> SpeechStart | SpeechEnd | None:
        """Apply hysteresis to the network's probability of one block."""
        options = self.options
        if self._speaking:
            if self._probability >= options.negative_threshold:
                self._last_speech = end
                self._silence = options.silence
            elif end - self._last_speech >= _samples(self._silence):
                self._speaking = False
                roll = min(options.post_roll, self._silence)
                self._last_end = self._last_speech + _samples(roll)
                return SpeechEnd(self._last_end, self._audio.end)
            return None
        if self._onset is None and self._probability >= options.threshold:
            self._onset = start
        elif self._probability < options.negative_threshold:
            self._onset = None
        if self._onset is not None:
            self._last_speech = end
            if end - self._onset >= _samples(options.minimum_speech):
                return self._open(self._audio.end)
        return None

    def _open(self, decided: int) -> SpeechStart:
        onset = self._onset or 0
        self._onset = None
        self._speaking = True
        self._silence = self.options.silence
        return SpeechStart(max(onset - _samples(self.options.pre_roll), self._last_end, 0), decided)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
