"""Finds audio that is missing from a container because its bytes are damaged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from av.audio.stream import AudioStream
from av.packet import Packet

__all__ = ["SkippedBytes"]

_WRAPPED = 1.1
"""Bytes that a container spends on each byte of other tracks, e.g. in MPEG-TS."""
_EVIDENCE = 0.3
"""Share of the bytes of missing audio that must have been skipped to call it damaged."""


@dataclass(slots=True)
class SkippedBytes:
    """Bytes between the packets of a track that belong to no packet.

    Attributes:
        end: position after the last packet.
        at: position of the bytes that were skipped last.
        others: size of other tracks' packets since then.
        last: bytes skipped before each of the last packets.
        size: bytes of all packets.
        seconds: duration of all packets.
    """

    end: int | None = None
    at: int = 0
    others: int = 0
    last: deque[int] = field(default_factory=lambda: deque(maxlen=8))
    size: int = 0
    seconds: float = 0.0

    def count(self, packet: Packet[AudioStream]) -> float:
        """Add a packet; return the seconds of audio that the bytes skipped before it held."""
        skipped = 0
        if packet.pos is not None and packet.size:
            if self.end is not None:
                self.at = self.end
                skipped = max(0, packet.pos - self.end - round(_WRAPPED * self.others))
            self.end = max(self.end or 0, packet.pos + packet.size)
        self.others = 0
        self.last.append(skipped)
        lost = self.held_by(skipped)
        self.size += packet.size
        self.seconds += float((packet.duration or 0) * (packet.time_base or 0))
        return lost

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.size / self.seconds if self.seconds else 0.0

    def held_by(self, size: int) -> float:
        """Return the seconds of audio in so many bytes; 0.0 if the packets tell no duration."""
        return max(0, size) / self.rate if self.rate else 0.0

    def explain(self, seconds: float) -> bool:
        """Return whether as many bytes were skipped as a hole of this length would hold."""
        return self.rate > 0 and sum(self.last) >= _EVIDENCE * seconds * self.rate
