"""``streamwhisper models``: list, download, convert and remove models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamwhisper.cli.commands import SectionedHelp
from streamwhisper.cli.flags import Json, option
from streamwhisper.cli.loading import find_model, hub_options

__all__ = ["models_app"]

models_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
)

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="Model name or hub id.")]


@models_app.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List, download, convert and remove models.

    \b
    Examples:
      streamwhisper models                       # known and cached models
      streamwhisper models pull base             # download now, use offline later
      streamwhisper models convert base ./base   # write a Hugging Face folder
    """
    if context.invoked_subcommand:
        return
    from dataclasses import asdict

    from streamwhisper.checkpoints.hub import list_models
    from streamwhisper.console import print_json, print_models

    found = list_models(hub_options())
    if as_json:
        for status in found:
            print_json(asdict(status))
    else:
        print_models(found)


@models_app.command("pull", cls=SectionedHelp)
def pull_model(name: ModelName) -> None:
    """Download a model, so that it loads without a network later."""
    typer.echo(find_model(name))


@models_app.command("path", cls=SectionedHelp)
def model_path(name: ModelName) -> None:
    """Print the path of a cached model."""
    from dataclasses import replace

    from streamwhisper.checkpoints.hub import resolve

    typer.echo(resolve(name, options=replace(hub_options(), offline=True)))


@models_app.command("convert", cls=SectionedHelp)
def convert_model(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Model name, checkpoint file or folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files in OUT.")] = False,
    adapter: Annotated[
        Path | None, option("--adapter", help="Folder of a LoRA adapter to merge.")
    ] = None,
) -> None:
    """Write a model as a Hugging Face folder."""
    from streamwhisper.checkpoints.model_folder import refuse_to_overwrite

    refuse_to_overwrite(out, force=force)  # before anything is downloaded
    path = find_model(name)
    from streamwhisper.checkpoints.convert import write_huggingface
    from streamwhisper.checkpoints.lora import load_adapted
    from streamwhisper.console import DownloadBar

    with DownloadBar(f"writing {out}") as progress:
        write_huggingface(load_adapted(path, adapter), out, force=force, advance=progress.advance)
    typer.echo(out)


@models_app.command("remove", cls=SectionedHelp)
def remove_model(name: ModelName) -> None:
    """Delete a model from the cache."""
    from streamwhisper.checkpoints.hub import remove

    removed = remove(name, hub_options())
    for path in removed:
        typer.echo(f"removed {path}")
    if not removed:
        typer.echo(f"{name} is not in the cache")
