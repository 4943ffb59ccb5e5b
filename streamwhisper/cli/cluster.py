"""``streamwhisper cluster``: models on the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from streamwhisper.cli.flags import (
    DEFAULT_ADDRESS,
    DEFAULT_MODEL,
    Adapter,
    Address,
    Compile,
    Device,
    Dtype,
    Json,
    Precision,
    option,
)
from streamwhisper.cli.loading import check_ray, hub_options

__all__ = ["cluster_app"]

cluster_app = typer.Typer(
    help="Recognition on many machines: models on the workers of a Ray cluster.",
    no_args_is_help=True,
)

_NAME_HELP = "What gateways ask for. Default: the model's own name."


@cluster_app.command("start")
def start(
    model: Annotated[
        str, option("--model", "-m", help="Name, checkpoint file or folder, or hub id.")
    ] = DEFAULT_MODEL,
    name: Annotated[str | None, typer.Option("--name", help=_NAME_HELP)] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="That there always are.")] = 1,
    max_workers: Annotated[
        int | None, typer.Option("--max-workers", min=1, help="While much is spoken.")
    ] = None,
    device: Device = "auto",
    dtype: Precision = Dtype.auto,
    threads: Annotated[int, option("--threads", min=1, help="CPU threads of each worker.")] = 1,
    gpus: Annotated[
        float, typer.Option("--gpus", min=0, help="Of each worker; 0.5: two share one.")
    ] = 0.0,
    pasts: Annotated[
        int, typer.Option("--pasts", min=0, help="Windows whose sound a worker keeps encoded.")
    ] = 64,
    adapter: Adapter = None,
    compiled: Compile = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Deploy a model; without a cluster, start one on this machine first.

    Another model under the same name takes its place, worker by worker, while sessions run.
    """
    check_ray()
    from streamwhisper.checkpoints.hub import check_name
    from streamwhisper.cli.nodes import join_or_start
    from streamwhisper.cluster.deployment import Scale, deploy
    from streamwhisper.cluster.worker import WorkerOptions

    hub = hub_options()
    check_name(model, hub)
    try:
        scale = Scale(workers, max_workers or workers, gpus)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    options = WorkerOptions(
        model,
        device,
        dtype.value,
        threads,
        str(adapter.resolve()) if adapter else None,
        compiled,
        pasts,
        str(hub.cache_dir),
        hub.offline,
    )
    join_or_start(address)
    served = name or model
    typer.echo(f"deploying {model} as {served}; the workers load and warm up")
    deploy(served, options, scale)
    typer.echo(f"ready: streamwhisper serve --engine ray --model {served}")


@cluster_app.command("status")
def status(address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Show the models of a cluster, and its machines."""
    check_ray()
    from dataclasses import asdict

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


@cluster_app.command("stop")
def stop(
    name: Annotated[
        str | None, typer.Option("--name", help="Of one model. Default: all, and the cluster.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Take a model from a cluster, or all of them and stop Ray on this machine."""
    check_ray()
    from streamwhisper.cli.nodes import stop_node
    from streamwhisper.cluster.deployment import remove, shut_down
    from streamwhisper.cluster.recognizer import join

    join(address)
    if name is not None:
        remove(name)
        return
    shut_down()
    stop_node()
