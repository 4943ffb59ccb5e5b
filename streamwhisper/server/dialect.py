"""Wire dialects: what one connection speaks, without sockets and clocks.

A dialect turns frames into calls on a `Session` and the session's events into frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from streamwhisper.protocol import ErrorMessage, Start
    from streamwhisper.session.session import Session

__all__ = [
    "CLIENT_FAULT",
    "GOING_AWAY",
    "NORMAL",
    "SERVER_FAULT",
    "TOO_BIG",
    "TRY_AGAIN_LATER",
    "Close",
    "Dialect",
    "OnError",
    "Query",
    "Resumable",
]

OnError = Callable[[str], None]
"""Told the code of every error that a client is sent."""

Query = Mapping[str, Sequence[str]]
"""What an address asks for, by name; each may stand there several times."""

NORMAL = 1000
GOING_AWAY = 1001
CLIENT_FAULT = 1008
TOO_BIG = 1009
SERVER_FAULT = 1011
TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Close:
    """How a WebSocket connection is closed (RFC 6455, section 7.4)."""

    code: int
    reason: str = ""


class Dialect(Protocol):
    """One connection's side of a conversation."""

    @property
    def sessions(self) -> Sequence[Session]:
        """What listens: one session, or one for each channel; none until the client has started.

        A dialect that listens to several has all of them from the first moment on.
        """
        ...

    @property
    def can_receive(self) -> bool:
        """Whether audio can be taken in now; while it is False, frames must wait."""
        ...

    @property
    def closing(self) -> Close | None:
        """Once set: send what is `outgoing`, then close the connection like this."""
        ...

    def receive(self, frame: str | bytes) -> None:
        """Take in a text or a binary frame. Bad input gets an answer, never an exception."""
        ...

    def record_wait(self, seconds: float) -> None:
        """The session has waited so much longer for the recognizer, answered or not."""
        ...

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Take no more audio, commit everything; then send `error` (or done), and close."""
        ...

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close; what is not committed by now is lost."""
        ...

    def outgoing(self) -> list[str]:
        """The text frames that are to be sent, in order; each is returned once."""
        ...

    def release(self) -> None:
        """The connection is gone: let go of what the session holds."""
        ...


@runtime_checkable
class Resumable(Dialect, Protocol):
    """A dialect whose session can go on in another connection."""

    @property
    def name(self) -> str:
        """What the session is called in the log."""
        ...

    @property
    def token(self) -> str:
        """Known to the session's client alone."""
        ...

    @property
    def claim(self) -> Start | None:
        """What the client said if it wants a session of before; None as long as it does not."""
        ...

    def rejoin(self, claim: Start) -> bool:
        """Go on in another connection: say what is here, then all that the client has not seen.

        Returns:
            False if that cannot be, for some of it is not kept any more.
        """
        ...

    def left_behind(self) -> Dialect:
        """What the old connection speaks from now on: it says why it is over, and closes."""
        ...
