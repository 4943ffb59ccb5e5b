"""Connection to a Wayland compositor: requests, events and file descriptors (wayland.xml)."""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

__all__ = ["Event", "WaylandConnection", "WaylandError", "text_argument"]

_DISPLAY, _ERROR, _SYNC, _GET_REGISTRY, _BIND = 1, 0, 0, 1, 0  # object and opcodes
_MOST = 65536  # bytes and file descriptors that are received at a time
_MOST_DESCRIPTORS = 28


class WaylandError(OSError):
    """The compositor reported an error or closed the connection."""


@dataclass(frozen=True, slots=True)
class Event:
    """Event of an object; arguments are still packed."""

    object: int
    opcode: int
    arguments: bytes


class WaylandConnection:
    """Connection to the compositor that ``WAYLAND_DISPLAY`` names.

    Attributes:
        globals: name and version of each global object, by its interface.
        descriptors: received file descriptors that no event has claimed, in order.
    """

    def __init__(self) -> None:
        """Connect, and list the global objects."""
        folder = Path(os.environ.get("XDG_RUNTIME_DIR", "/"))
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(folder / os.environ.get("WAYLAND_DISPLAY", "wayland-0")))
        self._ids = count(2)
        self._buffer = b""
        self._held: deque[Event] = deque()  # events that `finish` came across
        self.descriptors: deque[int] = deque()
        self.globals: dict[str, tuple[int, int]] = {}
        self._registry = self.new_id()
        self.request(_DISPLAY, _GET_REGISTRY, self._registry)
        self.finish()

    def new_id(self) -> int:
        """Return an id for a new object."""
        return next(self._ids)

    def request(self, object: int, opcode: int, *arguments: int | str) -> None:
        """Send a request; object ids and integers are integers, 0 is no object."""
        packed = b"".join(map(_packed, arguments))
        header = struct.pack("=II", object, (8 + len(packed)) << 16 | opcode)
        self._socket.sendall(header + packed)

    def bind(self, interface: str, highest: int) -> tuple[int, int]:
        """Return the id of a global object, and its version."""
        name, offered = self.globals[interface]
        id, version = self.new_id(), min(offered, highest)
        self.request(self._registry, _BIND, name, interface, version, id)
        return id, version

    def finish(self) -> None:
        """Wait until the compositor has handled all requests.

        Raises:
            WaylandError: it rejected one.
        """
        callback = self.new_id()
        self.request(_DISPLAY, _SYNC, callback)
        others = []
        for event in self.events():
            if event.object == callback:
                break
            others.append(event)
        self._held += others

    def events(self) -> Iterator[Event]:
        """Iterate over the events; raise `WaylandError` when the connection ends."""
        while self._held:
            yield self._held.popleft()
        while True:
            while event := self._next():
                if event.object == self._registry and event.opcode == 0:
                    (name,) = struct.unpack_from("=I", event.arguments)
                    interface = text_argument(event.arguments, 4)
                    (version,) = struct.unpack("=I", event.arguments[-4:])
                    self.globals[interface] = name, version
                elif (event.object, event.opcode) == (_DISPLAY, _ERROR):
                    raise WaylandError(text_argument(event.arguments, 8))
                yield event
            data, descriptors, _, _ = socket.recv_fds(self._socket, _MOST, _MOST_DESCRIPTORS)
            if not data:
                raise WaylandError("the compositor closed the connection")
            self._buffer += data
            self.descriptors += descriptors

    def _next(self) -> Event | None:
        """Return the next event if it has arrived completely."""
        if len(self._buffer) < 8:
            return None
        object, word = struct.unpack_from("=II", self._buffer)
        size = word >> 16
        if len(self._buffer) < size:
            return None
        arguments, self._buffer = self._buffer[8:size], self._buffer[size:]
        return Event(object, word & 0xFFFF, arguments)


def text_argument(arguments: bytes, start: int = 0) -> str:
    """Return the string argument at an offset."""
    (size,) = struct.unpack_from("=I", arguments, start)
    return arguments[start + 4 : start + 3 + size].decode(errors="replace")


def _packed(argument: int | str) -> bytes:
    if isinstance(argument, int):
        return struct.pack("=I", argument)
    data = argument.encode() + b"\0"
    return struct.pack("=I", len(data)) + data + bytes(-len(data) % 4)
