"""Where sessions are taken in: whether there is time for one more, and who witnesses it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server import faults
from streamwhisper.server.dialects.witness import Refused, Witness, Witnesses
from streamwhisper.server.recording import Recorder
from streamwhisper.server.rooms import Rooms

__all__ = ["Reception"]

log = logging.getLogger(__name__)


class Reception:
    """Refuses sessions that would spoil those that run, and gives the others their witnesses."""

    def __init__(
        self,
        info: ModelInfo,
        wait: Callable[[], float],
        max_wait: float | None,
        rooms: Rooms,
        recorder: Recorder | None,
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        """Take in sessions of one server.

        Args:
            info: the model that is served.
            wait: seconds that requests wait for the recognizer at present.
            max_wait: above which no session is taken in; None: all are.
            rooms: where sessions publish.
            recorder: records them; None: nobody does.
            on_refusal: told of every session that is not taken in for want of time.
        """
        self._info = info
        self._wait = wait
        self._max_wait = max_wait
        self._rooms = rooms
        self._recorder = recorder
        self._on_refusal = on_refusal

    def admit(self, session: str, start: Start) -> Witness:
        """Take a new session in; one that is resumed was taken in before.

        Raises:
            Refused: the server is overloaded, or the room is not to be had.
        """
        wait = self._wait()
        if self._max_wait is not None and wait > self._max_wait:
            self._on_refusal()
            log.warning("session %s: refused, requests wait for %.1f s", session, wait)
            raise Refused(*faults.overloaded(wait, self._max_wait))
        witnesses: list[Witness] = []
        if start.publish is not None:  # only those whom the server lets speak come so far
            witnesses.append(self._rooms.publish(start.publish, session))
        if self._recorder is not None:
            about = {"model": self._info.name, "language": start.language, "task": start.task}
            witnesses.insert(0, self._recorder.open(session, about))
        return Witnesses(witnesses)
