"""The ``streamwhisper`` command: reads flags and environment, builds engines, shows text.

Flags and environment variables are read here and in `streamwhisper.cli` alone. Imports that
cost time are made inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from streamwhisper.cli.booleans import BooleanValues
from streamwhisper.cli.cluster import cluster_app
from streamwhisper.cli.flags import (
    DEFAULT_MODEL,
    Adapter,
    Device,
    Dtype,
    Json,
    Language,
    Languages,
    Model,
    Precision,
    Task,
    Threads,
    Token,
    option,
    split_names,
)
from streamwhisper.cli.loading import find_model, hub_options, load_model
from streamwhisper.cli.mic import mic
from streamwhisper.cli.serve import serve
from streamwhisper.cli.transcribe import transcribe
from streamwhisper.errors import StreamWhisperError
from streamwhisper.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    help="Real-time streaming dictation: text while the person still speaks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(
    help="Show, fetch, convert and remove models.", invoke_without_command=True
)
app.add_typer(models_app, name="models")
app.add_typer(cluster_app, name="cluster")


SoundFile = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, help="Any sound or video file.", metavar="FILE"),
]
ModelName = Annotated[str, typer.Argument(metavar="NAME")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamwhisper {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    pass


app.command()(serve)
app.command()(mic)
# Names may be spelt with underscores, as openai-whisper spells them, and flags have a value.
app.command(
    cls=BooleanValues,
    context_settings={"token_normalize_func": lambda name: name.replace("_", "-")},
)(transcribe)


@app.command()
def stream(
    file: SoundFile,
    url: Annotated[
        str | None, option("--url", help="A server; default: one in this process.")
    ] = None,
    token: Token = None,
    insecure: Annotated[
        bool,
        option("--insecure", help="Take any certificate, such as one that a server has signed."),
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, help="1 is real time, 2 twice as fast.")
    ] = 1.0,
    language: Language = None,
    languages: Languages = None,
    task: Task = "transcribe",
    as_json: Json = False,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    dtype: Precision = Dtype.auto,
    threads: Threads = None,
    adapter: Adapter = None,
) -> None:
    """Send FILE as if it were being spoken, and show the text as it appears."""
    from streamwhisper.cli.playback import play, play_here
    from streamwhisper.console import GrowingText, JsonLines

    recognizer = None if url else load_model(model, device, dtype, threads, adapter)
    options: dict[str, Any] = {"language": language, "task": task}
    options["languages"] = split_names(languages)
    with JsonLines() if as_json else GrowingText() as text:
        if url:
            options["token"] = token
            if insecure:
                from streamwhisper.client import trust_anything

                options["tls"] = trust_anything()
            asyncio.run(play(file, url, text.show, speed=speed, **options))
        elif recognizer:
            asyncio.run(play_here(file, recognizer, text.show, speed=speed, **options))


@models_app.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models that are known, and those that are cached."""
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


@models_app.command("pull")
def pull_model(name: ModelName) -> None:
    """Fetch a model, so that it serves without a network later."""
    typer.echo(find_model(name))


@models_app.command("path")
def model_path(name: ModelName) -> None:
    """Print where a cached model lies."""
    from dataclasses import replace

    from streamwhisper.checkpoints.hub import resolve

    typer.echo(resolve(name, options=replace(hub_options(), offline=True)))


@models_app.command("convert")
def convert_model(
    name: ModelName,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files in OUT.")] = False,
    adapter: Adapter = None,
) -> None:
    """Write a model as a Hugging Face folder, with an adapter merged in if one is given."""
    from streamwhisper.checkpoints.model_folder import refuse_to_overwrite

    refuse_to_overwrite(out, force=force)  # before anything is fetched
    path = find_model(name)
    from streamwhisper.checkpoints.convert import write_huggingface
    from streamwhisper.checkpoints.lora import load_adapted
    from streamwhisper.console import DownloadBar

    with DownloadBar(f"writing {out}") as progress:
        write_huggingface(load_adapted(path, adapter), out, force=force, advance=progress.advance)
    typer.echo(out)


@models_app.command("remove")
def remove_model(name: ModelName) -> None:
    """Delete a model from the cache."""
    from streamwhisper.checkpoints.hub import remove

    removed = remove(name, hub_options())
    for path in removed:
        typer.echo(f"removed {path}")
    if not removed:
        typer.echo(f"{name} is not in the cache")


def main() -> None:
    """Run the command line. Exit codes: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    # Before numpy is imported: its products are small here, and a team of threads only spins
    # between them. Torch has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except (StreamWhisperError, OSError) as error:
        from streamwhisper.console import print_error

        print_error(str(error))
        sys.exit(1)
