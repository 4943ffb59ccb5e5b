"""The ``streamwhisper`` command: reads flags and environment, builds engines, shows text.

Flags and environment variables are read in `streamwhisper.cli` only. Slow imports are made inside
the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from streamwhisper.cli.cluster import cluster_app
from streamwhisper.cli.commands import BooleanValues, SectionedHelp
from streamwhisper.cli.encoding import accept_all_text
from streamwhisper.cli.mic import mic
from streamwhisper.cli.models import models_app
from streamwhisper.cli.serve import serve
from streamwhisper.cli.stream import stream
from streamwhisper.cli.transcribe import transcribe
from streamwhisper.errors import (
    StreamWhisperError,
    UnknownLanguageError,
    UnknownModelError,
    out_of_memory,
    reason_of,
)
from streamwhisper.version import __version__

__all__ = ["app", "main"]

_WRONG_USAGE = (UnknownLanguageError, UnknownModelError)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamwhisper {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Live speech-to-text with Whisper: words appear while you speak.

    \b
    Examples:
      streamwhisper serve --open          # captions in the browser
      streamwhisper mic --to type         # dictate into any app
      streamwhisper transcribe talk.mp3   # a recording to text
    """


app.command(cls=SectionedHelp)(serve)
app.command(cls=SectionedHelp)(mic)
# Names may be written with underscores, as openai-whisper writes them, and flags take a value.
app.command(
    cls=BooleanValues,
    context_settings={"token_normalize_func": lambda name: name.replace("_", "-")},
)(transcribe)
app.command(cls=SectionedHelp)(stream)
app.add_typer(models_app, name="models")
app.add_typer(cluster_app, name="cluster")


def main() -> None:
    """Run the command line.

    Exit status: 0, 1 for an error (one line on stderr), 2 for wrong usage, 130 for Ctrl-C.
    """
    # Before numpy is imported: its products are small here, and a team of threads only spins
    # between them. Torch has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Otherwise huggingface_hub asks its own hub for a list, whatever hub it is told to use.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    accept_all_text()
    try:
        app()
    except (StreamWhisperError, OSError) as error:
        file = getattr(error, "filename", None)
        reason, wrong = reason_of(error), isinstance(error, _WRONG_USAGE)
        _fail(error, f"{file}: {reason}" if file is not None else reason, 2 if wrong else 1)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not out_of_memory(error):
            raise
        reason = next(iter(str(error).splitlines()), "") or "MemoryError"
        _fail(error, f"not enough memory ({reason}); use a smaller model, or close other programs")


def _fail(error: BaseException, message: str, status: int = 1) -> NoReturn:
    """Print a message and exit."""
    # What the failed calls hold is freed: the memory may be full.
    error.__traceback__ = error.__cause__ = error.__context__ = None
    from streamwhisper.console import print_error

    print_error(message)
    sys.exit(status)
