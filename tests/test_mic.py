"""``streamwhisper mic`` as a person runs it: a sound server, a terminal, a window, real speech."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from desktop import SoundServer, screen, sound_server, text_box, until
from processes import ServerProcess, serving

from streamwhisper.audio.files import read_audio, write_wav

SAMPLE = Path(__file__).parents[1] / "examples" / "sample.flac"
SPOKEN = SAMPLE.with_suffix(".txt").read_text()
# A test run in the background may ignore SIGINT, and would hand that on.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from streamwhisper.cli import main; main()"
)


def words(text: str) -> list[str]:
    return "".join(sign for sign in text.lower() if sign.isalnum() or sign.isspace()).split()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    with sound_server(tmp_path_factory.mktemp("sound")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    with serving(tiny_en_path, folder / "log", "--record", str(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "sample.wav"
    write_wav(path, read_audio(SAMPLE))
    return path


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sentence: "Good morning, and welcome."."""
    path = tmp_path_factory.mktemp("speech") / "short.wav"
    write_wav(path, read_audio(SAMPLE)[: int(2.6 * 16000)])
    return path


@dataclass
class Mic:
    """A dictation that runs."""

    process: subprocess.Popen[str]
    log: Path
    run: Callable[..., subprocess.CompletedProcess[str]]

    def told(self, text: str) -> None:
        """Wait until it has said something on standard error."""
        until(lambda: text in self.log.read_text(), f"told {text!r}", 60)

    def stop(self) -> str:
        """Press Ctrl-C; what it has written."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.log.read_text()
        return out


@contextlib.contextmanager
def dictating(sound: SoundServer, log: Path, *flags: str, display: str = "") -> Iterator[Mic]:
    """A dictation that has said that it listens, or that it waits."""
    environment = {**sound.environment, "DISPLAY": display, "TERM": "dumb"}
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-c", START, "mic"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*command, *flags], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield Mic(process, log, run)
        finally:
            process.kill()


def committed(server: ServerProcess) -> str:
    """The text of the server's newest session, as it was committed."""
    newest = max(server.log.parent.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return "".join(re.findall(r'"text": ?"([^"]*)"', newest.read_text()))


def test_what_is_said_while_the_model_loads_is_transcribed_to_the_last_word(
    sound, short, tiny_en_path, tmp_path
):
    flags = ("--to", "stdout", "--model", str(tiny_en_path), "--threads", "1")
    with dictating(sound, tmp_path / "log", *flags) as mic:
        mic.told("the microphone is")
        sound.say(short)
        assert "listening" not in mic.log.read_text()  # it was still loading
        mic.told("listening")
        assert words(mic.stop()) == ["good", "morning", "and", "welcome"]


def test_the_typed_text_is_the_committed_text(sound, server, sample, tmp_path):
    with (
        screen() as display,
        text_box(display, tmp_path / "typed") as box,
        dictating(
            sound,
            tmp_path / "log",
            *("--to", "type", "--verbatim", "--url", server.url),
            display=display,
        ) as mic,
    ):
        mic.told("listening")
        sound.say(sample)
        assert mic.stop() == ""
        assert words(box.text) == words(SPOKEN)
        until(lambda: box.text == committed(server).strip(), "typed as it was committed", 5)
