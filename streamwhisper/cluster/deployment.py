"""Deployment of models on a Ray cluster, as applications of Ray Serve.

Each application serves one model under a name. Deploying another model under that name replaces it
worker by worker while sessions run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, RequestRouterConfig

from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.cluster.recognizer import PREFIX
from streamwhisper.cluster.worker import MAX_BATCH, Worker, WorkerOptions
from streamwhisper.errors import RecognitionError, check_fields
from streamwhisper.whisper.dimensions import ModelDimensions

__all__ = [
    "Deployed",
    "Scale",
    "application",
    "deploy",
    "deployed",
    "machines",
    "remove",
    "shut_down",
]

DEPLOYMENT = "worker"

# Requests at a worker without a GPU. With two, a briefly busy worker sent sessions to others, which
# had to compute their windows again and became busy themselves.
_AT_A_CPU = 8
# Health checks of all workers. Ray replaces a dead worker only after its check has failed.
_CHECKS_PER_SECOND = 100


@dataclass(frozen=True, slots=True)
class Scale:
    """Number of workers of a model, and the resources of each.

    Attributes:
        least: minimum number of workers.
        most: maximum number of workers.
        gpus: GPUs of each worker; a fraction lets several models share a GPU.
        memory: memory reserved for each worker, in bytes; None estimates it by the model's size.
        queued_audio: queued audio for each worker, in seconds, above which workers are added.

    Raises:
        ValueError: a value is out of range.
    """

    least: int = 1
    most: int = 1
    gpus: float = 0.0
    memory: int | None = None
    queued_audio: float = 1.0

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("least", self.least >= 1, "1 or more"),
            ("most", self.most >= self.least, f"least ({self.least}) or more"),
            ("gpus", self.gpus >= 0, "0 or more"),
            ("memory", self.memory is None or self.memory > 0, "above 0 bytes"),
            ("queued_audio", self.queued_audio > 0, "above 0 s"),
        )


@dataclass(frozen=True, slots=True)
class Deployed:
    """Deployed model of the cluster.

    Attributes:
        name: name that gateways request.
        status: status reported by Ray, e.g. ``"RUNNING"`` or ``"DEPLOYING"``.
        workers: number of workers by state.
        message: message reported by Ray.
    """

    name: str
    status: str
    workers: Mapping[str, int]
    message: str


def application(arguments: Mapping[str, Any]) -> Any:
    """Build the application for Ray Serve; the ``import_path`` of its configuration files.

    Args:
        arguments: fields of `WorkerOptions` and of `Scale`, by name.

    Raises:
        ValueError: an argument is unknown or out of range.
    """
    known = {field.name for field in fields(WorkerOptions)}
    scaling = {field.name for field in fields(Scale)}
    unknown = sorted(set(arguments) - known - scaling)
    if unknown:
        raise ValueError(
            f"unknown argument {unknown[0]!r}; expected one of {sorted(known | scaling)}"
        )
    options = WorkerOptions(**{name: arguments[name] for name in known & set(arguments)})
    return bound(options, Scale(**{name: arguments[name] for name in scaling & set(arguments)}))


def bound(options: WorkerOptions, scale: Scale) -> Any:
    """Return an application of Ray Serve with workers of one model."""
    policy = AutoscalingPolicy(
        policy_function="streamwhisper.cluster.routing:QueuedAudioPolicy",
        policy_kwargs={"seconds_per_worker": scale.queued_audio},
    )
    count: dict[str, Any] = {"num_replicas": scale.least}
    if scale.most > scale.least:
        count = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=scale.least,
                max_replicas=scale.most,
                metrics_interval_s=2.0,
                look_back_period_s=10.0,
                upscale_delay_s=4.0,
                downscale_delay_s=120.0,
                policy=policy,
            )
        }
    needs: dict[str, Any] = {"num_cpus": options.threads, "num_gpus": scale.gpus}
    if memory := scale.memory or estimated_memory(options):
        needs["memory"] = memory
    router = RequestRouterConfig(
        request_router_class="streamwhisper.cluster.routing:AffineRouter",
    )
    return (
        serve.deployment(Worker)
        .options(
            name=DEPLOYMENT,
            max_ongoing_requests=2 * MAX_BATCH if scale.gpus else _AT_A_CPU,
            ray_actor_options=needs,
            request_router_config=router,
            health_check_period_s=max(1.0, scale.most / _CHECKS_PER_SECOND),
            graceful_shutdown_timeout_s=20.0,
            **count,
        )
        .bind(options)
    )


def estimated_memory(options: WorkerOptions) -> int | None:
    """Return the memory of a worker in bytes; None if the model is not in the catalog."""
    model = KNOWN_MODELS.get(options.model)
    if model is None:
        return None
    dims = model.dims
    weights = 4 * parameters(dims)
    # Keys and values of a half-full window, two bytes each.
    layers = dims.n_audio_layer * dims.n_audio_state + dims.n_text_layer * dims.n_text_state
    past = 2 * 2 * layers * dims.n_audio_ctx // 2
    return 400_000_000 + 2 * weights + options.pasts * past


def parameters(dims: ModelDimensions) -> int:
    """Return the approximate number of parameters of a model."""
    encoder = 12 * dims.n_audio_layer * dims.n_audio_state**2
    decoder = 16 * dims.n_text_layer * dims.n_text_state**2
    return encoder + decoder + dims.n_vocab * dims.n_text_state


def deploy(name: str, options: WorkerOptions, scale: Scale) -> None:
    """Deploy a model under a name, and wait until its workers are warm.

    Raises:
        RecognitionError: the deployment failed.
    """
    serve.start(proxy_location="Disabled")
    try:
        serve.run(bound(options, scale), name=PREFIX + name, route_prefix=None)
    except RuntimeError as error:
        raise RecognitionError(f"{name} could not be deployed: {error}") from error


def remove(name: str) -> None:
    """Remove a model from the cluster."""
    serve.delete(PREFIX + name)


def deployed() -> list[Deployed]:
    """Return the models of the cluster that this process has joined."""
    found = []
    for name, status in serve.status().applications.items():
        if name.startswith(PREFIX):
            workers = {
                str(state): count
                for deployment in status.deployments.values()
                for state, count in deployment.replica_states.items()
            }
            served = name.removeprefix(PREFIX)
            found.append(Deployed(served, str(status.status.value), workers, status.message))
    return found


def machines() -> list[dict[str, Any]]:
    """Return ``address``, ``alive`` and ``resources`` of each machine of the cluster."""
    return [
        {
            "address": node["NodeManagerAddress"],
            "alive": node["Alive"],
            "resources": {
                name: amount
                for name, amount in node["Resources"].items()
                if name in ("CPU", "GPU", "memory")
            },
        }
        for node in ray.nodes()
    ]


def shut_down() -> None:
    """Stop all applications of Ray Serve on the cluster."""
    serve.shutdown()
