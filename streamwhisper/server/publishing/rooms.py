"""Rooms: one session publishes what it says, and any number of viewers read it.

A room comes with its first viewer or its publisher, and goes with the last of them. Viewers stay
while publishers change. Each frame is made once, however many read it, and nobody is waited for:
a viewer that does not keep up is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from streamwhisper.errors import check_fields
from streamwhisper.events import Committed, Done, Event, Partial
from streamwhisper.protocol import ErrorMessage, Watching, encode_server_message
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, Close

__all__ = ["ROOM_NAME", "Room", "RoomOptions", "Rooms", "is_room"]

log = logging.getLogger(__name__)

ROOM_NAME = "1 to 64 letters, digits, dots, dashes and underscores"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READ_ONLY = ErrorMessage(
    "read_only",
    "viewers only read, and say nothing; to speak, open a session at /v1/stream whose start has "
    '"publish".',
    fatal=True,
)


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """What viewers are granted.

    Attributes:
        max_viewers: of all rooms together; further ones are refused.
        history_bytes: of committed text that is kept for late viewers, as it goes over the wire.
        buffer_bytes: that a viewer may leave unread before it is dropped; more than the history.

    Raises:
        ValueError: a value that makes no sense.
    """

    max_viewers: int = 1000
    history_bytes: int = 256 * 1024
    buffer_bytes: int = 512 * 1024

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("max_viewers", self.max_viewers >= 0, "0 or more"),
            ("history_bytes", self.history_bytes >= 0, "0 or more"),
            ("buffer_bytes", self.buffer_bytes > self.history_bytes, "more than history_bytes"),
        )


class Room:
    """What one session says, for its viewers; see `Witness`.

    Attributes:
        session: the name of the one that publishes; None while nobody does.
        owner: whose session that is, or was.
        viewers: those who read.
    """

    def __init__(
        self,
        name: str,
        options: RoomOptions,
        *,
        on_drop: Callable[[], None],
        on_over: Callable[[Room], None],
    ) -> None:
        """Wait for a session.

        Args:
            name: of the room.
            options: how much is kept.
            on_drop: told of every viewer that is dropped.
            on_over: told when a session is over.
        """
        self.name = name
        self.session: str | None = None
        self.owner: object = None
        self.viewers: set[ServerConnection] = set()
        self._options = options
        self._on_drop = on_drop
        self._on_over = on_over
        self._seq = self._began = 1  # the latter: the number with which the session began, or ended
        self._history: deque[str] = deque()  # frames of committed text
        self._bytes = 0
        self._omitted = 0
        self._partial: str | None = None

    def publish(self, session: str | None) -> None:
        """This session publishes from now on, or nobody; what was said before is gone."""
        self.session = session
        self._history.clear()
        self._bytes = self._omitted = 0
        self._partial = None
        self._began = self.next_seq()
        self._show(self._watching())

    def enter(self, viewer: ServerConnection) -> None:
        """Somebody begins to read: what was said before, then all that follows."""
        frames = [self._watching(), *self._history]
        if self._partial is not None:
            frames.append(self._partial)
        for frame in frames:  # without a pause, so that nothing new comes in between
            broadcast([viewer], frame)
        self.viewers.add(viewer)

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        """Sound is not published."""

    def on_event(self, event: Event) -> None:
        """Publish text, without its words' times."""
        if not isinstance(event, Committed | Partial | Done):
            return
        bare = event if isinstance(event, Done) else replace(event, words=())
        frame = encode_server_message(bare, self.next_seq())
        self._partial = frame if isinstance(event, Partial) else None
        if isinstance(event, Committed):
            self._keep(frame)
        self._show(frame)

    def next_seq(self) -> int:
        """The number of another message."""
        self._seq += 1
        return self._seq

    def close(self) -> None:
        """The session is over."""
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

    def _show(self, frame: str) -> None:
        broadcast(self.viewers, frame)
        most = self._options.buffer_bytes
        slow = [v for v in self.viewers if v.transport.get_write_buffer_size() > most]
        for viewer in slow:
            log.warning("room %s: dropped a viewer that does not read", self.name)
            self.viewers.discard(viewer)
            viewer.transport.abort()
            self._on_drop()


class Rooms:
    """All rooms of a server, by their names."""

    def __init__(
        self,
        options: RoomOptions | None = None,
        *,
        on_drop: Callable[[], None] = lambda: None,
        dismiss: Callable[[str], bool] = lambda session: False,
    ) -> None:
        """Have none yet.

        Args:
            options: what viewers are granted.
            on_drop: told of every viewer that is dropped.
            dismiss: lets go of a session that is cut off; False: it is not.
        """
        self.options = options or RoomOptions()
        self._on_drop = on_drop
        self._dismiss = dismiss
        self._rooms: dict[str, Room] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def viewers(self) -> int:
        """Those of all rooms."""
        return sum(len(room.viewers) for room in self._rooms.values())

    @property
    def full(self) -> bool:
        """Whether no viewer more can come in."""
        return self.viewers >= self.options.max_viewers

    def publish(self, name: str, session: str, owner: object) -> Room:
        """A session is to publish in this room.

        Args:
            owner: whose it is. A session of theirs that is cut off makes room for it.

        Raises:
            Refused: the name is none, or another session publishes there.
        """
        if not is_room(name):
            raise _refused(
                "room_name",
                f'"publish" is {name[:80]!r}; expected {ROOM_NAME}.',
            )
        room = self._room(name)
        if room.session is not None and room.owner == owner and self._dismiss(room.session):
            room = self._room(name)  # nobody may have been left in it
        if room.session is not None:
            raise _refused(
                "room_taken",
                f'another session publishes in the room "{name}" (or was cut off, and may be '
                "back soon: resume it, if it is yours); take another name, or try again later.",
            )
        room.owner = owner
        room.publish(session)
        return room

    async def watch(self, name: str, viewer: ServerConnection) -> None:
        """Serve a viewer until one side leaves."""
        room = self._room(name)
        try:
            room.enter(viewer)
            await viewer.recv()
            broadcast([viewer], encode_server_message(_READ_ONLY, room.next_seq()))
            await viewer.close(CLIENT_FAULT, _READ_ONLY.code)
        except ConnectionClosed:
            pass
        finally:
            room.viewers.discard(viewer)
            self._tidy(room)

    def close(self) -> None:
        """Take leave of all viewers: of those of a session, once it is over."""
        self._closed = True
        for room in list(self._rooms.values()):
            self._tidy(room)

    def _room(self, name: str) -> Room:
        if name not in self._rooms:
            self._rooms[name] = Room(name, self.options, on_drop=self._on_drop, on_over=self._tidy)
        return self._rooms[name]

    def _tidy(self, room: Room) -> None:
        """A session or a viewer has left."""
        if room.session is not None:
            return
        if not room.viewers:
            self._rooms.pop(room.name, None)
        elif self._closed:
            for viewer in room.viewers:
                task = asyncio.create_task(viewer.close(GOING_AWAY, "the server is shutting down"))
                self._farewells.add(task)
                task.add_done_callback(self._farewells.discard)


def is_room(name: str) -> bool:
    """Whether a room can have this name."""
    return _NAME.fullmatch(name) is not None


def _refused(code: str, message: str) -> SessionRejected:
    return SessionRejected(ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code))
