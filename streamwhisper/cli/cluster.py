"""``streamwhisper cluster``: models on the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from streamwhisper.cli.commands import SectionedHelp
from streamwhisper.cli.flags import DEFAULT_ADDRESS, Address, Json, ModelFlags
from streamwhisper.cli.groups import grouped
from streamwhisper.cli.loading import check_ray, hub_options

__all__ = ["cluster_app"]

cluster_app = typer.Typer(
    help="Run models on the workers of a Ray cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True, slots=True)
class WorkerFlags:
    """Flags for a model's workers."""

    name: Annotated[
        str | None,
        typer.Option("--name", help="Name that gateways ask for. Default: the model's name."),
    ] = None
    workers: Annotated[int, typer.Option("--workers", min=1, help="Minimum number of workers.")] = 1
    max_workers: Annotated[
        int | None,
        typer.Option(
            "--max-workers", min=1, help="Maximum number of workers, under load. Default: minimum."
        ),
    ] = None
    gpus: Annotated[
        float,
        typer.Option("--gpus", min=0, help="GPUs per worker; 0.5: two workers share one."),
    ] = 0.0
    pasts: Annotated[
        int,
        typer.Option("--pasts", min=0, help="Windows whose encoded audio each worker caches."),
    ] = 64


@cluster_app.command("start", cls=SectionedHelp)
@grouped
def start(
    model: ModelFlags,
    workers: WorkerFlags,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Deploy a model; start a cluster on this machine if there is none.

    A model under a name that is in use replaces the old one worker by worker, while sessions run.
    Each worker uses one CPU thread unless --threads says otherwise.

    \b
    Examples:
      streamwhisper cluster start --model base --workers 4
      streamwhisper serve --engine ray --model base
    """
    check_ray()
    from streamwhisper.checkpoints.hub import check_name
    from streamwhisper.cli.nodes import join_or_start

    hub = hub_options()
    check_name(model.model, hub)
    if (most := workers.max_workers or workers.workers) < workers.workers:
        raise typer.BadParameter(
            f"--max-workers is {most}; expected {workers.workers} or more, the value of --workers"
        )
    join_or_start(address)
    # Ray is not imported before its token is set.
    from streamwhisper.cluster.deployment import Scale, deploy
    from streamwhisper.cluster.worker import WorkerOptions

    options = WorkerOptions(
        model.model,
        model.device,
        model.dtype,
        model.threads or 1,
        str(model.adapter.resolve()) if model.adapter else None,
        model.compiled,
        workers.pasts,
        str(hub.cache_dir),
        hub.offline,
    )
    served = workers.name or model.model
    typer.echo(f"deploying {model.model} as {served}: the workers load and warm up")
    deploy(served, options, Scale(workers.workers, most, workers.gpus))
    typer.echo(f"ready: streamwhisper serve --engine ray --model {served}")


@cluster_app.command("status", cls=SectionedHelp)
def status(address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show the models and machines of a cluster."""
    check_ray()
    from dataclasses import asdict

    from streamwhisper.cli.nodes import use_token

    use_token(address)
    from streamwhisper.cluster.deployment import deployed, machines
    from streamwhisper.cluster.recognizer import join
    from streamwhisper.console import print_json, print_table

    join(address)
    models, nodes = deployed(), machines()
    if as_json:
        print_json({"models": [asdict(model) for model in models], "machines": nodes})
        return
    print_table(
        ["model", "status", "workers"],
        [(model.name, model.status, _counted(model.workers)) for model in models],
    )


def _counted(workers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state.lower()}" for state, count in workers.items()) or "none"


@cluster_app.command("stop", cls=SectionedHelp)
def stop(
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="Remove only this model. Default: all models, and stop the cluster."
        ),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Remove a model, or all models and stop Ray on this machine."""
    check_ray()
    from streamwhisper.cli.nodes import stop_node, use_token

    use_token(address)
    from streamwhisper.cluster.deployment import remove, shut_down
    from streamwhisper.cluster.recognizer import join

    join(address)
    if name is not None:
        remove(name)
        return
    shut_down()
    stop_node()
