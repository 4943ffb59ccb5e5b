"""Paced WebSocket connection: limits how many frames a client sends, and reads no further ahead.

The WebSocket library answers pings and takes empty frames as fast as they arrive. Here each
connection has a budget of frames per second, a few frames are processed per turn of the event loop,
and the socket is not read while the client leaves answers unread, or while its budget is used up.
"""

from __future__ import annotations

import asyncio
import enum
import math
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode
from websockets.protocol import State

from streamwhisper.server.access.open_files import Newcomers

__all__ = [
    "SESSION_FRAMES",
    "TOO_MANY_FRAMES",
    "VIEWER_FRAMES",
    "FrameBudget",
    "PacedConnection",
    "paced_connections",
]

_SLICE = 256  # bytes parsed at once: at most 43 frames
_TURN = 16  # frames after which other connections have their turn
_HANDSHAKE_BYTES = 64 * 1024  # that a client sends before its handshake is complete
_REQUEST_END = b"\r\n\r\n"
_LINGER = 1.0  # seconds in which a client reads why it is disconnected
_NOTHING = memoryview(b"")


@dataclass(frozen=True, slots=True)
class FrameBudget:
    """Limit of the frames that a client sends, control frames and fragments included.

    Attributes:
        rate: frames per second.
        burst: frames that may arrive at once.
        strict: whether a connection that exceeds the budget is closed with 1008, instead of read
            later.
        max_message_bytes: maximum size of a message, if it is not that of the server.
    """

    rate: float
    burst: float
    strict: bool = False
    max_message_bytes: int | None = None


SESSION_FRAMES = FrameBudget(500, 1000)
"""Budget of a session: ten times as many frames as a client with 20 ms of audio in each sends."""

VIEWER_FRAMES = FrameBudget(10, 50, strict=True, max_message_bytes=1024)
"""Budget of a viewer, which has nothing to send but pongs."""

TOO_MANY_FRAMES = "too_many_frames"
"""Reason in the close frame of a connection that exceeds a strict budget."""


class _Hold(enum.Flag):
    """Reasons for which a connection is not read."""

    NONE = 0
    MESSAGES = enum.auto()  # received messages wait for the reader
    ANSWERS = enum.auto()  # the client leaves answers unread
    BUDGET = enum.auto()  # the client has sent too many frames
    TURN = enum.auto()  # other connections have their turn
    HANDSHAKE = enum.auto()  # the request is not answered yet
    FOREVER = enum.auto()  # the client is disconnected


