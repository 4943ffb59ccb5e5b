"""Metrics of a server, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

__all__ = ["METRICS_CONTENT_TYPE", "Metrics"]

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_MINUTES = (1, 5, 15, 60, 300, 900, 3600, 14400)  # in seconds
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class _SessionMetrics:
    """Connections and sessions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter, histogram = partial(Counter, registry=registry), partial(_histogram, registry)
        self.connections = counter(
            "streamwhisper_connections",
            "Connections that send audio, by path (each path has its own protocol).",
            ["path"],
        )
        self.sessions_closed = counter(
            "streamwhisper_sessions_closed", "Sessions that have ended, by outcome.", ["outcome"]
        )
        self.sessions_lost = counter(
            "streamwhisper_sessions_lost",
            "Lost connections whose sessions were kept to be resumed.",
        )
        self.sessions_resumed = counter(
            "streamwhisper_sessions_resumed", "Sessions resumed in another connection."
        )
        self.sessions_refused = counter(
            "streamwhisper_sessions_refused",
            "Rejected sessions; streamwhisper_errors has the reasons.",
        )
        self.errors = counter("streamwhisper_errors", "Errors sent to clients, by code.", ["code"])
        self.session_seconds = histogram(
            "streamwhisper_session_seconds", "Duration of connections.", _MINUTES
        )
        self.audio_seconds = counter("streamwhisper_audio_seconds", "Seconds of audio received.")
        self.audio_held_seconds = counter(
            "streamwhisper_audio_held_seconds",
            "Seconds for which sockets were not read because audio arrived too fast.",
        )
        self.recording_failures = counter(
            "streamwhisper_recording_failures",
            "Sessions whose record could not be written completely.",
        )
        self.viewers_dropped = counter(
            "streamwhisper_viewers_dropped", "Viewers dropped because they did not read."
        )


class _RecognitionMetrics:
    """Requests to the recognizer, and how far text lags behind audio."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter, histogram = partial(Counter, registry=registry), partial(_histogram, registry)
        self.lag_seconds = histogram(
            "streamwhisper_lag_seconds",
            "Audio received but not covered by an update when the update is sent.",
            _SECONDS,
        )
        self.commit_lag_seconds = histogram(
            "streamwhisper_commit_lag_seconds",
            "Audio received between the end of a word and its commit; with real-time audio, the "
            "latency of committed words.",
            _SECONDS,
        )
        self.request_seconds = histogram(
            "streamwhisper_request_seconds",
            "Time from a request to the recognizer's answer, including the wait.",
            _SECONDS,
            ["kind"],
        )
        self.request_errors = counter(
            "streamwhisper_request_errors", "Requests that the recognizer failed to answer."
        )
        self.requests_replaced = counter(
            "streamwhisper_requests_replaced",
            "Waiting requests for partial text that were replaced by newer ones.",
        )
        self.encoder_calls = counter(
            "streamwhisper_encoder_calls", "Audio windows passed to the encoder."
        )
        self.batch_size = histogram("streamwhisper_batch_size", "Requests per batch.", _SIZES)
        self.batch_seconds = histogram(
            "streamwhisper_batch_seconds", "Time the recognizer needs for a batch.", _SECONDS
        )


class _RestMetrics:
    """Recordings sent over HTTP."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rest_requests = Counter(
            "streamwhisper_rest_requests",
            "Recordings sent over HTTP, by operation and response status.",
            ["operation", "status"],
            registry=registry,
        )
        self.rest_seconds = _histogram(
            registry,
            "streamwhisper_rest_seconds",
            "Time from the first byte of such a request to the end of its response.",
            _MINUTES,
            ["operation"],
        )


class Metrics(_SessionMetrics, _RecognitionMetrics, _RestMetrics):
    """Counters, gauges and histograms of one server.

    Attributes:
        registry: belongs to this server, so that a process can have several.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        _SessionMetrics.__init__(self, self.registry)
        _RecognitionMetrics.__init__(self, self.registry)
        _RestMetrics.__init__(self, self.registry)

    def record_batch(self, size: int, seconds: float) -> None:
        """Count a batch of `size` requests that took so many seconds."""
        self.encoder_calls.inc(size)
        self.batch_size.observe(size)
        self.batch_seconds.observe(seconds)

    def count_error(self, code: str) -> None:
        """Count an error that is sent to a client."""
        self.errors.labels(code).inc()

    def follow(self, name: str, explanation: str, value: Callable[[], float]) -> None:
        """Add a gauge that calls `value` whenever the metrics are read."""
        gauge = Gauge(f"streamwhisper_{name}", explanation, registry=self.registry)
        gauge.set_function(value)

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


def _histogram(
    registry: CollectorRegistry,
    name: str,
    explanation: str,
    buckets: tuple[float, ...],
    labels: tuple[str, ...] | list[str] = (),
) -> Histogram:
    return Histogram(name, explanation, labels, buckets=buckets, registry=registry)
