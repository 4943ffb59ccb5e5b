"""``streamwhisper mic``: dictation with the microphone, into the terminal or any app."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from streamwhisper.cli.dictation import (
    DEFAULT_HOTKEY,
    Keys,
    choose_sink,
    command_words,
    dictate,
    embedded,
    runtime_folder,
    server,
    warn_of_tampering,
)
from streamwhisper.cli.flags import (
    DetectionFlag,
    LanguageFlag,
    LiveFlags,
    ModelFlags,
    Token,
    option,
)
from streamwhisper.cli.groups import grouped
from streamwhisper.cli.loading import load_model

__all__ = ["mic"]

_listening = partial(option, rich_help_panel="Listening")
_output = partial(option, rich_help_panel="Output")


def _read_settings(context: typer.Context, file: Path | None) -> Path | None:
    """Take a settings file's values as the command's defaults: the callback of ``--config``."""
    if context.resilient_parsing or (file is not None and not file.exists()):
        return file  # --init may be about to write it
    from streamwhisper.dictation.settings import read_settings

    settings = context.obj = read_settings(file)
    given = asdict(settings.listen) | asdict(settings.when) | asdict(settings.to)
    context.default_map = {name: value for name, value in given.items() if value is not None}
    return file


@dataclass(frozen=True, slots=True)
class ListeningFlags:
    """Flags for the listening mode and the microphone."""

    mode: Annotated[
        Literal["continuous", "toggle", "hold"],
        _listening(
            "--mode",
            help="continuous: always; toggle: from one press of the hotkey to the next; hold: "
            "while the hotkey is held.",
        ),
    ] = "continuous"
    hotkey: Annotated[
        str | None,
        _listening(
            "--hotkey",
            help="Hotkey in every window. On Wayland, bind a key of the desktop to: streamwhisper "
            f"mic toggle. Default: {DEFAULT_HOTKEY}; none for continuous.",
        ),
    ] = None
    beep: Annotated[
        bool, _listening("--beep/--no-beep", help="Play a tone when listening starts and stops.")
    ] = False
    microphone: Annotated[
        str | None, _listening("--microphone", help="Microphone: its name, part of it, or number.")
    ] = None
    channel: Annotated[
        int | None,
        _listening(
            "--channel",
            min=1,
            help="Channel of the microphone, from 1. Default: all that carry audio, mixed.",
        ),
    ] = None

    @property
    def keys(self) -> Keys:
        """The listening mode, hotkey and tones."""
        return Keys(self.mode, self.hotkey, self.beep)


@dataclass(frozen=True, slots=True)
class DestinationFlags:
    """Flags for the destination of dictated text."""

    to: Annotated[
        Literal["terminal", "stdout", "type", "clipboard", "file", "command"],
        _output(
            "--to",
            help="terminal; stdout: one line per utterance; type: keys into the focused window; "
            "clipboard; file: appended to --output; command: standard input of --command.",
        ),
    ] = "terminal"
    output: Annotated[Path | None, _output("--output", help="File to append text to.")] = None
    command: Annotated[
        str | None,
        _output("--command", help="Program that reads each utterance on its standard input."),
    ] = None
    progressive: Annotated[
        bool, _output("--progressive", help="Also type text that may change, and correct it.")
    ] = False
    paste: Annotated[
        bool, _output("--paste", help="Paste instead of typing; the clipboard is restored.")
    ] = False
    paste_keys: Annotated[
        Literal["auto", "ctrl+v", "ctrl+shift+v", "shift+insert"],
        _output(
            "--paste-keys",
            help="Keys that paste; others than auto imply --paste. auto: by the focused window, "
            "e.g. Shift+Insert in terminals.",
        ),
    ] = "auto"
    verbatim: Annotated[
        bool, _output("--verbatim", help='Ignore spoken commands, e.g. "new line".')
    ] = False

    @property
    def pastes(self) -> bool:
        """True if text is pasted even where it could be typed."""
        return self.paste or self.paste_keys != "auto"


@dataclass(frozen=True, slots=True)
class RemoteEngineFlags:
    """Flags for a server in place of the engine in this process."""

    url: Annotated[
        str | None,
        option("--url", help="Address of a server. Default: the engine in this process."),
    ] = None
    token: Token = None


@dataclass(frozen=True, slots=True)
class SettingsFlags:
    """Flags for the settings file and for reports that end the command."""

    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            is_eager=True,
            callback=_read_settings,
            help="Settings file. Default: dictation.toml in the user's configuration folder.",
        ),
    ] = None
    init: Annotated[bool, typer.Option("--init", help="Write a settings file and exit.")] = False
    force: Annotated[
        bool, typer.Option("--force", help="Let --init overwrite the settings file.")
    ] = False
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List the microphones and exit.")
    ] = False
    doctor: Annotated[
        bool, typer.Option("--doctor", help="Check the set-up, suggest fixes, and exit.")
    ] = False


@grouped
def mic(
    context: typer.Context,
    listening: ListeningFlags,
    output: DestinationFlags,
    engine: RemoteEngineFlags,
    language: LanguageFlag,
    detection: DetectionFlag,
    model: ModelFlags,
    live: LiveFlags,
    settings: SettingsFlags,
    action: Annotated[
        Literal["toggle", "start", "stop"] | None,
        typer.Argument(
            help="Control the dictation that is already running: toggle, start or stop.",
            metavar="ACTION",
        ),
    ] = None,
) -> None:
    """Dictate with the microphone, into the terminal or any app.

    \b
    Examples:
      streamwhisper mic                          # text in the terminal
      streamwhisper mic --to type                # into the focused window
      streamwhisper mic --to type --mode hold    # while Ctrl+Alt+Space is held
      streamwhisper mic toggle                   # pause or resume
      streamwhisper mic --doctor                 # check the set-up
    """
    if settings.init:
        _write_settings(settings)
    elif action is not None:
        from streamwhisper.dictation.control import send

        typer.echo(send(runtime_folder(), action))
    elif settings.list_devices:
        _list_devices()
    else:
        _check(context, output.to)
        if settings.doctor:
            _examine(listening, output, engine, model)
        _dictate(context, listening, output, engine, language, detection, model, live, settings)


def _dictate(
    context: typer.Context,
    listening: ListeningFlags,
    output: DestinationFlags,
    engine: RemoteEngineFlags,
    language: LanguageFlag,
    detection: DetectionFlag,
    model: ModelFlags,
    live: LiveFlags,
    files: SettingsFlags,
) -> None:
    """Dictate until Ctrl-C."""
    from streamwhisper.dictation.microphone import MicrophoneOptions
    from streamwhisper.dictation.settings import read_settings
    from streamwhisper.dictation.terminal import TerminalSink
    from streamwhisper.phrasing.phrases import Phrases

    settings = context.obj or read_settings(files.config)
    given = language.tag()
    options = live.session_options(given, detection.tags())
    spoken = replace(options, vocabulary=settings.vocabulary)
    code = given.partition("-")[0] if given else settings.phrases.language
    phrases = replace(settings.phrases, language=code)
    face = TerminalSink(stderr=output.to != "terminal")
    sink = choose_sink(
        output.to,
        face,
        output.output,
        output.command,
        progressive=output.progressive,
        paste=output.pastes,
        paste_keys=output.paste_keys,
    )
    if engine.url:
        warn_of_tampering(engine.url, output.to, face.say)
    asyncio.run(
        dictate(
            MicrophoneOptions(listening.microphone, channel=listening.channel),
            server(engine.url, engine.token, spoken)
            if engine.url
            else embedded(partial(load_model, model), spoken),
            sink,
            face,
            listening.keys,
            None if output.verbatim else Phrases(phrases),
            starting=f"Connecting to {engine.url}…"
            if engine.url
            else f"Loading {model.model}… You can already speak.",
        )
    )


def _check(context: typer.Context, to: str) -> None:
    """Raise BadParameter for flags that do not go together."""
    for name, place, needed in (
        ("output", "file", True),
        ("command", "command", True),
        ("progressive", "type", False),
        ("paste", "type", False),
        ("paste_keys", "type", False),
    ):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and to != place:
            flag = name.replace("_", "-")
            raise typer.BadParameter(f"--{flag} needs --to {place}; --to is {to}")
        if needed and to == place and not context.params[name]:
            raise typer.BadParameter(f"--to {place} needs --{name}")


def _write_settings(settings: SettingsFlags) -> None:
    from streamwhisper.dictation.settings import settings_path, write_default

    path = settings.config or settings_path()
    write_default(path, settings.force)
    typer.echo(path)


def _examine(
    listening: ListeningFlags,
    output: DestinationFlags,
    engine: RemoteEngineFlags,
    model: ModelFlags,
) -> None:
    """Print findings about the set-up and exit: 0 when all is well, else 1."""
    from streamwhisper.dictation.doctor import Wanted, examine, report

    load = None if engine.url else partial(load_model, model)
    wanted = Wanted(
        listening.microphone,
        listening.channel,
        output.to,
        paste=output.pastes,
        paste_keys=output.paste_keys,
        hotkey=listening.keys.wanted or DEFAULT_HOTKEY,
        program=command_words(output.command)[0] if output.command else None,
    )
    findings = examine(wanted, load, os.environ)
    raise typer.Exit(0 if report(findings) else 1)


def _list_devices() -> None:
    from streamwhisper.dictation.devices import find_device, list_devices

    devices = list_devices()
    find_device(None, devices)  # raises when there is none
    for device in devices:
        typer.echo(
            f"{'*' if device.default else ' '} {device.index}: {device.name} "
            f"({device.host}, {device.sample_rate} Hz, channels: {device.channels})"
        )
