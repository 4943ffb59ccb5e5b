"""What a server measures of itself, for Prometheus to read."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

__all__ = ["METRICS_CONTENT_TYPE", "Metrics"]

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_MINUTES = (1, 5, 15, 60, 300, 900, 3600, 14400)  # in seconds
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """One server's counters, gauges and histograms; every server has its own registry."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.connections = Counter(
            "streamwhisper_connections",
            "Connections that take sound, by their path: each has its protocol.",
            ["path"],
            registry=registry,
        )
        self.sessions_closed = Counter(
            "streamwhisper_sessions_closed",
            "Sessions that are over, by how they ended.",
            ["outcome"],
            registry=registry,
        )
        self.sessions_lost = Counter(
            "streamwhisper_sessions_lost",
            "Connections that were lost, their sessions kept to be resumed.",
            registry=registry,
        )
        self.sessions_resumed = Counter(
            "streamwhisper_sessions_resumed",
            "Sessions that went on in another connection.",
            registry=registry,
        )
        self.sessions_refused = Counter(
            "streamwhisper_sessions_refused",
            "Sessions that were not let in; streamwhisper_errors has the reasons.",
            registry=registry,
        )
        self._errors = Counter(
            "streamwhisper_errors",
            "Errors that clients were told, by their code.",
            ["code"],
            registry=registry,
        )
        self.session_seconds = Histogram(
            "streamwhisper_session_seconds",
            "How long connections lasted.",
            buckets=_MINUTES,
            registry=registry,
        )
        self.audio_held_seconds = Counter(
            "streamwhisper_audio_held_seconds",
            "Time in which sockets were left unread because their sound came too fast.",
            registry=registry,
        )
        self.lag_seconds = Histogram(
            "streamwhisper_lag_seconds",
            "Sound received after the newest that an update covers, when that update is told.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.commit_lag_seconds = Histogram(
            "streamwhisper_commit_lag_seconds",
            "Sound received after a word's end until it is committed: where sound comes in real "
            "time, how long the word took.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.recording_failures = Counter(
            "streamwhisper_recording_failures",
            "Sessions whose record could not be written, or not to its end.",
            registry=registry,
        )
        self.viewers_dropped = Counter(
            "streamwhisper_viewers_dropped",
            "Viewers that did not read what they were sent.",
            registry=registry,
        )
        self.audio_seconds = Counter(
            "streamwhisper_audio_seconds", "Audio received, in seconds.", registry=registry
        )
        self.request_seconds = Histogram(
            "streamwhisper_request_seconds",
            "From asking the recognizer to its answer, waiting included.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.request_errors = Counter(
            "streamwhisper_request_errors",
            "Requests that the recognizer could not answer.",
            registry=registry,
        )
        self.requests_replaced = Counter(
            "streamwhisper_requests_replaced",
            "Partials that were given up, while they waited, for fresher ones.",
            registry=registry,
        )
        self._encoder_calls = Counter(
            "streamwhisper_encoder_calls",
            "Windows of sound that the encoder was given.",
            registry=registry,
        )
        self._batch_size = Histogram(
            "streamwhisper_batch_size",
            "Requests in a batch.",
            buckets=_SIZES,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "streamwhisper_batch_seconds",
            "Time the recognizer took for a batch.",
            buckets=_SECONDS,
            registry=registry,
        )

        self.rest_requests = Counter(
            "streamwhisper_rest_requests",
            "Recordings that were sent over HTTP, by what was answered.",
            ["operation", "status"],
            registry=registry,
        )
        self.rest_seconds = Histogram(
            "streamwhisper_rest_seconds",
            "How long such requests took, from their first byte to the end of their answer.",
            ["operation"],
            buckets=_MINUTES,
            registry=registry,
        )

    def record_batch(self, size: int, seconds: float) -> None:
        """A batch of `size` requests took so long."""
        self._encoder_calls.inc(size)
        self._batch_size.observe(size)
        self._batch_seconds.observe(seconds)

    def count_error(self, code: str) -> None:
        """A client was told an error with this code."""
        self._errors.labels(code).inc()

    def follow(self, name: str, explanation: str, value: Callable[[], float]) -> None:
        """Add a gauge that asks `value` whenever it is read."""
        gauge = Gauge(f"streamwhisper_{name}", explanation, registry=self.registry)
        gauge.set_function(value)

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
