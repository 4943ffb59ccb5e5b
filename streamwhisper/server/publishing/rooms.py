"""Rooms: a session publishes its text, and any number of viewers read it.

A room exists while it has a publisher or a viewer. Viewers stay while publishers change. Each frame
is encoded once for all viewers, and the server waits for none of them: a viewer that does not keep
up is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from streamwhisper.errors import check_fields
from streamwhisper.events import Committed, Done, Event, Partial
from streamwhisper.protocol import ErrorMessage, Watching, encode_server_message
from streamwhisper.server.access.rejection import HandshakeRejected, SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, TRY_AGAIN_LATER, Close

__all__ = ["ROOM_NAME", "Room", "RoomOptions", "Rooms", "is_room"]

log = logging.getLogger(__name__)

ROOM_NAME = "1 to 64 letters, digits, dots, dashes and underscores"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READ_ONLY = ErrorMessage(
    "read_only",
    "Viewers only read and must not send messages. To publish, open a session at /v1/stream with "
    '"publish" in its start.',
    fatal=True,
)


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """Limits of rooms and viewers.

    Attributes:
        max_viewers: maximum concurrent viewers of all rooms; more are rejected. A viewer of a
            session takes the place of one who waits in a room without a session.
        max_viewers_per_address: maximum concurrent viewers per IP address, or per /64 network of
            IPv6; None: no limit.
        history_bytes: size of the committed text that is kept for viewers who join late, as encoded
            messages.
        buffer_bytes: size of the messages that a viewer may leave unread before it is dropped; more
            than `history_bytes`.

    Raises:
        ValueError: a value is out of range.
    """

    max_viewers: int = 1000
    max_viewers_per_address: int | None = 500
    history_bytes: int = 256 * 1024
    buffer_bytes: int = 512 * 1024

    def __post_init__(self) -> None:
        per_address = self.max_viewers_per_address
        check_fields(
            self,
            ("max_viewers", self.max_viewers >= 0, "0 or more"),
            ("max_viewers_per_address", per_address is None or per_address >= 1, "1 or more"),
            ("history_bytes", self.history_bytes >= 0, "0 or more"),
            ("buffer_bytes", self.buffer_bytes > self.history_bytes, "more than history_bytes"),
        )


class Room:
    """Publishes one session to its viewers; a `SessionObserver`.

    Attributes:
        name: name of the room.
        session: name of the publishing session; None: no session publishes.
        owner: owner of the current or last publishing session.
        viewers: connections of the viewers.
    """

    def __init__(
        self,
        name: str,
        options: RoomOptions,
        *,
        on_drop: Callable[[], None],
        on_over: Callable[[Room], None],
    ) -> None:
        """Create a room without a session.

        Args:
            name: name of the room.
            options: limits of the history and of unread messages.
            on_drop: called for each viewer that is dropped.
            on_over: called when a session ends.
        """
        self.name = name
        self.session: str | None = None
        self.owner: object = None
        self.viewers: set[ServerConnection] = set()
        self._options = options
        self._on_drop = on_drop
        self._on_over = on_over
        self._seq = self._began = 1  # _began: where the session began or ended
        self._history: deque[str] = deque()  # frames of committed text
        self._bytes = 0
        self._omitted = 0
        self._partial: str | None = None

    def publish(self, session: str | None) -> None:
        """Start the publication of a session, or end it (None); this clears the history."""
        self.session = session
        self._history.clear()
        self._bytes = self._omitted = 0
        self._partial = None
        self._began = self.next_seq()
        self._broadcast(self._watching())

    def enter(self, viewer: ServerConnection) -> None:
        """Add a viewer: it receives the history, then every new message."""
        frames = [self._watching(), *self._history]
        if self._partial is not None:
            frames.append(self._partial)
        for frame in frames:  # without await, so that no new message comes between
            broadcast([viewer], frame)
        self.viewers.add(viewer)

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        """Ignore audio: it is not published."""

    def on_event(self, event: Event) -> None:
        """Publish text, without the times of its words."""
        if not isinstance(event, Committed | Partial | Done):
            return
        bare = event if isinstance(event, Done) else replace(event, words=())
        frame = encode_server_message(bare, self.next_seq())
        self._partial = frame if isinstance(event, Partial) else None
        if isinstance(event, Committed):
            self._keep(frame)
        self._broadcast(frame)

    def next_seq(self) -> int:
        """Return the number of the next message."""
        self._seq += 1
        return self._seq

    def close(self) -> None:
        """End the session's publication."""
        self.publish(None)
        self._on_over(self)

    def _keep(self, frame: str) -> None:
        self._history.append(frame)
        self._bytes += len(frame.encode())
        while self._bytes > self._options.history_bytes:
            self._bytes -= len(self._history.popleft().encode())
            self._omitted += 1

    def _watching(self) -> str:
        return encode_server_message(Watching(self.name, self.session, self._omitted), self._began)

    def _broadcast(self, frame: str) -> None:
        broadcast(self.viewers, frame)
        most = self._options.buffer_bytes
        slow = [v for v in self.viewers if v.transport.get_write_buffer_size() > most]
        for viewer in slow:
            log.warning("room %s: dropped a viewer that does not read", self.name)
            self.viewers.discard(viewer)
            viewer.transport.abort()
            self._on_drop()


