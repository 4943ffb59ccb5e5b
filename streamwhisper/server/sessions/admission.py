"""Where sessions are taken in: whether there is time for one more, and who witnesses it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamwhisper.events import Committed, Event
from streamwhisper.live.scheduler import Scheduler
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.policy import Client
from streamwhisper.server.logs import figures, text_log
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.publishing.observers import Observers, SessionObserver, SessionRejected
from streamwhisper.server.publishing.recorder import Recorder
from streamwhisper.server.publishing.rooms import Rooms
from streamwhisper.server.sessions import close_errors
from streamwhisper.session.window import SAMPLE_RATE

__all__ = ["Admission"]

# A request costs about twice as much when its window is full, some so many seconds after its first
# sound (benchmarks/LOG.md).
_FULL = 2.0
_NEWCOMER_SECONDS = 15.0

log = logging.getLogger(__name__)


class Admission:
    """Refuses sessions that would spoil those that run, and gives the others their witnesses."""

    def __init__(
        self,
        info: ModelInfo,
        scheduler: Scheduler,
        max_wait: float | None,
        interval: float,
        rooms: Rooms,
        recorder: Recorder | None,
        metrics: Metrics,
    ) -> None:
        """Take in sessions of one server.

        Args:
            info: the model that is served.
            scheduler: tells how long requests wait for the recognizer.
            max_wait: seconds above which no session is taken in; None: all are.
            interval: seconds between two updates of a session.
            rooms: where sessions publish.
            recorder: records them; None: nobody does.
            metrics: count sessions that are not taken in for want of time, and how late words are.
        """
        self._info = info
        self._scheduler = scheduler
        # Those who began to speak just now, so that their load does not show yet, and until when.
        self._newcomers: dict[str, float] = {}
        self._max_wait = max_wait
        self._interval = interval
        self._rooms = rooms
        self._recorder = recorder
        self._metrics = metrics

    def admit(self, visitor: Client, session: str, start: Start) -> SessionObserver:
        """Take a new session in; one that is resumed or continued was taken in before.

        Raises:
            Refused: the server is overloaded, or the room is not to be had.
        """
        wait = self.expected_wait
        if self._max_wait is not None and wait > self._max_wait and not start.continued:
            self._metrics.sessions_refused.inc()
            log.warning("session %s: refused, requests wait for %.1f s", session, wait)
            raise SessionRejected(*close_errors.overloaded(wait, self._max_wait))
        witnesses: list[SessionObserver] = [_Clock(self._metrics.commit_lag_seconds.observe)]
        if start.publish is not None:
            if visitor.rooms is not None and start.publish not in visitor.rooms:
                raise SessionRejected(*close_errors.room_forbidden(start.publish, visitor.rooms))
            witnesses.append(self._rooms.publish(start.publish, session, visitor.owner))
        if text_log.isEnabledFor(logging.INFO):
            witnesses.append(_Logged(session))
        if self._recorder is not None:
            about = {"model": self._info.name, "language": start.language, "task": start.task}
            witnesses.insert(0, self._recorder.open(session, about))
        return Observers([*witnesses, _Newcomer(self._newcomers, session)])

    @property
    def expected_wait(self) -> float:
        """Seconds that requests will wait once the load shows of those who began to speak.

        Each of them asks again an interval after its last answer, and the recognizer was idle for
        a part of that time.
        """
        now = asyncio.get_running_loop().time()
        for session in [name for name, until in self._newcomers.items() if until < now]:
            del self._newcomers[session]
        cost = _FULL * self._scheduler.cost
        asked = len(self._newcomers) * cost
        free = self._scheduler.idle * (self._interval + cost)
        return self._scheduler.wait + max(0.0, asked - free)


class _Clock:
    """Tells how much sound came between a word's end and its commit."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._samples = 0

    def hear(self, samples: NDArray[np.float32]) -> None:
        self._samples += len(samples)

    def tell(self, event: Event) -> None:
        if isinstance(event, Committed):
            for word in event.words:
                self._observe(self._samples / SAMPLE_RATE - word.end)

    def close(self) -> None:
        pass


class _Logged:
    """Has committed text stand in the log, for operators who ask for it."""

    def __init__(self, session: str) -> None:
        self._session = session

    def hear(self, samples: NDArray[np.float32]) -> None:
        pass

    def tell(self, event: Event) -> None:
        if isinstance(event, Committed) and event.text:
            values = figures(session=self._session, text=event.text)
            text_log.info("session %s: committed", self._session, extra=values)

    def close(self) -> None:
        pass


class _Newcomer:
    """Counts among the newcomers from its first sound on, for a while."""

    def __init__(self, newcomers: dict[str, float], session: str) -> None:
        self._newcomers = newcomers
        self._session = session
        self._silent = True

    def hear(self, samples: NDArray[np.float32]) -> None:
        if self._silent:
            self._silent = False
            until = asyncio.get_running_loop().time() + _NEWCOMER_SECONDS
            self._newcomers[self._session] = until

    def tell(self, event: Event) -> None:
        pass

    def close(self) -> None:
        self._newcomers.pop(self._session, None)
