"""Options for reconnecting after a lost connection."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.errors import check_fields

__all__ = ["Reconnection"]


@dataclass(frozen=True, slots=True)
class Reconnection:
    """Rules for reconnecting: attempts, delays, and the audio kept for them.

    Attributes:
        patience: seconds without a connection after which the client gives up. Outages add up
            until a server sends something new, so that a server that accepts the session and
            loses it every time is given up as well.
        first_delay: seconds before the second attempt; the first one is made at once.
        longest_delay: maximum seconds between two attempts; delays double up to there.
        jitter: random share of each delay, 0 to 1, so that the clients of a restarted server do
            not all reconnect at the same moment.
        max_unacknowledged: seconds of audio that may be unacknowledged by the server before
            `send` waits; at least 3.
        max_replay: seconds of audio since the last final commit that are kept for a server that
            does not have the session. When a speaker has not paused for longer, the loss of the
            server is an error.

    Raises:
        ValueError: a value is out of range.
    """

    patience: float = 60.0
    first_delay: float = 0.1
    longest_delay: float = 5.0
    jitter: float = 0.5
    max_unacknowledged: float = 30.0
    max_replay: float = 600.0

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("patience", self.patience >= 0, "0 s or more"),
            ("first_delay", self.first_delay > 0, "above 0 s"),
            ("longest_delay", self.longest_delay >= self.first_delay, "first_delay or more"),
            ("jitter", 0 <= self.jitter <= 1, "0 to 1"),
            # A server acknowledges once a second.
            ("max_unacknowledged", self.max_unacknowledged >= 3, "3 s or more"),
            ("max_replay", self.max_replay >= 0, "0 s or more"),
        )

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait before an attempt.

        Args:
            attempt: number of the attempt, from 0.
            chance: random number from 0 to 1.
        """
        if attempt == 0:
            return 0.0
        whole = min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))
        return whole * (1 - self.jitter * chance)
