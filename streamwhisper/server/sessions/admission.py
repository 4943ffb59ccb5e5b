"""Admission control: rejects sessions that would overload the recognizer, observes the rest."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamwhisper.events import Committed, Event
from streamwhisper.protocol import Start
from streamwhisper.server.access.policy import Client
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.logs import figures, text_log
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.publishing.observers import ObservedSession, Observers, SessionObserver
from streamwhisper.server.publishing.recorder import Recorder
from streamwhisper.server.publishing.rooms import Room, Rooms
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.startup import Startup
from streamwhisper.session.listener import Decoder
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.window import SAMPLE_RATE

__all__ = ["Admission"]

# A request costs about twice as much once its window is full, about so many seconds after the
# session's first audio (benchmarks/LOG.md).
_FULL_WINDOW_COST = 2.0
_NEW_SESSION_SECONDS = 15.0

log = logging.getLogger(__name__)


class Admission:
    """Opens sessions, and rejects those that would slow down the sessions already running."""

    def __init__(
        self,
        startup: Startup,
        rooms: Rooms,
        recorder: Recorder | None,
        metrics: Metrics,
        *,
        max_wait: float | None,
        interval: float,
    ) -> None:
        """Open sessions of one server.

        Args:
            startup: has the model; its scheduler knows how long requests wait.
            rooms: rooms in which sessions publish.
            recorder: records the sessions; None: sessions are not recorded.
            metrics: counts rejected sessions and measures the commit lag.
            max_wait: wait in seconds above which new sessions are rejected; None: never.
            interval: seconds between two updates of a session.
        """
        self._startup = startup
        # Sessions whose first audio came so recently that their load does not show yet, by name;
        # the value is the time until which that holds.
        self._new_sessions: dict[str, float] = {}
        self._max_wait = max_wait
        self._interval = interval
        self._rooms = rooms
        self._recorder = recorder
        self._metrics = metrics

    def open_session(
        self, client: Client, name: str, start: Start, decoder: Decoder, options: SessionOptions
    ) -> ObservedSession:
        """Open a session that reports to all observers of this server; see `SessionFactory`.

        Raises:
            SessionRejected: the server is overloaded, or the room is not available.
        """
        with contextlib.ExitStack() as observing:
            observers: list[SessionObserver] = []
            observing.callback(lambda: Observers(observers).close())
            room = self._admit(client, name, start, observers)
            session = ObservedSession(
                self._startup.info,
                decoder,
                options,
                Observers(observers),
                None if room is None else lambda: len(room.viewers),
            )
            observing.pop_all()  # the session closes them
        return session

    def _admit(
        self, client: Client, session: str, start: Start, observers: list[SessionObserver]
    ) -> Room | None:
        """Check the session, and add its observers, which hold a room and files.

        Returns:
            The room in which the session publishes; None: it publishes in no room.
        """
        room = None
        wait = self.expected_wait
        # A continued session has text already: to reject it would lose more than a new one would.
        if self._max_wait is not None and wait > self._max_wait and not start.continued:
            self._metrics.sessions_refused.inc()
            log.warning("session %s: rejected, requests wait for %.1f s", session, wait)
            raise SessionRejected(*close_errors.overloaded(wait, self._max_wait))
        observers.append(_CommitLag(self._metrics.commit_lag_seconds.observe))
        if start.publish is not None:
            if client.rooms is not None and start.publish not in client.rooms:
                raise SessionRejected(*close_errors.room_forbidden(start.publish, client.rooms))
            room = self._rooms.publish(start.publish, session, client.owner)
            observers.append(room)
        if text_log.isEnabledFor(logging.INFO):
            observers.append(_TextLog(session))
        if self._recorder is not None:
            about = {
                "model": self._startup.info.name,
                "language": start.language,
                "task": start.task,
            }
            observers.insert(0, self._recorder.open(session, about))
        observers.append(_NewSession(self._new_sessions, session))
        return room

    def count_as_new(self, session: str) -> None:
        """Count a session that a client resumes as new: its load does not show yet."""
        until = asyncio.get_running_loop().time() + _NEW_SESSION_SECONDS
        self._new_sessions[session] = until

    @property
    def expected_wait(self) -> float:
        """Seconds that requests will wait once the load of new sessions shows.

        Each session sends a request one interval after its last answer; the recognizer is idle for
        a part of that time.
        """
        now = asyncio.get_running_loop().time()
        for session in [name for name, until in self._new_sessions.items() if until < now]:
            del self._new_sessions[session]
        scheduler = self._startup.model.scheduler
        cost = _FULL_WINDOW_COST * scheduler.cost
        needed = len(self._new_sessions) * cost
        free = scheduler.idle * (self._interval + cost)
        return scheduler.wait + max(0.0, needed - free)


class _CommitLag:
    """Measures how much audio comes between a word's end and its commit."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._samples = 0

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        self._samples += len(samples)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Committed):
            for word in event.words:
                self._observe(self._samples / SAMPLE_RATE - word.end)

    def close(self) -> None:
        pass


class _TextLog:
    """Writes committed text to the log, for operators who enable that."""

    def __init__(self, session: str) -> None:
        self._session = session

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        pass

    def on_event(self, event: Event) -> None:
        if isinstance(event, Committed) and event.text:
            values = figures(session=self._session, text=event.text)
            text_log.info("session %s: committed", self._session, extra=values)

    def close(self) -> None:
        pass


class _NewSession:
    """Marks a session as new for a while from its first audio on."""

    def __init__(self, new_sessions: dict[str, float], session: str) -> None:
        self._new_sessions = new_sessions
        self._session = session
        self._silent = True

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        if self._silent:
            self._silent = False
            until = asyncio.get_running_loop().time() + _NEW_SESSION_SECONDS
            self._new_sessions[self._session] = until

    def on_event(self, event: Event) -> None:
        pass

    def close(self) -> None:
        self._new_sessions.pop(self._session, None)
