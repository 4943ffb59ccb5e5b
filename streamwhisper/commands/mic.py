"""``streamwhisper mic``: dictation from the microphone into any window."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamwhisper.commands.flags import (
    DEFAULT_MODEL,
    Adapter,
    Device,
    Dtype,
    Endpoint,
    HowSoon,
    Language,
    Latency,
    Model,
    Precision,
    Threads,
    Token,
    WhatEnds,
    option,
)
from streamwhisper.commands.loading import load_model

if TYPE_CHECKING:
    from streamwhisper.dictation.app import Engine
    from streamwhisper.dictation.embedded import Stream
    from streamwhisper.dictation.phrases import Phrases
    from streamwhisper.dictation.sink import Notice, Sink
    from streamwhisper.dictation.switch import Switch
    from streamwhisper.dictation.terminal import TerminalSink
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.session.options import SessionOptions

__all__ = ["mic", "runtime_folder"]

DEFAULT_HOTKEY = "ctrl+alt+space"

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


def mic(
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
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    dtype: Precision = Dtype.auto,
    threads: Threads = None,
    adapter: Adapter = None,
    latency: HowSoon = Latency.balanced,
    endpoint: WhatEnds = Endpoint.sentence,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Show the microphones, and exit.")
    ] = False,
    doctor: Annotated[
        bool, typer.Option("--doctor", help="Check that all is there, say what to do, and exit.")
    ] = False,
) -> None:
    """Dictate: what is said into the microphone is written, here or into any window."""
    if action is not None:
        from streamwhisper.dictation.control import send

        typer.echo(send(runtime_folder(), action.value))
        return
    if list_devices:
        _list_devices()
        return
    _check(to, output, command, progressive, paste)
    load = partial(load_model, model, device, dtype, threads, adapter)
    if doctor:
        from streamwhisper.dictation.doctor import examine, report

        findings = examine(microphone, None if url else load, os.environ, typing=to is To.type)
        raise typer.Exit(0 if report(findings) else 1)
    from streamwhisper.dictation.terminal import TerminalSink
    from streamwhisper.session.endpoint import EndpointOptions
    from streamwhisper.session.options import SessionOptions

    session = SessionOptions(language, endpoint=EndpointOptions(endpoint.value))
    reach = {"token": token, "language": language}
    open_stream = _server(url, reach) if url else _embedded(load, session.tuned(latency.value))
    face = TerminalSink(stderr=to is not To.terminal)
    sink = _sink(to, face, output, command, progressive=progressive, paste=paste)
    phrases = None if verbatim else _phrases(language)
    keys = _Keys(mode, hotkey, beep)
    asyncio.run(_dictate(microphone, open_stream, sink, face, keys, phrases))


@dataclass(frozen=True, slots=True)
class _Keys:
    """When to listen, and how that is heard."""

    mode: Mode
    hotkey: str | None
    beep: bool

    @property
    def wanted(self) -> str | None:
        """The hotkey; listening all the time needs none."""
        return self.hotkey or (None if self.mode is Mode.continuous else DEFAULT_HOTKEY)


async def _dictate(
    microphone: str | None,
    engine: Engine,
    sink: Sink,
    face: TerminalSink,
    keys: _Keys,
    phrases: Phrases | None,
) -> None:
    from streamwhisper.dictation.app import Dictation
    from streamwhisper.dictation.beep import beep
    from streamwhisper.dictation.control import Control
    from streamwhisper.dictation.microphone import Microphone, MicrophoneOptions
    from streamwhisper.dictation.switch import Switch
    from streamwhisper.server.signals import stop_signals

    switch, stop = Switch(on=keys.mode is Mode.continuous), asyncio.Event()
    async with Control(runtime_folder(), switch):
        with stop_signals(stop), _toggle_signal(switch), _hotkey(keys, switch, face.say):
            if keys.beep:
                switch.tell(beep)
            ears = Microphone(MicrophoneOptions(microphone), face.say)
            await Dictation(ears, engine, sink, face, switch, phrases).run(stop)


@contextmanager
def _toggle_signal(switch: Switch) -> Iterator[None]:
    """SIGUSR1 toggles, where there are signals."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, switch.obey, "toggle")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


