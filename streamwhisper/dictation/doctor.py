"""Checks for dictation: microphone, model, speed, typing and hotkey, with advice."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from streamwhisper.dictation.clipboard import choose_clipboard
from streamwhisper.dictation.devices import MicrophoneError, find_device, list_devices
from streamwhisper.dictation.hotkeys import Hotkey, HotkeyError, listen_for
from streamwhisper.dictation.keyboards import PasteKeys, find_keyboard
from streamwhisper.dictation.level import decibels
from streamwhisper.dictation.microphone import Capture
from streamwhisper.errors import StreamWhisperError

if TYPE_CHECKING:
    from streamwhisper.engine.local import LocalRecognizer

__all__ = ["Finding", "Wanted", "examine", "report"]

_LISTENED = 1.5  # seconds
_SILENT = -100.0  # dBFS: quieter than any microphone that is switched on
_SLOW = 0.35  # seconds per update above which text lags behind speech
_SPOKEN = 5.0  # seconds of audio in the timed update


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        what: subject of the check.
        seen: what was found.
        advice: what to do about it; empty if it passed.
        needed: whether dictation cannot work without it.
    """

    what: str
    seen: str
    advice: str = ""
    needed: bool = True

    @property
    def fine(self) -> bool:
        """True if the check passed."""
        return not self.advice


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settings of dictation that the doctor checks.

    Attributes:
        microphone: name or number of the microphone; None: the default.
        channel: the only channel to use, counted from 1; None: all.
        to: destination of the text, as for ``--to``.
        paste: whether "type" pastes.
        paste_keys: keys that paste.
        hotkey: key combination.
        program: program that reads the text, for "command".
    """

    microphone: str | None = None
    channel: int | None = None
    to: str = "terminal"
    paste: bool = False
    paste_keys: PasteKeys = "auto"
    hotkey: str = "ctrl+alt+space"
    program: str | None = None


def examine(
    wanted: Wanted,
    load: Callable[[], LocalRecognizer] | None,
    environment: Mapping[str, str],
) -> list[Finding]:
    """Run all checks.

    Args:
        wanted: what dictation shall use.
        load: loads the model; None when a server has it.
        environment: environment variables, which identify the desktop.
    """
    findings = [*_check_microphone(wanted), *(_check_model(load) if load else ())]
    findings.append(_check_typing(wanted, environment))
    if wanted.to == "clipboard":
        findings.append(_check_clipboard(environment))
    if wanted.program is not None:
        findings.append(_check_program(wanted.program))
    return [*findings, _check_hotkey(wanted.hotkey, environment)]


def report(findings: Sequence[Finding]) -> bool:
    """Print the findings; return whether dictation can start."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        sign, style = ("✓", "green") if finding.fine else ("✗" if finding.needed else "!", "red")
        console.print(sign, style=style, end=" ")
        console.print(_wrapped(console, f"{finding.what}: {finding.seen}", "  "), markup=False)
        if finding.advice:
            console.print("  →", _wrapped(console, finding.advice, "    "), markup=False)
    return all(finding.fine or not finding.needed for finding in findings)


def _wrapped(console: Console, text: str, indent: str) -> str:
    """Return text whose lines, on a terminal, begin behind `indent` and end between words."""
    width = console.width - len(indent) if console.is_terminal else len(text)
    lines = textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False)
    return f"\n{indent}".join(lines)


def _check_microphone(wanted: Wanted) -> list[Finding]:
    try:
        device = find_device(wanted.microphone, list_devices())
        capture = Capture(device, _LISTENED, lambda: None, wanted.channel)
    except MicrophoneError as error:
        seen, _, advice = str(error).partition(": " if ": plug" in str(error) else "; ")
        return [Finding("microphone", seen, advice or "choose one of --list-devices")]
    time.sleep(_LISTENED)
    capture.close()
    audio = capture.take()
    level = decibels(audio)
    found = Finding("microphone", f"{device.name} ({device.host})")
    if not len(audio):
        return [found, Finding("audio", "the microphone opens, but delivers no audio", _waking())]
    if level < _SILENT:
        return [found, Finding("audio", "complete silence", _permission())]
    return [found, Finding("audio", f"{level:.0f} dBFS, averaged over {_LISTENED:g} s")]


def _waking() -> str:
    return "wake or unmute it in the system's sound settings, or choose one of --list-devices"


def _permission() -> str:
    if sys.platform == "darwin":
        return "allow this terminal: System Settings, Privacy & Security, Microphone"
    if sys.platform == "win32":
        return "allow desktop apps: Settings, Privacy & security, Microphone"
    return "unmute it in the system's sound settings, or choose one of --list-devices"


def _check_model(load: Callable[[], LocalRecognizer]) -> list[Finding]:
    try:
        began = time.perf_counter()
        recognizer = load()
        recognizer.warm_up()
        loaded = time.perf_counter() - began
    except StreamWhisperError as error:
        return [Finding("model", str(error), "choose one of: streamwhisper models")]
    seconds = _update(recognizer)
    there = Finding("model", f"{recognizer.info.name}, loaded in {loaded:.1f} s")
    speed = f"an update of {_SPOKEN:g} s of audio takes {seconds:.2f} s here"
    smaller = "choose a smaller model, e.g. --model tiny.en, or a server with --url"
    advice = smaller if seconds > _SLOW else ""
    return [there, Finding("latency", speed, advice, needed=False)]


def _update(recognizer: LocalRecognizer) -> float:
    """Return the seconds for an update, the median of three."""
    from streamwhisper.recognition import RecognitionRequest

    frames = np.random.default_rng(0).uniform(-0.5, 0.5, (recognizer.info.n_mels, 500))
    request = RecognitionRequest(mel=frames.astype(np.float32), language="en")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        recognizer.recognize([request])
        times.append(time.perf_counter() - began)
    return sorted(times)[1]


def _check_typing(wanted: Wanted, environment: Mapping[str, str]) -> Finding:
    needed = wanted.to == "type"
    try:
        found = find_keyboard(environment, paste=wanted.paste, paste_keys=wanted.paste_keys)
    except StreamWhisperError as error:
        seen, _, advice = str(error).partition("; ")
        return Finding("typing", seen, advice or "use --to terminal or clipboard", needed)
    found.keyboard.close()
    others = f" ({', '.join(found.rejected)})" if found.rejected else ""
    return Finding("typing", f"by {found.keyboard.name}{others}")


def _check_clipboard(environment: Mapping[str, str]) -> Finding:
    try:
        clipboard = choose_clipboard(environment)
    except StreamWhisperError as error:
        seen, _, advice = str(error).partition("; ")
        return Finding("clipboard", seen, advice or "run the command inside the desktop session")
    return Finding("clipboard", f"by {clipboard.name}")


def _check_program(program: str) -> Finding:
    if shutil.which(program) is None:
        return Finding("command", f"{program} is not installed", "install it, or name its path")
    return Finding("command", f"{program} is installed")


def _check_hotkey(hotkey: str, environment: Mapping[str, str]) -> Finding:
    try:
        wanted = Hotkey.parse(hotkey)
        listen_for(wanted, environment, lambda: None, lambda: None).close()
    except HotkeyError as error:
        seen, _, advice = str(error).partition("; ")
        return Finding("hotkey", seen, advice or "use: streamwhisper mic toggle", needed=False)
    return Finding("hotkey", f"{wanted} is available")
