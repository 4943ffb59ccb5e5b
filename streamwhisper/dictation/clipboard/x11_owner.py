"""Program that owns an X11 selection in several types: ``python -m … CLIPBOARD``.

It follows the Inter-Client Communication Conventions, chapter 2; long content goes in pieces.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from select import select
from typing import Any

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.protocol.event import SelectionNotify
from Xlib.protocol.request import SetSelectionOwner

from streamwhisper.dictation.clipboard.clipboard import Contents
from streamwhisper.dictation.clipboard.owner import go_to_background, read_contents

__all__ = ["SelectionOwner"]

_PIECE = 60_000  # bytes; every X server takes requests of 64 KiB
_UNFINISHED = 32  # requests that are answered in pieces at the same time
_PATIENCE = 5.0  # seconds for those to end after another program has taken the selection


class SelectionOwner:
    """Owner of a selection, from `take` until another program takes it."""

    def __init__(self, display: Display, selection: str, contents: Contents) -> None:
        self._display = display
        self._selection = display.intern_atom(selection)
        self._targets = display.intern_atom("TARGETS")
        self._incremental = display.intern_atom("INCR")
        self._contents = {display.intern_atom(type): data for type, data in contents.items()}
        self._window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        # Type and pieces of long content that is being fetched, by requestor and property.
        self._rest: dict[tuple[int, int], tuple[int, deque[bytes]]] = {}
        display.set_error_handler(lambda *_: None)  # a window that asked may be gone

    def take(self) -> bool:
        """Take the selection, or clear it without contents; return whether it is this one's."""
        owner = self._window if self._contents else X.NONE
        SetSelectionOwner(
            display=self._display.display,
            window=owner,
            selection=self._selection,
            time=X.CurrentTime,
        )
        return bool(self._display.get_selection_owner(self._selection) == owner)

    def serve(self) -> None:
        """Answer requests until another program has taken the selection."""
        until = math.inf
        while time.monotonic() < until:
            if not self._display.pending_events():
                select([self._display], [], [], None if until == math.inf else 0.1)
                continue
            event = self._display.next_event()
            if event.type == X.SelectionRequest:
                self._answer(event)
            elif event.type == X.PropertyNotify and event.state == X.PropertyDelete:
                self._continue(event.window, event.atom)
            elif event.type == X.SelectionClear:
                until = time.monotonic() + (_PATIENCE if self._rest else 0)

    def _answer(self, request: Any) -> None:
        window, property = request.requestor, request.property or request.target
        if request.target == self._targets:
            known = [self._targets, *self._contents]
            window.change_property(property, Xatom.ATOM, 32, known)
        elif (data := self._contents.get(request.target)) is None:
            property = X.NONE
        elif len(data) <= _PIECE:
            window.change_property(property, request.target, 8, data)
        else:
            self._begin(window, property, request.target, data)
        window.send_event(
            SelectionNotify(
                time=request.time,
                requestor=window,
                selection=request.selection,
                target=request.target,
                property=property,
            )
        )
        self._display.flush()

    def _begin(self, window: Any, property: int, type: int, data: bytes) -> None:
        """Announce long content; each piece follows when the one before was taken."""
        if len(self._rest) >= _UNFINISHED:
            del self._rest[next(iter(self._rest))]
        pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
        self._rest[window.id, property] = type, deque([*pieces, b""])
        window.change_attributes(event_mask=X.PropertyChangeMask)
        window.change_property(property, self._incremental, 32, [len(data)])

    def _continue(self, window: Any, property: int) -> None:
        type, pieces = self._rest.get((window.id, property), (0, None))
        if pieces:
            window.change_property(property, type, 8, pieces.popleft())
            self._display.flush()
            if not pieces:
                del self._rest[window.id, property]


def main() -> None:
    """Take the selection that the first argument names."""
    contents = read_contents()
    owner = SelectionOwner(Display(), sys.argv[1], contents)
    if not owner.take():
        sys.exit("another program took the selection")
    if contents:
        go_to_background()
        owner.serve()


if __name__ == "__main__":
    main()
