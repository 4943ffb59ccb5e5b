"""Progress of a native session: what was received, acknowledgements and status."""

from __future__ import annotations

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.protocol import Ack, ServerMessage, Start, Status
from streamwhisper.server.publishing.observers import ObservedSession

__all__ = ["ProgressReporter"]

_STATUS_SECONDS = 1.0  # of audio between two reports


class ProgressReporter:
    """Counts what a session has received, and reports about it once per second of audio.

    Attributes:
        bytes: bytes of audio received.
        messages: text frames received since the start.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self._frame_bytes: int | None = None  # None: the audio is a container
        self._rate = SAMPLE_RATE
        self._waited = 0.0  # seconds of recognition since the last report
        self._reported_at = 0.0  # seconds of audio

    def record_wait(self, seconds: float) -> None:
        """Add seconds that the session has waited for the recognizer."""
        self._waited += seconds

    def start(self, start: Start, frame_bytes: int) -> None:
        """Begin to count; `frame_bytes` is the size of a raw sample of all channels."""
        if start.encoding != "container":  # its own rate is not known at the start
            self._frame_bytes, self._rate = frame_bytes, start.sample_rate

    @property
    def sample_rate(self) -> int:
        """Sample rate in which `samples` counts (Hz)."""
        return self._rate

    def samples(self, session: ObservedSession | None) -> int:
        """Return the number of samples of each channel received."""
        if self._frame_bytes is not None:
            return self.bytes // self._frame_bytes
        return int(session.audio_seconds * SAMPLE_RATE) if session is not None else 0

    def report(self, session: ObservedSession) -> list[ServerMessage]:
        """Return an acknowledgement and a status if a report is due."""
        received = session.audio_seconds
        if (elapsed := received - self._reported_at) < _STATUS_SECONDS:
            return []
        status = Status(
            lag_ms=round(1000 * (received - session.covered_seconds)),
            real_time_factor=self._waited / elapsed,
            audio_seconds=received,
            viewers=session.viewers,
        )
        self._reported_at, self._waited = received, 0.0
        return [Ack(self.samples(session), self.bytes), status]
