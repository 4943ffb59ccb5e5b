"""``streamwhisper stream``: a file through the live engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from streamwhisper.cli.flags import (
    DetectionFlag,
    Json,
    LanguageFlag,
    ModelFlags,
    SelectionFlags,
    Task,
    Token,
    option,
)
from streamwhisper.cli.groups import grouped
from streamwhisper.cli.loading import load_model
from streamwhisper.errors import AudioFormatError

__all__ = ["stream"]


@dataclass(frozen=True, slots=True)
class ServerFlags:
    """Flags for the server to send audio to."""

    url: Annotated[
        str | None,
        option("--url", help="Address of a server. Default: the engine in this process."),
    ] = None
    token: Token = None
    insecure: Annotated[
        bool,
        option("--insecure", help="Skip TLS certificate verification (e.g. self-signed)."),
    ] = False


@grouped
def stream(
    file: Annotated[
        Path,
        typer.Argument(help="Audio or video file.", metavar="FILE"),
    ],
    server: ServerFlags,
    language: LanguageFlag,
    detection: DetectionFlag,
    model: ModelFlags,
    selection: SelectionFlags,
    speed: Annotated[
        float,
        typer.Option("--speed", min=0.1, max=1000, help="1: real time; 2: twice as fast."),
    ] = 1.0,
    task: Task = "transcribe",
    as_json: Json = False,
) -> None:
    """Stream a file to the live engine or a server, as if spoken.

    \b
    Examples:
      streamwhisper stream talk.flac
      streamwhisper stream talk.flac --url wss://host:8765/v1/stream
      streamwhisper stream talk.flac --json --speed 4
    """
    from streamwhisper.audio.files import check_file
    from streamwhisper.cli.playback import Recording, play, play_here
    from streamwhisper.console import GrowingText, JsonLines, print_notice

    try:
        check_file(file)
    except AudioFormatError as error:
        raise typer.BadParameter(str(error)) from error
    recording = Recording(file, selection.selection(), speed)
    recognizer = None if server.url else load_model(model)
    if recognizer is not None:
        recognizer.info.check_languages([language.language or "", *detection.names()])
        recognizer.info.check_task(task)
    # Sent as given: the server knows its model's languages.
    options: dict[str, Any] = {
        "language": language.language,
        "languages": detection.names(),
        "task": task,
    }
    spoken = False
    with JsonLines() if as_json else GrowingText() as text:
        if server.url:
            options["token"] = server.token
            if server.insecure:
                from streamwhisper.client import trust_anything

                options["tls"] = trust_anything()
            spoken = asyncio.run(play(recording, server.url, text.show, **options))
        elif recognizer:
            spoken = asyncio.run(play_here(recording, recognizer, text.show, **options))
    if not spoken:
        print_notice(f"{file}: no speech found")
