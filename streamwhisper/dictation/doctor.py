"""What dictation needs of this machine: what is there, what is not, and what to do about it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from streamwhisper.dictation.devices import MicrophoneError, find_device, list_devices
from streamwhisper.dictation.hotkeys import Hotkey, HotkeyError, listen_for
from streamwhisper.dictation.keyboards import KeyboardError, choose_keyboard
from streamwhisper.dictation.level import decibels
from streamwhisper.dictation.microphone import Capture
from streamwhisper.errors import StreamWhisperError

if TYPE_CHECKING:
    from streamwhisper.engine.local import LocalRecognizer

__all__ = ["Finding", "examine", "report"]

_LISTENED = 1.5  # seconds
_SILENT = -100.0  # dBFS: quieter than any microphone that is on
_SLOW = 0.35  # seconds for an update: more, and text lags behind the speech
_SPOKEN = 5.0  # seconds of sound in the update that is timed


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        seen: what was found.
        advice: what to do about it; empty: nothing, it is fine.
        needed: whether dictation cannot do without.
    """

    what: str
    seen: str
    advice: str = ""
    needed: bool = True

    @property
    def fine(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice


def examine(
    microphone: str | None,
    load: Callable[[], LocalRecognizer] | None,
    environment: Mapping[str, str],
    *,
    typing: bool,
) -> list[Finding]:
    """Look at everything in turn.

    Args:
        microphone: the one that is wanted; None: the default.
        load: loads the model; None: a server has it.
        environment: tells which desktop this is.
        typing: whether text is to be typed.
    """
    findings = [*_hear(microphone), *(_recognize(load) if load else ())]
    return [*findings, _type(environment, needed=typing), _listen(environment)]


def report(findings: Sequence[Finding]) -> bool:
    """Print what was found, and whether dictation can begin."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        sign, style = ("✓", "green") if finding.fine else ("✗" if finding.needed else "!", "red")
        console.print(f"[{style}]{sign}[/] {finding.what}: ", end="")
        console.print(finding.seen, markup=False)
        if finding.advice:
            console.print(f"  → {finding.advice}", markup=False)
    return all(finding.fine or not finding.needed for finding in findings)


def _hear(wanted: str | None) -> list[Finding]:
    try:
        device = find_device(wanted, list_devices())
        capture = Capture(device, _LISTENED, lambda: None)
    except MicrophoneError as error:
        seen, _, advice = str(error).partition(": " if ": plug" in str(error) else "; ")
        return [Finding("microphone", seen, advice or "choose one of --list-devices")]
    time.sleep(_LISTENED)
    capture.close()
    heard = capture.take()
    level = decibels(heard)
    found = Finding("microphone", f"{device.name} ({device.host})")
    if not len(heard):
        return [found, Finding("sound", "it opens, but nothing comes", _waking())]
    if level < _SILENT:
        return [found, Finding("sound", "complete silence", _permission())]
    return [found, Finding("sound", f"{level:.0f} dBFS on the average of {_LISTENED:g} s")]


def _waking() -> str:
    return "wake or unmute it in the system's sound settings, or choose one of --list-devices"


def _permission() -> str:
    if sys.platform == "darwin":
        return "allow this terminal: System Settings, Privacy & Security, Microphone"
    if sys.platform == "win32":
        return "allow desktop apps: Settings, Privacy & security, Microphone"
    return "unmute it in the system's sound settings, or choose one of --list-devices"


def _recognize(load: Callable[[], LocalRecognizer]) -> list[Finding]:
    try:
        began = time.perf_counter()
        recognizer = load()
        recognizer.warm_up()
        loaded = time.perf_counter() - began
    except StreamWhisperError as error:
        return [Finding("model", str(error), "choose one of: streamwhisper models")]
    seconds = _update(recognizer)
    there = Finding("model", f"{recognizer.info.name}, loaded in {loaded:.1f} s")
    speed = f"an update of {_SPOKEN:g} s of sound takes {seconds:.2f} s here"
    smaller = "choose a smaller model, such as --model tiny.en, or a server with --url"
    advice = smaller if seconds > _SLOW else ""
    return [there, Finding("latency", speed, advice, needed=False)]


def _update(recognizer: LocalRecognizer) -> float:
    """Seconds for an update, the median of three."""
    from streamwhisper.recognition import RecognitionRequest

    frames = np.random.default_rng(0).uniform(-0.5, 0.5, (recognizer.info.n_mels, 500))
    request = RecognitionRequest(mel=frames.astype(np.float32), language="en")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        recognizer.recognize([request])
        times.append(time.perf_counter() - began)
    return sorted(times)[1]


def _type(environment: Mapping[str, str], *, needed: bool) -> Finding:
    try:
        keyboard = choose_keyboard(environment)
    except (KeyboardError, StreamWhisperError) as error:
        seen, _, advice = str(error).partition("; ")
        return Finding("typing", seen, advice or "use --to terminal or clipboard", needed)
    keyboard.close()
    return Finding("typing", f"by {keyboard.name}")


def _listen(environment: Mapping[str, str]) -> Finding:
    hotkey = Hotkey.parse("ctrl+alt+space")
    try:
        listen_for(hotkey, environment, lambda: None, lambda: None).close()
    except HotkeyError as error:
        seen, _, advice = str(error).partition("; ")
        return Finding("hotkey", seen, advice or "use: streamwhisper mic toggle", needed=False)
    return Finding("hotkey", f"{hotkey} can be had")
