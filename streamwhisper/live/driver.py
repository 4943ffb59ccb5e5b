"""The drive loop: recognizes what a session asks for and publishes the session's events.

`SessionDriver` serves asyncio: the server's connections and `LiveStream`. `recognize_pending`
does the same in the calling thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from streamwhisper.errors import RecognitionError
from streamwhisper.events import Event
from streamwhisper.live.scheduler import Scheduler, Ticket, Withdrawn
from streamwhisper.recognition import Recognizer
from streamwhisper.session.session import Session

__all__ = ["MAX_FAILURES", "RequestObserver", "SessionDriver", "recognize_pending"]

MAX_FAILURES = 3
"""Consecutive failures of a session's requests after which its owner gives up."""


def recognize_pending(session: Session, recognizer: Recognizer) -> Iterator[Event]:
    """Recognize in this thread until no request is due; yield events as they happen.

    Raises:
        RecognitionError: the recognizer failed.
    """
    yield from session.events()
    while request := session.next_request():
        session.receive_hypothesis(recognizer.recognize([request])[0])
        yield from session.events()
    yield from session.events()


class RequestObserver(Protocol):
    """Receiver of a driver's measurements."""

    def request_answered(self, seconds: float, lag: float, *, final: bool) -> None:
        """Record an answered request.

        Args:
            seconds: from the request to its answer, queueing included.
            lag: seconds of received audio that the answer does not cover yet.
            final: whether the request was a final one.
        """

    def request_replaced(self) -> None:
        """Record a queued partial request that gave way to a newer one."""


class SessionDriver:
    """Requests of one session at a time, at most one of them in flight.

    While a request waits in the scheduler's queue, `wake` replaces it by one that covers the
    newest audio.
    """

    def __init__(self, scheduler: Scheduler, observer: RequestObserver | None = None) -> None:
        """Create a driver without a request.

        Args:
            scheduler: recognizes the requests.
            observer: receives measurements; may be exchanged through `observer`.
        """
        self.observer = observer
        self._scheduler = scheduler
        self._changed = asyncio.Event()  # the session may have something new to ask
        self._ticket: Ticket | None = None
        self._waiting_since: float | None = None
        self._waited = 0.0  # seconds that `take_wait` has not returned yet

    def wake(self, session: Session | None = None) -> None:
        """Let `run` look at its session again.

        Args:
            session: when given, the queued request is brought up to date at once. A queued
                partial gives way to a request that covers more audio; a queued final is asked
                for again unchanged; a request that the recognizer works on stays.
        """
        if session is not None:
            self._advance(session)
        self._changed.set()

    def withdraw(self) -> None:
        """Drop the request in flight, if any. Its answer is ignored."""
        if self._ticket is not None:
            self._ticket.withdraw()
            self._ticket = None

    def take_wait(self) -> float:
        """Return the seconds spent waiting for answers since the last call."""
        self._count_wait()
        waited, self._waited = self._waited, 0.0
        return waited

    async def run(
        self,
        session: Callable[[], Session | None],
        *,
        publish: Callable[[], Awaitable[None]],
        finished: Callable[[], bool],
        failed: Callable[[RecognitionError, int], None],
    ) -> None:
        """Recognize what the session asks for until `finished` returns True.

        Args:
            session: returns the session to drive now, or None while there is none. Another one
                may take its place at any time, after `withdraw`.
            publish: delivers the session's events; called after each change, before waiting.
            finished: ends the loop.
            failed: receives each failure and the number of consecutive ones. The request is
                repeated unless this raises or makes `finished` True.
        """
        failures = 0
        while not finished():
            self._changed.clear()
            current = session()
            if current is not None:
                self._advance(current)
            await publish()
            if session() is not current:
                continue
            if current is not None and self._ticket is not None:
                error = await self._recognize(current, self._ticket)
                failures = 0 if error is None else failures + 1
                if error is not None:
                    failed(error, failures)
            elif not finished():
                await self._changed.wait()

    def _advance(self, session: Session) -> None:
        """Request as much as the session can ask for by now."""
        ticket = self._ticket
        if ticket is not None:
            if ticket.started:
                return
            session.abandon_request()
        request = session.next_request()
        if request is None:
            self.withdraw()
        elif ticket is None:
            self._ticket = Ticket(request)
        else:
            if self.observer is not None and not ticket.request.final:
                self.observer.request_replaced()
            ticket.replace(request)

    async def _recognize(self, session: Session, ticket: Ticket) -> RecognitionError | None:
        """Wait for the answer to `ticket` and pass it to the session; return an error if any."""
        began = self._waiting_since = _now()
        try:
            hypothesis = await self._scheduler.recognize(ticket)
        except Withdrawn:
            return None
        except RecognitionError as error:
            if self._ticket is not ticket:  # withdrawn meanwhile
                return None
            session.abandon_request()
            self._ticket = None
            return error
        finally:
            self._count_wait()
            self._waiting_since = None
        if self._ticket is not ticket:
            return None
        self._ticket = None
        session.receive_hypothesis(hypothesis)
        if self.observer is not None:
            lag = session.audio_seconds - session.covered_seconds
            self.observer.request_answered(_now() - began, lag, final=ticket.request.final)
        return None

    def _count_wait(self) -> None:
        if self._waiting_since is not None:
            now = _now()
            self._waited += now - self._waiting_since
            self._waiting_since = now


def _now() -> float:
    return asyncio.get_running_loop().time()
