"""How a client comes back after its connection was lost."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.errors import check_fields

__all__ = ["Reconnection"]


@dataclass(frozen=True, slots=True)
class Reconnection:
    """What a client does about a connection that is lost.

    Attributes:
        patience: seconds without a connection after which the client gives up. Outages add up
            until a server sends something new, so that a server that accepts the session and
            loses it every time is given up as well.
        first_delay: seconds before the second attempt; the first one is made at once.
        longest_delay: seconds between two attempts at the most; they double up to there.
        jitter: share of a delay that is left to chance, so that the clients of a server that
            was started anew do not all come back at the same moment; 0 to 1.
        max_unacknowledged: seconds of audio that the server need not have confirmed; `send`
            waits while there is more. At least 3.
        max_replay: seconds of audio that are kept since the last final commit, for a server that
            has forgotten the session. Where more was spoken without a pause, its loss cannot
            be made up for and is an error.

    Raises:
        ValueError: a value that makes no sense.
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
        """Seconds to wait before an attempt.

        Args:
            attempt: counted from 0.
            chance: a random number, 0 to 1.
        """
        if attempt == 0:
            return 0.0
        whole = min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))
        return whole * (1 - self.jitter * chance)
