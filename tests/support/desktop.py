"""A desktop without hardware: a sound server whose microphone plays files, a screen, a window.

``tests/support/desktop.sh`` installs what they need; without it, tests that use them are skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "SoundServer",
    "TextBox",
    "need",
    "screen",
    "sound_here",
    "sound_server",
    "text_box",
    "until",
]

_PULSEAUDIO = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
_SPEAKER = "module-null-sink sink_name=speaker rate=16000 channels=1 format=s16le norewinds=1"
_MICROPHONE = "module-remap-source source_name=microphone master=speaker.monitor"
# A window of one text box, which writes what it holds to a file whenever that changes.
_BOX = """
import os, sys, tkinter
root = tkinter.Tk()
root.title(sys.argv[2])
box = tkinter.Text(root, width=60, height=6)
box.pack()
def write():
    with open(sys.argv[1] + ".new", "w", encoding="utf-8") as file:
        file.write(box.get("1.0", "end-1c"))
    os.replace(sys.argv[1] + ".new", sys.argv[1])
    root.after(20, write)
def focus():
    box.focus_force()
    write()
    print("open", flush=True)
root.after(50, focus)
root.mainloop()
"""


def need(*programs: str) -> None:
    """Skip where a program is missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}; tests/support/desktop.sh installs what is missing")


def until(true: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """Wait until something is true, and return it; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return value


@dataclass
class SoundServer:
    """PulseAudio without hardware: what is played on its speaker is heard by its microphone."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        runtime = self.folder / "run"
        runtime.mkdir(mode=0o700)
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(runtime),
            "PULSE_RUNTIME_PATH": str(runtime / "pulse"),
            "PULSE_STATE_PATH": str(self.folder / "state"),
        }

    def start(self) -> None:
        """Start the server, with a microphone."""
        native = "module-native-protocol-unix auth-anonymous=1"
        self.process = subprocess.Popen(
            [*_PULSEAUDIO, "-L", native],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: self.control("info", check=False).returncode == 0, "the sound server runs")
        self.plug_in()

    def control(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Tell the server something."""
        return subprocess.run(
            ["pactl", *command], env=self.environment, capture_output=True, text=True, check=check
        )

    def plug_in(self) -> None:
        """Add speaker and microphone."""
        self.control("load-module", *_SPEAKER.split())
        self.control("load-module", *_MICROPHONE.split())
        self.control("set-default-source", "microphone")

    def unplug(self) -> None:
        """Take both away; the speaker's monitor would stand in for the microphone."""
        self.control("unload-module", "module-remap-source")
        self.control("unload-module", "module-null-sink")

    def play(self, sound: Path) -> subprocess.Popen[bytes]:
        """Begin to play a file to the microphone."""
        return subprocess.Popen(
            ["paplay", "--device=speaker", str(sound)],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )

    def say(self, sound: Path) -> None:
        """Play a file to its end."""
        assert self.play(sound).wait(180) == 0

    def kill(self) -> None:
        """End the server at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.process = None


@contextlib.contextmanager
def sound_server(folder: Path) -> Iterator[SoundServer]:
    """A running sound server; skips where there is none to run."""
    need("pulseaudio", "pactl", "paplay")
    try:
        import sounddevice  # noqa: F401
    except OSError as error:
        pytest.skip(f"{error}; tests/support/desktop.sh installs what is missing")
    server = SoundServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def sound_here(folder: Path) -> Iterator[SoundServer]:
    """A running sound server which is this process's own."""
    from streamwhisper.dictation.devices import look_again

    with sound_server(folder) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        look_again()
        yield running
    look_again()


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """A screen of X11 without a monitor; its name, for ``DISPLAY``."""
    need("Xvfb", "xdotool", "setxkbmap")
    pytest.importorskip("tkinter", reason="the window is made with Tk")
    reading, writing = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", "-ac", "-noreset"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        try:
            assert number, "Xvfb did not start"
            yield f":{number}"
        finally:
            server.terminate()


@dataclass
class TextBox:
    """A window with a box of text."""

    file: Path
    display: str
    window: str = ""

    @property
    def text(self) -> str:
        """What stands in it."""
        return self.file.read_text(encoding="utf-8")

    def focus(self) -> None:
        """Give it the focus."""
        self.x("windowfocus", "--sync", self.window)

    def focused(self) -> str:
        """The window that has the focus; empty where none has it."""
        return self.x("getwindowfocus", check=False)

    def x(self, *command: str, check: bool = True) -> str:
        """Have xdotool do something on its screen."""
        done = subprocess.run(
            ["xdotool", *command],
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            check=check,
        )
        return done.stdout.strip()


@contextlib.contextmanager
def text_box(display: str, file: Path) -> Iterator[TextBox]:
    """A window that has the focus."""
    box = TextBox(file, display)
    before = box.focused()
    with subprocess.Popen(
        [sys.executable, "-c", _BOX, str(file), file.name],
        env={**os.environ, "DISPLAY": display},
        stdout=subprocess.PIPE,
        text=True,
    ) as window:
        assert window.stdout is not None
        try:
            assert window.stdout.readline(), "the window did not open"
            # Tk takes keys by a window around its own, which only the focus tells.
            box.window = until(lambda: box.focused() != before and box.focused(), "it has focus")
            yield box
        finally:
            window.terminate()
