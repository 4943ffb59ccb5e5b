"""What a session asks of the recognizer: one request at a time, kept up to the newest sound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from streamwhisper.errors import RecognitionError
from streamwhisper.live.scheduler import Scheduler, Ticket, Withdrawn
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.sessions.telemetry import SessionTelemetry
from streamwhisper.session.session import Session

__all__ = ["SessionDriver"]

log = logging.getLogger(__name__)


class SessionDriver:
    """The request of a session that is under way, if there is one.

    Attributes:
        news: something came in that may change what is asked.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        metrics: Metrics,
        account: SessionTelemetry,
        clock: Callable[[], float],
    ) -> None:
        """Ask nothing yet."""
        self.news = asyncio.Event()
        self._scheduler = scheduler
        self._metrics = metrics
        self._account = account
        self._clock = clock
        self._ticket: Ticket | None = None
        self._waiting_since: float | None = None
        self._waited = 0.0  # not taken yet

    @property
    def under_way(self) -> bool:
        """Whether there is something to be answered."""
        return self._ticket is not None

    def advance(self, session: Session) -> None:
        """Ask for as much as the session can by now.

        A partial that waits for its turn gives way to one that reaches further, or to a final;
        a final is asked for again as it was. What the recognizer has already stands.
        """
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
            if not ticket.request.final:
                self._metrics.requests_replaced.inc()
            ticket.replace(request)

    def withdraw(self) -> None:
        """Ask nothing any more."""
        if self._ticket is not None:
            self._ticket.withdraw()
            self._ticket = None

    async def answer(self, session: Session, name: str) -> bool:
        """Have the request answered, and tell the session.

        Args:
            name: the session's, for the log.

        Returns:
            False when that failed.
        """
        ticket = self._ticket
        assert ticket is not None
        began = self._waiting_since = self._clock()
        try:
            hypothesis = await self._scheduler.recognize(ticket)
        except Withdrawn:  # the session needs no answer any more
            return True
        except RecognitionError as error:
            if self._ticket is not ticket:  # the session was handed over meanwhile
                return True
            log.warning("session %s: a request failed: %s", name, error)
            self._metrics.request_errors.inc()
            session.abandon_request()
            self._ticket = None
            return False
        finally:
            self._count_wait()
            self._waiting_since = None
        if self._ticket is not ticket:
            return True
        session.receive_hypothesis(hypothesis)
        lag = session.audio_seconds - session.covered_seconds
        self._account.answer(self._clock() - began, lag, final=ticket.request.final)
        self._ticket = None
        return True

    def take_wait(self) -> float:
        """Seconds of waiting since this was asked last, answered or not."""
        self._count_wait()
        waited, self._waited = self._waited, 0.0
        return waited

    def _count_wait(self) -> None:
        if self._waiting_since is not None:
            now = self._clock()
            self._waited += now - self._waiting_since
            self._waiting_since = now