class PacedConnection(ServerConnection):
    """Server side of a WebSocket that limits the rate of the client's frames.

    Attributes:
        newcomers: has the connection until `limit_frames` is called.
        only_resume: whether it was admitted beyond the client's quota, to resume a session.
    """

    newcomers: Newcomers | None = None
    only_resume = False
    _budget = SESSION_FRAMES
    _hold = _Hold.NONE
    _left = SESSION_FRAMES.burst  # frames left in the budget, at `_at`
    _at = 0.0
    _handshake_left: float = _HANDSHAKE_BYTES
    _request_tail = b""
    _timer: asyncio.Handle | None = None
    _unparsed = _NOTHING
    _reading = True

    def limit_frames(self, budget: FrameBudget) -> None:
        """Set the budget once the handshake is complete; it begins with a full burst."""
        self._arrive()
        self._budget, self._left = budget, budget.burst
        if budget.max_message_bytes is not None:
            self.protocol.max_message_size = budget.max_message_bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over flow control from the library's queue of messages."""
        super().connection_made(transport)
        if self.newcomers is not None:
            self.newcomers.add(transport)
        self.recv_messages.pause = lambda: self._stop(_Hold.MESSAGES)
        self.recv_messages.resume = lambda: self._go_on(_Hold.MESSAGES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop what is not parsed: no answer to it can be sent."""
        self._unparsed = _NOTHING
        if self._timer is not None:
            self._timer.cancel()
        self._arrive()
        super().connection_lost(exc)

    def _arrive(self) -> None:
        self._handshake_left = math.inf
        if self.newcomers is not None:
            self.newcomers.remove(self.transport)

    def data_received(self, data: bytes) -> None:
        """Parse as many frames as the budget allows; keep the rest."""
        self._handshake_left -= len(data)
        if self._handshake_left < 0:
            self._stop(_Hold.FOREVER)
            self.transport.abort()
            return
        self._unparsed = memoryview(bytes(self._unparsed) + data if self._unparsed else data)
        self._parse()

    def eof_received(self) -> None:
        """Parse the rest as far as the budget allows: no more data follows."""
        self._refill()
        while self._unparsed and self._left > 0:
            self._parse_slice()
        self._unparsed = _NOTHING
        super().eof_received()

    def pause_writing(self) -> None:
        """Stop reading: the client leaves answers unread."""
        super().pause_writing()
        self._stop(_Hold.ANSWERS)

    def resume_writing(self) -> None:
        """Read on: the client reads its answers."""
        super().resume_writing()
        self._go_on(_Hold.ANSWERS)

    def _stop(self, reason: _Hold) -> None:
        self._hold |= reason

    def _go_on(self, reason: _Hold) -> None:
        self._hold &= ~reason
        if not self._hold and self._timer is None:
            self._later(0.0, _Hold.TURN)  # not now: the caller may be parsing

    def _later(self, seconds: float, reason: _Hold) -> None:
        self._stop(reason)
        self._timer = self.loop.call_later(seconds, self._end_hold, reason)

    def _end_hold(self, reason: _Hold) -> None:
        self._timer = None
        self._hold &= ~reason
        self._parse()

    def _parse(self) -> None:
        """Parse until there is a reason to stop; read the socket again if there is none."""
        self._refill()
        turn = self._left - _TURN
        while self._unparsed and not self._hold:
            self._parse_slice()
            if self._left <= 0 and self._budget.strict:
                self._disconnect()
            elif self._left <= 0:
                self._later((1 - self._left) / self._budget.rate, _Hold.BUDGET)
            elif self._left <= turn and self._unparsed:
                self._later(0.0, _Hold.TURN)
        self._read(not self._unparsed and not self._hold)

    def _parse_slice(self) -> None:
        size = _SLICE
        if self.protocol.eof_sent:  # the rest is discarded, which costs little
            size = len(self._unparsed)
            self._left -= 1
        elif self.request is None:
            size = self._request_end(size)
        piece, self._unparsed = self._unparsed[:size], self._unparsed[size:]
        super().data_received(bytes(piece))

    def _request_end(self, size: int) -> int:
        """Return how many of `size` bytes belong to the request; what follows it has to wait."""
        before, piece = self._request_tail, bytes(self._unparsed[:size])
        end = (before + piece).find(_REQUEST_END)
        if end < 0:
            self._request_tail = (before + piece)[1 - len(_REQUEST_END) :]
            return size
        self._stop(_Hold.HANDSHAKE)
        return end + len(_REQUEST_END) - len(before)

    def send_data(self) -> None:
        """Send; once the request is answered, read on."""
        super().send_data()
        if self._hold & _Hold.HANDSHAKE and (
            self.protocol.eof_sent or self.protocol.state is not State.CONNECTING
        ):
            self._go_on(_Hold.HANDSHAKE)

    def _disconnect(self) -> None:
        self._stop(_Hold.FOREVER)
        self._unparsed = _NOTHING
        self.protocol.fail(CloseCode.POLICY_VIOLATION, TOO_MANY_FRAMES)
        self.send_data()
        self.loop.call_later(_LINGER, self.transport.abort)

    def process_event(self, event: object) -> None:
        """Count a frame."""
        self._left -= 1
        super().process_event(event)  # type: ignore[arg-type]

    def _refill(self) -> None:
        now, budget = self.loop.time(), self._budget
        self._left = min(budget.burst, self._left + (now - self._at) * budget.rate)
        self._at = now

    def _read(self, wanted: bool) -> None:
        if wanted is not self._reading and not self.transport.is_closing():
            self._reading = wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()


def paced_connections(newcomers: Newcomers) -> type[PacedConnection]:
    """Return the class of connections that belong to these newcomers first."""

    class CountedConnection(PacedConnection):
        pass

    CountedConnection.newcomers = newcomers
    return CountedConnection