@contextmanager
def _hotkey(keys: _Keys, switch: Switch, notice: Notice) -> Iterator[None]:
    """Have the hotkey work the switch; where a desktop has none, that is said."""
    from streamwhisper.dictation.hotkey import Hotkey, NoHotkeysError, listen_for

    if keys.wanted is None:
        yield
        return
    loop = asyncio.get_running_loop()

    held = keys.mode is Mode.hold

    def pressed() -> None:
        loop.call_soon_threadsafe(switch.obey, "start" if held else "toggle")

    def released() -> None:
        if held:
            loop.call_soon_threadsafe(switch.obey, "stop")

    hotkey = Hotkey.parse(keys.wanted)
    try:
        listener = listen_for(hotkey, os.environ, pressed, released)
    except NoHotkeysError as error:
        notice(str(error))
        yield
        return
    notice(f"{'hold' if held else 'press'} {hotkey} to dictate")
    try:
        yield
    finally:
        listener.close()


def _embedded(load: Callable[[], LocalRecognizer], options: SessionOptions) -> Engine:
    """The engine in this process; its model is loaded while the microphone is open already."""
    from streamwhisper.dictation.embedded import EmbeddedStream
    from streamwhisper.engine.heap import release_free_memory, share_one_arena

    share_one_arena()

    def prepare() -> LocalRecognizer:
        recognizer = load()
        recognizer.warm_up()
        release_free_memory()
        return recognizer

    @asynccontextmanager
    async def open_stream() -> AsyncIterator[Stream]:
        async with EmbeddedStream(await asyncio.to_thread(prepare), options) as stream:
            yield stream

    return open_stream


def _server(url: str, options: Mapping[str, Any]) -> Engine:
    from streamwhisper.client import connect

    return lambda: connect(url, encoding="pcm_f32le", **options)


def _sink(
    to: To,
    face: TerminalSink,
    output: Path | None,
    command: str | None,
    *,
    progressive: bool,
    paste: bool,
) -> Sink:
    if to is To.terminal:
        return face
    if to is To.type:
        from streamwhisper.dictation.keyboards import choose_keyboard
        from streamwhisper.dictation.typing import TypingSink

        keyboard = choose_keyboard(os.environ, paste=paste)
        return TypingSink(keyboard, face, face.say, progressive=progressive)
    if to is To.clipboard:
        from streamwhisper.dictation.clipboard import ClipboardSink, choose_clipboard

        return ClipboardSink(choose_clipboard(os.environ), face.say)
    from streamwhisper.dictation.sink import CommandSink, FileSink, LineSink

    if output is not None:
        return FileSink(output, face.say)
    return CommandSink(shlex.split(command), face.say) if command else LineSink(face.say)


def _phrases(language: str | None) -> Phrases:
    from streamwhisper.dictation.phrases import PhraseOptions, Phrases

    return Phrases(PhraseOptions(language or "en"))


def _check(
    to: To, output: Path | None, command: str | None, progressive: bool, paste: bool
) -> None:
    """Refuse flags that do not go together."""
    for flag, given, place in (
        ("--output", output is not None, To.file),
        ("--command", command is not None, To.command),
        ("--progressive", progressive, To.type),
        ("--paste", paste, To.type),
    ):
        if given and to is not place:
            raise typer.BadParameter(f"{flag} goes with --to {place.value}, not with {to.value}")
        if flag in ("--output", "--command") and to is place and not given:
            raise typer.BadParameter(f"--to {place.value} needs {flag}")


def _list_devices() -> None:
    from streamwhisper.dictation.devices import find_device, list_devices

    devices = list_devices()
    find_device(None, devices)  # says what to do where there is none
    for device in devices:
        typer.echo(
            f"{'*' if device.default else ' '} {device.index}: {device.name} "
            f"({device.host}, {device.sample_rate} Hz, channels: {device.channels})"
        )


def runtime_folder() -> Path:
    """Where the dictation that runs is found by others of the same user."""
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(folder) / "streamwhisper"
    import platformdirs

    return platformdirs.user_state_path("streamwhisper")
