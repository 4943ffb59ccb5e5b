"""Program that owns a Wayland selection in several types: ``python -m … CLIPBOARD``.

It needs a compositor with the data-control protocol, which GNOME lacks.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from streamwhisper.dictation.clipboard.clipboard import Contents
from streamwhisper.dictation.clipboard.owner import go_to_background, read_contents
from streamwhisper.dictation.clipboard.wayland_wire import (
    WaylandConnection,
    WaylandError,
    text_argument,
)

__all__ = ["SelectionSource"]

_MANAGERS = {"ext_data_control_manager_v1": 1, "zwlr_data_control_manager_v1": 2}
"""Interfaces with the same requests and events, and their highest known versions."""
_CREATE_SOURCE, _GET_DEVICE = 0, 1  # of a manager
_OFFER = 0  # of a source
_SET_SELECTION = {"CLIPBOARD": 0, "PRIMARY": 2}  # of a device
_SEND, _CANCELLED = 0, 1  # events of a source
_PATIENCE = 5.0  # seconds for programs to fetch the content after another one was set


class SelectionSource:
    """Content of a selection, from `take` until another program sets one."""

    def __init__(self, selection: str, contents: Contents) -> None:
        """Connect to the compositor; exit if it lacks the protocol."""
        self._wayland = wayland = WaylandConnection()
        self._contents = contents
        self._source = 0
        manager = next((name for name in _MANAGERS if name in wayland.globals), None)
        if manager is None:
            sys.exit("the compositor lacks the data-control protocol")
        self._manager, version = wayland.bind(manager, _MANAGERS[manager])
        if selection == "PRIMARY" and (manager.startswith("zwlr") and version < 2):
            sys.exit("the compositor has no primary selection")
        self._set_selection = _SET_SELECTION[selection]

    def take(self) -> None:
        """Set the selection, or clear it without contents."""
        wayland = self._wayland
        seat, _ = wayland.bind("wl_seat", 1)
        device = wayland.new_id()
        wayland.request(self._manager, _GET_DEVICE, device, seat)
        if self._contents:
            self._source = wayland.new_id()
            wayland.request(self._manager, _CREATE_SOURCE, self._source)
            for type in self._contents:
                wayland.request(self._source, _OFFER, type)
        wayland.request(device, self._set_selection, self._source)
        wayland.finish()

    def serve(self) -> None:
        """Answer requests until another program has set the selection."""
        writers: list[threading.Thread] = []
        with suppress(WaylandError, OSError):  # the desktop has ended
            for event in self._wayland.events():
                if event.object != self._source:
                    continue
                if event.opcode == _CANCELLED:
                    break
                if event.opcode == _SEND:
                    data = self._contents.get(text_argument(event.arguments), b"")
                    descriptor = self._wayland.descriptors.popleft()
                    writer = threading.Thread(target=_write, args=(descriptor, data), daemon=True)
                    writer.start()
                    writers = [each for each in writers if each.is_alive()] + [writer]
        for writer in writers:
            writer.join(_PATIENCE)


def _write(descriptor: int, data: bytes) -> None:
    with suppress(OSError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def main() -> None:
    """Set the selection that the first argument names."""
    contents = read_contents()
    source = SelectionSource(sys.argv[1], contents)
    source.take()
    if contents:
        go_to_background()
        source.serve()


if __name__ == "__main__":
    main()
