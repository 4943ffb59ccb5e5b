"""Telemetry of a connection, for the log and the metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamwhisper.server.access.policy import Client
from streamwhisper.server.logs import figures
from streamwhisper.server.metrics import Metrics

__all__ = ["SessionTelemetry"]

log = logging.getLogger(__name__)


class SessionTelemetry:
    """Measures a connection, and logs a summary at its end."""

    def __init__(self, client: Client, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._client = client
        self._metrics = metrics
        self._clock = clock
        self._opened = clock()
        self._audio_seconds = 0.0
        self._updates = 0

    def open(self, session: str) -> None:
        """Log the start of the named session."""
        client = self._client
        values = figures(session=session, address=client.address, key=client.key)
        log.info("session %s: opened", session, extra=values)

    def record_audio(self, seconds: float) -> None:
        """Count received audio."""
        self._audio_seconds += seconds
        self._metrics.audio_seconds.inc(seconds)

    def request_answered(self, seconds: float, lag: float, *, final: bool) -> None:
        """Record an answered request; see `streamwhisper.live.driver.RequestObserver`."""
        self._updates += 1
        self._metrics.request_seconds.labels("final" if final else "partial").observe(seconds)
        self._metrics.lag_seconds.observe(lag)

    def request_replaced(self) -> None:
        """Record a queued partial request that gave way to a newer one."""
        self._metrics.requests_replaced.inc()

    def fail(self, session: str, error: Exception) -> None:
        """Record a failed request of the named session."""
        log.warning("session %s: a request failed: %s", session, error)
        self._metrics.request_errors.inc()

    def close(self, session: str, outcome: str, *, kept: bool = False, closed: bool = True) -> None:
        """Record the end of the connection, and log the summary.

        Args:
            session: name of the session.
            outcome: how the connection ended.
            kept: whether the session can be resumed.
            closed: whether the session has ended, i.e. did not move to another connection.
        """
        seconds = self._clock() - self._opened
        self._metrics.session_seconds.observe(seconds)
        if kept:
            self._metrics.sessions_lost.inc()
        elif closed:
            self._metrics.sessions_closed.labels(outcome).inc()
        log.info(
            "session %s: %s",
            session,
            "connection lost, session kept to be resumed" if kept else f"closed, {outcome}",
            extra=figures(
                session=session,
                outcome=outcome,
                address=self._client.address,
                key=self._client.key,
                seconds=round(seconds, 3),
                audio_seconds=round(self._audio_seconds, 3),
                updates=self._updates,
            ),
        )
