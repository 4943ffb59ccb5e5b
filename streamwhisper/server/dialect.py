"""Wire dialects: the protocol of one connection, without sockets and clocks.

A dialect turns frames into calls on a `Session` and the session's events into frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streamwhisper.audio.steps import StepDecoder
    from streamwhisper.protocol import ErrorMessage, Start
    from streamwhisper.server.publishing.observers import ObservedSession

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
"""Receives the code of every error sent to a client."""

Query = Mapping[str, Sequence[str]]
"""Query parameters of a URL by name; each may occur several times."""

NORMAL = 1000
GOING_AWAY = 1001
CLIENT_FAULT = 1008
TOO_BIG = 1009
SERVER_FAULT = 1011
TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Close:
    """Close frame of a WebSocket connection (RFC 6455, section 7.4)."""

    code: int
    reason: str = ""


class Dialect(Protocol):
    """The server's side of one connection."""

    @property
    def sessions(self) -> Sequence[ObservedSession]:
        """The sessions of the connection: one, or one for each channel.

        A dialect with several sessions has all of them from the first moment on; one with a single
        session may have none until the client starts it.
        """
        ...

    @property
    def resumable(self) -> Resumable | None:
        """This dialect, if its session can move to another connection; None: it cannot."""
        ...

    @property
    def can_receive(self) -> bool:
        """True if audio can be received now; while it is False, frames must wait."""
        ...

    @property
    def backlog(self) -> StepDecoder | None:
        """Decoder of received bytes whose audio is not taken yet; call `advance` until None."""
        ...

    @property
    def closing(self) -> Close | None:
        """Close frame to send after all `outgoing` frames; None: keep the connection open."""
        ...

    def receive(self, frame: str | bytes) -> None:
        """Receive a text or a binary frame. Bad input is answered, and never raises."""
        ...

    def advance(self) -> None:
        """Take the next step of audio from the `backlog`. Bad input is answered, and never raises.

        No frame may be received while there is a backlog, since a command refers to all audio
        before it.
        """
        ...

    def record_wait(self, seconds: float) -> None:
        """Add to the time that the session has waited for the recognizer, answered or not."""
        ...

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Accept no more audio, commit everything; then send `error` (or done), and close."""
        ...

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close; text that is not committed yet is lost."""
        ...

    def outgoing(self) -> list[str]:
        """Return the text frames to send, in order; each is returned once."""
        ...

    def release(self) -> None:
        """Close the sessions and free their resources; the connection is closed."""
        ...


class Resumable(Dialect, Protocol):
    """A dialect whose session can move to another connection."""

    @property
    def name(self) -> str:
        """Name of the session in the log."""
        ...

    @property
    def token(self) -> str:
        """Secret with which the client resumes the session."""
        ...

    @property
    def claim(self) -> Start | None:
        """The client's start message, if it resumes an earlier session; otherwise None."""
        ...

    def rejoin(self, claim: Start) -> bool:
        """Continue in another connection: send a greeting, then every message the client lacks.

        Returns:
            False if some of these messages are no longer stored.
        """
        ...

    def left_behind(self) -> Dialect:
        """Return the dialect for the old connection: it sends the reason, and closes."""
        ...
