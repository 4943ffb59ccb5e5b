"""Speech segments: what the voice activity gate found, queued until it is transcribed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.events import SpeechEnded, SpeechStarted
from streamwhisper.vad.gate import SpeechEnd, SpeechStart

__all__ = ["SegmentQueue", "SpeechSegment"]


@dataclass(slots=True)
class SpeechSegment:
    """Speech between an opening and a closing of the gate; positions are samples.

    Attributes:
        opened: where the gate opened.
        start: where the part begins that is not transcribed yet; a flush moves it.
        cut: whether the audio was cut off while more was to come.
        end: where the gate closed; None while it is open.
        speech_end: last sample with speech, once the gate has closed.
    """

    opened: int
    start: int
    cut: bool = False
    end: int | None = None
    speech_end: int = 0


class SegmentQueue:
    """Segments that are not transcribed yet, oldest first.

    Attributes:
        speech_samples: length of all segments that have ended, also those that were removed.
    """

    def __init__(self) -> None:
        self.speech_samples = 0
        self._segments: deque[SpeechSegment] = deque()

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self._segments)

    @property
    def first(self) -> SpeechSegment:
        """The oldest segment."""
        return self._segments[0]

    def remove_first(self) -> None:
        """Remove the oldest segment."""
        self._segments.popleft()

    def add(
        self, change: SpeechStart | SpeechEnd, speech_end: int, *, cut: bool
    ) -> SpeechStarted | SpeechEnded:
        """Open or close a segment and return the event for it.

        Args:
            change: what the gate decided.
            speech_end: last sample with speech.
            cut: whether the audio was cut off while more was to come.
        """
        if isinstance(change, SpeechStart):
            self._segments.append(SpeechSegment(change.at, change.at))
            return SpeechStarted(change.at / SAMPLE_RATE)
        segment = self._segments[-1]
        segment.cut = cut
        segment.end = max(segment.start, change.at)
        segment.speech_end = speech_end
        self.speech_samples += segment.end - segment.opened
        return SpeechEnded(segment.end / SAMPLE_RATE, change.decided / SAMPLE_RATE)
