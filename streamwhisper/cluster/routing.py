"""Routing and autoscaling of workers, as extension points of Ray Serve.

A request goes to the worker that answered last about its window, because it holds the past. If that
worker is busy or gone, any other takes the request. A second copy goes to a different worker.
"""

from __future__ import annotations

import math
import random
from typing import Any

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

__all__ = ["AffineRouter", "QueuedAudioPolicy"]

QUEUED_AUDIO = "queued_audio"
"""Key of the queued audio in `Worker.record_autoscaling_stats`."""
REQUEST_SECONDS = 0.5
"""Seconds of audio counted for a request that no worker has yet."""


class AffineRouter(RequestRouter):  # type: ignore[misc]
    """Router that ranks the preferred replica first, then the less busy one of two others.

    A request is a dictionary (`streamwhisper.cluster.wire`); its ``prefer`` and ``avoid`` are
    names of replicas, or None.
    """

    # Interval of retries while all are busy; Serve's default of 0.5 s would delay live text.
    initial_backoff_s = 0.005
    max_backoff_s = 0.05

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return the replicas to try, best first; of equals Serve takes the shorter queue."""
        if pending_request is None:
            return [candidate_replicas]
        pending_request.routing_context.should_backoff = True
        message = next(iter(pending_request.args), None)
        hints: dict[str, Any] = message if isinstance(message, dict) else {}
        named = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        preferred = named.pop(hints.get("prefer"), None)
        avoided = named.pop(hints.get("avoid"), None)
        others = list(named.values())
        ranks = [[preferred]] if preferred is not None else []
        if others:
            ranks.append(random.sample(others, min(2, len(others))))
        # The avoided replica is better than none.
        return ranks or [[replica] for replica in (avoided,) if replica is not None]


class QueuedAudioPolicy:
    """Autoscaling policy that bounds the seconds of queued audio for each worker."""

    def __init__(self, seconds_per_worker: float = 1.0) -> None:
        """Set the mean queued audio for each worker, including audio in progress, in seconds."""
        self._seconds_per_worker = seconds_per_worker

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of workers, within the deployment's limits, and an empty state.

        Args:
            context: Serve's `AutoscalingContext`.
        """
        at_workers = (context.aggregated_metrics or {}).get(QUEUED_AUDIO, {})
        at_gateways = (context.total_queued_requests or 0) * REQUEST_SECONDS
        queued = math.fsum(at_workers.values()) + at_gateways
        least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
        return max(least, min(most, math.ceil(queued / self._seconds_per_worker))), {}
