"""Places decoded frames on the time line of their container."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

__all__ = ["ReadReport", "Timeline"]

log = logging.getLogger(__name__)

TOLERANCE = 0.1
"""Seconds by which a frame may be off its place, e.g. for rounded times."""
_OVERLAP_TOLERANCE = 0.3
"""Seconds by which a frame may begin before the end of the one before it; a recorder's clock that
runs behind its samples must not cost a syllable now and then."""
_LONGEST_HOLE = 1800.0
"""Longest silence that is put between two frames, in seconds."""
_MOST_SILENCE = 6 * 3600.0
"""Silence that is put into one recording, in seconds."""
_MOST_NOTED = 8
"""Damaged stretches that are listed."""
_LONGEST_OVERLAP = 1.0
"""Seconds by which frames may overlap; beyond this, the clock of the container has restarted."""


@dataclass(slots=True)
class ReadReport:
    """Gaps and damage found while a container was read.

    Attributes:
        tracks: number of audio tracks.
        track: the track that is read, counted from 1.
        end: end of the audio so far, in seconds.
        damage: start and end, in seconds, of the first stretches that could not be read.
        lost: seconds that could not be read.
        broken: whether the data after `end` could not be read.
    """

    tracks: int = 0
    track: int = 0
    end: float = 0.0
    damage: list[tuple[float, float]] = field(default_factory=list)
    lost: float = 0.0
    broken: bool = False

    def note_damage(self, start: float, end: float) -> bool:
        """Add a stretch that could not be read; return whether it is one of the first."""
        self.lost += end - start
        if len(self.damage) >= _MOST_NOTED:
            return False
        self.damage.append((start, end))
        return True

    def describe_damage(self) -> str | None:
        """Return a message about what could not be read; None if there is nothing to say."""
        beyond = f"nothing could be read after {self.end:.1f} s" if self.broken else None
        if not self.damage:
            return beyond
        shown = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in self.damage[:5])
        more = ", ..." if len(self.damage) > 5 else ""
        middle = f"{self.lost:.1f} s in the middle could not be read ({shown}{more})"
        return f"{middle}; {beyond}" if beyond else middle


class Timeline:
    """Time line of one track, in seconds from the start of its container."""

    def __init__(self) -> None:
        """Begin at 0 s."""
        self.position = 0.0
        self._shift = 0.0
        self._silence = 0.0
        self._jumped = False

    def place(self, time: float | None, seconds: float) -> float | None:
        """Place the next frame at the end of those before it.

        Args:
            time: presentation time of the frame, from the start of the container; None follows the
                frame before.
            seconds: duration of the frame.

        Returns:
            Seconds of silence to put before the frame, or None if it repeats what was placed.
        """
        gap = 0.0 if time is None else time + self._shift - self.position
        if -_OVERLAP_TOLERANCE <= gap <= TOLERANCE:
            gap = 0.0
        elif gap > min(_LONGEST_HOLE, _MOST_SILENCE - self._silence):
            if not self._jumped:  # once, however often it jumps
                log.warning("the time jumps by %.0f s at %.1f s; ignored", gap, self.position)
            self._jumped = True
            self._shift -= gap
            gap = 0.0
        elif gap < 0 and (-gap > _LONGEST_OVERLAP or (time or 0.0) < TOLERANCE):
            self._shift -= gap  # the clock restarts, e.g. in chained streams
            gap = 0.0
        elif gap < 0:
            if -gap >= seconds:
                return None
            gap = 0.0
        self._silence += gap
        self.position += gap + seconds
        return gap

    def skip(self, seconds: float) -> None:
        """Move later frames back by audio that is lost and that their times do not show."""
        self._shift += seconds
