"""Acknowledgement of received audio, and status of a native session."""

from __future__ import annotations

from streamwhisper.protocol import Ack, ServerMessage, Status
from streamwhisper.server.publishing.observers import ObservedSession

__all__ = ["ProgressReporter"]

_STATUS_SECONDS = 1.0  # of audio between two reports


class ProgressReporter:
    """Reports about a session, one per second of audio."""

    def __init__(self) -> None:
        self._waited = 0.0  # seconds of recognition since the last report
        self._reported_at = 0.0  # seconds of audio

    def record_wait(self, seconds: float) -> None:
        """Add seconds that the session has waited for the recognizer."""
        self._waited += seconds

    def report(self, session: ObservedSession, samples: int, bytes: int) -> list[ServerMessage]:
        """Return an acknowledgement and a status if a report is due.

        Args:
            session: the session.
            samples: number of received samples of each channel.
            bytes: number of received bytes.
        """
        received = session.audio_seconds
        if (elapsed := received - self._reported_at) < _STATUS_SECONDS:
            return []
        status = Status(
            lag_ms=round(1000 * (received - session.covered_seconds)),
            real_time_factor=self._waited / elapsed,
            audio_seconds=received,
        )
        self._reported_at, self._waited = received, 0.0
        return [Ack(samples, bytes), status]
