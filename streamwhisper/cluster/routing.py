"""Where Ray Serve sends a request, and how many workers it keeps: its own extension points.

A request goes to the worker that answered last about its window, as that one holds the past; to
any other where that one is busy or gone. A request that is sent a second time goes elsewhere.
"""

from __future__ import annotations

import math
import random
from typing import Any

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

__all__ = ["AffineRouter", "QueuedAudioPolicy"]

QUEUED_AUDIO = "queued_audio"
"""What `Worker.record_autoscaling_stats` calls it."""
REQUEST_SECONDS = 0.5
"""Sound that a request brings, for those that no worker has yet."""


class AffineRouter(RequestRouter):  # type: ignore[misc]
    """Ranks replicas: the one that the request prefers, then the less busy one of two others.

    A request is one dictionary (`streamwhisper.cluster.wire`); ``prefer`` and ``avoid`` in it are
    names of replicas, or None.
    """

    # While all are busy, they are asked again; Serve's own half a second would be heard.
    initial_backoff_s = 0.005
    max_backoff_s = 0.05

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Replicas to try, best first; of equals Serve takes the one with the shorter queue."""
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
        # Better the same one twice than none.
        return ranks or [[replica] for replica in (avoided,) if replica is not None]


class QueuedAudioPolicy:
    """Keeps so many workers that each has no more sound before it than so many seconds."""

    def __init__(self, seconds_per_worker: float = 1.0) -> None:
        """Have so much sound at each worker, waiting or worked on, on average over time."""
        self._seconds_per_worker = seconds_per_worker

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """How many workers are wanted, within the deployment's limits; no state.

        Args:
            context: Serve's `AutoscalingContext`.
        """
        at_workers = (context.aggregated_metrics or {}).get(QUEUED_AUDIO, {})
        at_gateways = (context.total_queued_requests or 0) * REQUEST_SECONDS
        queued = math.fsum(at_workers.values()) + at_gateways
        least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
        return max(least, min(most, math.ceil(queued / self._seconds_per_worker))), {}
