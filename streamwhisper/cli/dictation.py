"""Builds dictation from flags: microphone, engine, output, hotkey and signals."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamwhisper.dictation.app import Engine
    from streamwhisper.dictation.keyboards import PasteKeys
    from streamwhisper.dictation.microphone import MicrophoneOptions
    from streamwhisper.dictation.sink import Notice, Sink
    from streamwhisper.dictation.switch import Switch
    from streamwhisper.dictation.terminal import TerminalSink
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.live.stream import Stream
    from streamwhisper.phrasing.phrases import Phrases
    from streamwhisper.session.options import SessionOptions

__all__ = [
    "DEFAULT_HOTKEY",
    "Keys",
    "choose_sink",
    "command_words",
    "dictate",
    "embedded",
    "runtime_folder",
    "server",
    "warn_of_tampering",
]

DEFAULT_HOTKEY = "ctrl+alt+space"


@dataclass(frozen=True, slots=True)
class Keys:
    """Listening mode, hotkey and tones of dictation."""

    mode: str
    hotkey: str | None
    beep: bool

    @property
    def wanted(self) -> str | None:
        """The hotkey to register; None in continuous mode unless one is set."""
        return self.hotkey or (None if self.mode == "continuous" else DEFAULT_HOTKEY)


async def dictate(
    microphone: MicrophoneOptions,
    engine: Engine,
    sink: Sink,
    face: TerminalSink,
    keys: Keys,
    phrases: Phrases | None,
    *,
    starting: str,
) -> None:
    """Dictate until Ctrl-C, which commits the text so far; a second Ctrl-C exits at once."""
    from streamwhisper.dictation.app import Dictation
    from streamwhisper.dictation.beep import beep
    from streamwhisper.dictation.control import Control
    from streamwhisper.dictation.microphone import Microphone
    from streamwhisper.dictation.switch import Switch
    from streamwhisper.server.run import stop_signals

    switch, stop = Switch(on=keys.mode == "continuous"), asyncio.Event()
    async with Control(runtime_folder(), switch):
        with stop_signals(stop), _toggle_signal(switch), _hotkey(keys, switch, face.say):
            if keys.beep:
                switch.subscribe(beep)
            recorder = Microphone(microphone, face.say)
            dictation = Dictation(recorder, engine, sink, face, switch, phrases, starting=starting)
            await dictation.run(stop)


@contextmanager
def _toggle_signal(switch: Switch) -> Iterator[None]:
    """Toggle dictation on SIGUSR1 (not on Windows)."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, switch.apply, "toggle")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


@contextmanager
def _hotkey(keys: Keys, switch: Switch, notice: Notice) -> Iterator[None]:
    """Connect the hotkey to the switch; report a desktop without global hotkeys."""
    from streamwhisper.dictation.hotkeys import Hotkey, NoHotkeysError, listen_for

    if keys.wanted is None:
        yield
        return
    loop = asyncio.get_running_loop()

    held = keys.mode == "hold"

    def pressed() -> None:
        loop.call_soon_threadsafe(switch.apply, "start" if held else "toggle")

    def released() -> None:
        if held:
            loop.call_soon_threadsafe(switch.apply, "stop")

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


def embedded(load: Callable[[], LocalRecognizer], options: SessionOptions) -> Engine:
    """Return the engine in this process; its model loads while the microphone already records."""
    from streamwhisper.audio.formats import AudioFormat
    from streamwhisper.engine.malloc import release_free_memory, share_one_arena
    from streamwhisper.live.stream import LiveStream

    share_one_arena()

    def prepare() -> LocalRecognizer:
        recognizer = load()
        recognizer.warm_up()
        release_free_memory()
        return recognizer

    @asynccontextmanager
    async def open_stream() -> AsyncIterator[Stream]:
        recognizer = await asyncio.to_thread(prepare)
        audio_format = AudioFormat("pcm_f32le")
        async with LiveStream(recognizer, options, audio_format=audio_format) as stream:
            yield stream

    return open_stream


def server(url: str, token: str | None, options: SessionOptions) -> Engine:
    """Return a server's engine; of `options`, it uses the language and the vocabulary."""
    from streamwhisper.client import connect
    from streamwhisper.session.language import LanguageDetection

    spoken = options.language
    code, among = (
        (None, spoken.candidates) if isinstance(spoken, LanguageDetection) else (spoken, ())
    )
    return lambda: connect(
        url,
        encoding="pcm_f32le",
        token=token,
        language=code,
        languages=among,
        vocabulary=options.vocabulary,
    )


def warn_of_tampering(url: str, to: str, notice: Notice) -> None:
    """Warn where text that acts on this machine comes unencrypted from another one."""
    from streamwhisper.client.connecting import can_be_tampered_with

    acts = {"type": "types", "command": "hands to your program"}
    if to in acts and can_be_tampered_with(url):
        notice(
            f"warning: {url} is not encrypted. Other machines on the network can listen, and "
            f"change the text that dictation {acts[to]}. Use a wss:// address."
        )


def choose_sink(
    to: str,
    face: TerminalSink,
    output: Path | None,
    command: str | None,
    *,
    progressive: bool,
    paste: bool,
    paste_keys: PasteKeys = "auto",
) -> Sink:
    """Return the destination of text for a value of ``--to``."""
    if to == "terminal":
        return face
    if to == "type":
        from streamwhisper.dictation.keyboards import choose_keyboard
        from streamwhisper.dictation.typing import TypingSink

        keyboard = choose_keyboard(os.environ, paste=paste, paste_keys=paste_keys)
        return TypingSink(keyboard, face, face.say, progressive=progressive)
    if to == "clipboard":
        from streamwhisper.dictation.clipboard import ClipboardSink, choose_clipboard

        return ClipboardSink(choose_clipboard(os.environ), face.say)
    from streamwhisper.dictation.sink import CommandSink, FileSink, LineSink

    if to == "file" and output is not None:
        return FileSink(output, face.say)
    if to == "command" and command:
        return CommandSink(command_words(command), face.say)
    return LineSink(face.say)


def command_words(command: str) -> list[str]:
    """Return program and arguments; raise `StreamWhisperError` if they are none."""
    from streamwhisper.errors import StreamWhisperError

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise StreamWhisperError(f"--command is {command!r}: {error}") from error
    if not words:
        raise StreamWhisperError("--command is empty; expected a program and its arguments")
    return words


def runtime_folder() -> Path:
    """Return the folder in which commands of the same user find a running dictation."""
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(folder) / "streamwhisper"
    import platformdirs

    return platformdirs.user_state_path("streamwhisper")
