"""``streamwhisper mic``: dictation from the microphone into any window."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from streamwhisper.cli.dictation import (
    DEFAULT_HOTKEY,
    Keys,
    choose_sink,
    dictate,
    embedded,
    runtime_folder,
    server,
)
from streamwhisper.cli.flags import (
    DEFAULT_MODEL,
    Adapter,
    Device,
    Dtype,
    Endpoint,
    HowSoon,
    Language,
    Languages,
    Latency,
    Model,
    Precision,
    Threads,
    Token,
    WhatEnds,
    option,
    split_names,
)
from streamwhisper.cli.loading import load_model

__all__ = ["mic"]

listening = partial(option, rich_help_panel="When it listens")
outlet = partial(option, rich_help_panel="Where the text goes")
engine = partial(option, rich_help_panel="Engine")


class Action(StrEnum):
    """What a dictation that runs can be told."""

    toggle = "toggle"
    start = "start"
    stop = "stop"


class Mode(StrEnum):
    """When dictation listens."""

    continuous = "continuous"
    toggle = "toggle"
    hold = "hold"


class To(StrEnum):
    """Where text goes."""

    terminal = "terminal"
    stdout = "stdout"
    type = "type"
    clipboard = "clipboard"
    file = "file"
    command = "command"


def _read_settings(context: typer.Context, file: Path | None) -> Path | None:
    """Take a settings file's values as the command's defaults: the callback of ``--config``."""
    if context.resilient_parsing or (file is not None and not file.exists()):
        return file  # --init may be about to write it
    from streamwhisper.dictation.settings import read_settings

    settings = context.obj = read_settings(file)
    said = asdict(settings.listen) | asdict(settings.when) | asdict(settings.to)
    context.default_map = {name: value for name, value in said.items() if value is not None}
    return file


def mic(
    context: typer.Context,
    action: Annotated[
        Action | None,
        typer.Argument(help="Tell the dictation that runs already when to listen.", metavar="WHAT"),
    ] = None,
    mode: Annotated[
        Mode,
        listening(
            "--mode",
            help="All the time; from one press of the hotkey to the next; or while it is held.",
        ),
    ] = Mode.continuous,
    hotkey: Annotated[
        str | None,
        listening(
            "--hotkey",
            help=f"Heard in every window; on Wayland set up a key that runs: streamwhisper mic "
            f"toggle. Default: {DEFAULT_HOTKEY}, but none for continuous.",
        ),
    ] = None,
    beep: Annotated[
        bool, listening("--beep/--no-beep", help="A tone when it begins and ends to listen.")
    ] = False,
    microphone: Annotated[
        str | None, listening("--microphone", help="Its name, part of it, or its number.")
    ] = None,
    to: Annotated[
        To,
        outlet(
            "--to",
            help="The terminal; lines on standard output; keys into the focused window; the "
            "clipboard; the end of a file (--output); a program (--command).",
        ),
    ] = To.terminal,
    output: Annotated[Path | None, outlet("--output", help="The file that text goes to.")] = None,
    command: Annotated[
        str | None,
        outlet("--command", help="The program that finds each utterance on its standard input."),
    ] = None,
    progressive: Annotated[
        bool, outlet("--progressive", help="Type what may still change, too, and correct it.")
    ] = False,
    paste: Annotated[
        bool,
        outlet("--paste", help="Paste in place of typing; the clipboard is restored."),
    ] = False,
    verbatim: Annotated[
        bool, outlet("--verbatim", help='Obey no spoken commands, such as "new line".')
    ] = False,
    url: Annotated[
        str | None, engine("--url", help="A server; default: the engine in this process.")
    ] = None,
    token: Token = None,
    language: Language = None,
    languages: Languages = None,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    dtype: Precision = Dtype.auto,
    threads: Threads = None,
    adapter: Adapter = None,
    latency: HowSoon = Latency.balanced,
    endpoint: WhatEnds = Endpoint.sentence,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            is_eager=True,
            callback=_read_settings,
            help="Settings file; default: dictation.toml in the user's configuration folder.",
        ),
    ] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Write a settings file to begin with, and exit.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="--init may overwrite it.")] = False,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Show the microphones, and exit.")
    ] = False,
    doctor: Annotated[
        bool, typer.Option("--doctor", help="Check that all is there, say what to do, and exit.")
    ] = False,
) -> None:
    """Dictate: what is said into the microphone is written, here or into any window."""
    if init:
        from streamwhisper.dictation.settings import settings_path, write_default

        path = config or settings_path()
        write_default(path, force)
        typer.echo(path)
        return
    if action is not None:
        from streamwhisper.dictation.control import send

        typer.echo(send(runtime_folder(), action.value))
        return
    if list_devices:
        _list_devices()
        return
    _check(context, to)
    load = partial(load_model, model, device, dtype, threads, adapter)
    if doctor:
        from streamwhisper.dictation.doctor import examine, report

        findings = examine(microphone, None if url else load, os.environ, typing=to is To.type)
        raise typer.Exit(0 if report(findings) else 1)
    from streamwhisper.dictation.settings import read_settings
    from streamwhisper.dictation.terminal import TerminalSink
    from streamwhisper.phrasing.phrases import Phrases
    from streamwhisper.session.endpoint import EndpointOptions
    from streamwhisper.session.language import LanguageDetection
    from streamwhisper.session.options import SessionOptions
    from streamwhisper.whisper.languages import language_code

    settings = context.obj or read_settings(config)
    code = language_code(language) if language else None
    among = tuple(map(language_code, split_names(languages)))
    spoken = SessionOptions(
        code or LanguageDetection(among),
        endpoint=EndpointOptions(endpoint.value),
        vocabulary=settings.vocabulary,
    ).tuned(latency.value)
    obeyed = replace(settings.phrases, language=code or settings.phrases.language)
    face = TerminalSink(stderr=to is not To.terminal)
    asyncio.run(
        dictate(
            microphone,
            server(url, token, spoken) if url else embedded(load, spoken),
            choose_sink(to.value, face, output, command, progressive=progressive, paste=paste),
            face,
            Keys(mode.value, hotkey, beep),
            None if verbatim else Phrases(obeyed),
        )
    )


def _check(context: typer.Context, to: To) -> None:
    """Refuse flags that do not go together."""
    for name, place, needed in (
        ("output", To.file, True),
        ("command", To.command, True),
        ("progressive", To.type, False),
        ("paste", To.type, False),
    ):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and to is not place:
            raise typer.BadParameter(f"--{name} goes with --to {place.value}, not with {to.value}")
        if needed and to is place and not context.params[name]:
            raise typer.BadParameter(f"--to {place.value} needs --{name}")


def _list_devices() -> None:
    from streamwhisper.dictation.devices import find_device, list_devices

    devices = list_devices()
    find_device(None, devices)  # says what to do where there is none
    for device in devices:
        typer.echo(
            f"{'*' if device.default else ' '} {device.index}: {device.name} "
            f"({device.host}, {device.sample_rate} Hz, channels: {device.channels})"
        )