class Rooms:
    """All rooms of a server, by name."""

    def __init__(
        self,
        options: RoomOptions | None = None,
        *,
        on_drop: Callable[[], None] = lambda: None,
        dismiss: Callable[[str], bool] = lambda session: False,
    ) -> None:
        """Create no room yet.

        Args:
            options: limits of rooms and viewers.
            on_drop: called for each viewer that is dropped.
            dismiss: ends the named session if its connection is lost; returns False if it is
                connected.
        """
        self.options = options or RoomOptions()
        self._on_drop = on_drop
        self._dismiss = dismiss
        self._rooms: dict[str, Room] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._by_network: Counter[str] = Counter()  # viewers
        self._closed = False

    @property
    def viewers(self) -> int:
        """Number of viewers of all rooms."""
        return sum(len(room.viewers) for room in self._rooms.values())

    def check(self, name: str, network: str) -> None:
        """Check that a viewer slot is free.

        Args:
            name: name of the room.
            network: network of the viewer, as `network_of` returns it.

        Raises:
            HandshakeRejected: all slots are in use.
        """
        options = self.options
        most = options.max_viewers_per_address
        if most is not None and self._by_network[network] >= most:
            raise _full(HTTPStatus.TOO_MANY_REQUESTS, most, " of this address")
        if self.viewers >= options.max_viewers and not (
            self._is_live(name) and any(self._idle_viewers())
        ):
            raise _full(HTTPStatus.SERVICE_UNAVAILABLE, options.max_viewers, "")

    def publish(self, name: str, session: str, owner: object) -> Room:
        """Return the room in which a session is to publish.

        Args:
            name: name of the room.
            session: name of the session.
            owner: owner of the session. Another session of the same owner, whose connection was
                lost, gives the room up for it.

        Raises:
            SessionRejected: the name is invalid, or another session publishes in the room.
        """
        if not is_room(name):
            raise _rejected(
                "room_name",
                f'"publish" is {name[:80]!r}; expected {ROOM_NAME}.',
            )
        room = self._room(name)
        if room.session is not None and room.owner == owner and self._dismiss(room.session):
            room = self._room(name)  # it is gone if it had no viewers
        if room.session is not None:
            raise _rejected(
                "room_taken",
                f'Another session publishes in the room "{name}", or has lost its connection and '
                "may return; if it is yours, resume it. Otherwise choose another name, or try "
                "again later.",
            )
        room.owner = owner
        room.publish(session)
        return room

    async def watch(self, name: str, viewer: ServerConnection, network: str = "") -> None:
        """Serve a viewer until either side closes the connection.

        Args:
            name: name of the room.
            viewer: its connection.
            network: its network, as `network_of` returns it.
        """
        try:
            self.check(name, network)
        except HandshakeRejected as rejection:  # others took the slots during the handshake
            await viewer.close(TRY_AGAIN_LATER, rejection.code)
            return
        if self.viewers >= self.options.max_viewers:
            self._replace_idle_viewer()
        room = self._room(name)
        self._by_network[network] += 1
        try:
            room.enter(viewer)
            await viewer.recv()
            broadcast([viewer], encode_server_message(_READ_ONLY, room.next_seq()))
            await viewer.close(CLIENT_FAULT, _READ_ONLY.code)
        except ConnectionClosed as closed:
            if closed.sent is not None and closed.sent.code == CLIENT_FAULT:
                self._on_drop()
        finally:
            room.viewers.discard(viewer)
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]
            self._tidy(room)

    def _is_live(self, name: str) -> bool:
        room = self._rooms.get(name)
        return room is not None and room.session is not None

    def _idle_viewers(self) -> Iterator[tuple[Room, ServerConnection]]:
        """Yield the viewers who wait in rooms without a session."""
        rooms = (room for room in self._rooms.values() if room.session is None)
        return ((room, viewer) for room in rooms for viewer in room.viewers)

    def _replace_idle_viewer(self) -> None:
        """Disconnect a viewer who waits in a room without a session."""
        room, viewer = next(self._idle_viewers())
        room.viewers.discard(viewer)
        self._close_later(viewer, TRY_AGAIN_LATER, "too_many_viewers")

    def close(self) -> None:
        """Disconnect all viewers; those of a running session once it has ended."""
        self._closed = True
        for room in list(self._rooms.values()):
            self._tidy(room)

    def _room(self, name: str) -> Room:
        if name not in self._rooms:
            self._rooms[name] = Room(name, self.options, on_drop=self._on_drop, on_over=self._tidy)
        return self._rooms[name]

    def _tidy(self, room: Room) -> None:
        """Remove a room without publisher and viewers; on shutdown, disconnect its viewers."""
        if room.session is not None:
            return
        if not room.viewers:
            self._rooms.pop(room.name, None)
        elif self._closed:
            for viewer in room.viewers:
                self._close_later(viewer, GOING_AWAY, "the server is shutting down")

    def _close_later(self, viewer: ServerConnection, code: int, reason: str) -> None:
        task = asyncio.create_task(viewer.close(code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def is_room(name: str) -> bool:
    """Return whether a name is a valid room name."""
    return _NAME.fullmatch(name) is not None


def _full(status: HTTPStatus, most: int, whose: str) -> HandshakeRejected:
    return HandshakeRejected(
        status,
        "too_many_viewers",
        f"All {most} viewer slots{whose} are in use. Try again in a few seconds.",
    )


def _rejected(code: str, message: str) -> SessionRejected:
    return SessionRejected(ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code))
