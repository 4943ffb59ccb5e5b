"""``streamwhisper mic`` as a person runs it: a sound server, a terminal, a window, real speech."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jiwer
import pytest

from streamwhisper.audio.files import read_audio, write_wav
from streamwhisper.cli.main import main
from tests.support.desktop import SoundServer, need, screen, sound_server, text_box, until
from tests.support.paths import SAMPLE
from tests.support.processes import ServerProcess, serving

SECONDS = 7.3
SPOKEN = " ".join(SAMPLE.with_suffix(".txt").read_text().splitlines()[:2])
"""What is said in the first ones of them."""
# A test run in the background may ignore SIGINT, and would hand that on.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from streamwhisper.cli.main import main; main()"
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
    write_wav(path, read_audio(SAMPLE)[: int(SECONDS * 16000)])
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
        until(lambda: text in self.log.read_text(), f"told {text!r}")

    def stop(self) -> str:
        """Press Ctrl-C; what it has written."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=240)
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
    events = [json.loads(line) for line in newest.read_text().splitlines()]
    return "".join(event["text"] for event in events if event.get("type") == "committed")


def test_what_is_said_while_the_model_loads_is_transcribed_to_the_last_word(
    sound, short, tiny_en_path, tmp_path
):
    flags = ("--to", "stdout", "--model", str(tiny_en_path), "--threads", "1")
    with dictating(sound, tmp_path / "log", *flags) as mic:
        mic.told("Loading")
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
        until(lambda: box.text == committed(server).strip(), "typed as it was committed")


def test_progressive_typing_ends_with_the_committed_text(sound, server, sample, tmp_path):
    flags = ("--to", "type", "--verbatim", "--progressive", "--url", server.url)
    with (
        screen() as display,
        text_box(display, tmp_path / "typed") as box,
        dictating(sound, tmp_path / "log", *flags, display=display) as mic,
    ):
        mic.told("listening")
        with sound.play(sample):
            until(lambda: len(box.text) > len(committed(server)) + 5, "a guess is typed")
        mic.stop()
        until(lambda: box.text == committed(server).strip(), "typed as it was committed")


def test_when_another_window_takes_the_focus_the_rest_goes_to_the_terminal(
    sound, server, sample, tmp_path
):
    flags = ("--to", "type", "--verbatim", "--url", server.url)
    with (
        screen() as display,
        text_box(display, tmp_path / "other") as other,
        text_box(display, tmp_path / "typed") as box,
        dictating(sound, tmp_path / "log", *flags, display=display) as mic,
    ):
        mic.told("listening")
        with sound.play(sample):
            until(lambda: "word" in box.text, "the second sentence is being typed")
            other.focus()
        mic.told("another window has the focus; the rest of this utterance is not typed")
        mic.stop()
        shown = mic.log.read_text().split("not typed\n")[1].splitlines()[0]
        assert words(committed(server)) == words(SPOKEN)
        # The focus may have changed within a word.
        assert "".join(words(box.text + shown)) == "".join(words(SPOKEN))
        assert other.text == ""


def test_a_window_gets_what_is_said_while_the_hotkey_is_held(sound, server, short, tmp_path):
    flags = ("--to", "type", "--mode", "hold", "--hotkey", "f9", "--url", server.url)
    with (
        screen() as display,
        text_box(display, tmp_path / "typed") as box,
        dictating(sound, tmp_path / "log", *flags, display=display) as mic,
    ):
        mic.told("paused")
        sound.say(short)  # to nobody
        box.x("keydown", "F9")
        mic.told("listening")
        sound.say(short)
        box.x("keyup", "F9")
        until(lambda: "come" in box.text, "it is typed once the key is let go")
        sound.say(short)  # to nobody
        mic.stop()
        assert words(box.text) == ["good", "morning", "and", "welcome"]


def test_commands_and_a_signal_tell_it_when_to_listen(sound, server, short, tmp_path):
    flags = ("--to", "stdout", "--mode", "toggle", "--url", server.url)
    with dictating(sound, tmp_path / "log", *flags) as mic:
        mic.told("no desktop for a hotkey")
        mic.told("paused")
        sound.say(short)  # to nobody
        assert mic.run("start").stdout == "listening\n"
        sound.say(short)
        assert mic.run("toggle").stdout == "paused\n"
        assert mic.process.stdout is not None
        assert words(mic.process.stdout.readline()) == ["good", "morning", "and", "welcome"]
        mic.process.send_signal(signal.SIGUSR1)
        until(lambda: mic.log.read_text().count("listening\n") == 2, "the signal is obeyed")
        second = mic.run(*flags)
        assert second.returncode == 1
        assert second.stderr.startswith("error: dictation is already running (process ")
        assert mic.stop() == ""
    stopped = mic.run("toggle")
    assert stopped.returncode == 1
    assert stopped.stderr == "error: no dictation is running; start it with: streamwhisper mic\n"


def test_a_microphone_that_comes_back_is_heard_and_what_was_said_before_is_kept(
    sound, server, short, tmp_path
):
    with dictating(sound, tmp_path / "log", "--to", "stdout", "--url", server.url) as mic:
        mic.told("listening")
        sound.say(short)
        sound.unplug()
        mic.told("is disconnected; waiting for it.")
        sound.plug_in()
        mic.told("is connected again.")
        sound.say(short)
        assert words(mic.stop()) == ["good", "morning", "and", "welcome"] * 2


def test_in_a_terminal_the_guess_is_dim_and_every_word_of_real_speech_stays(
    sound, tiny_en_path, speech, tmp_path
):
    need("tmux")
    clips = speech.clips("ls-dev")[:3]
    command = f"{sys.executable} -m streamwhisper mic --verbatim --threads 1 --model {tiny_en_path}"
    with Terminal(sound, tmp_path / "tmux", command) as terminal:
        until(lambda: "●" in terminal.screen(), "it listens")
        for clip in clips:
            path = tmp_path / "clip.wav"
            write_wav(path, speech.load(clip))
            with sound.play(path):
                until(lambda: "\x1b[2m" in terminal.screen(colours=True), "a guess is dim")
        terminal.keys("C-c")
        until(lambda: "$ENDED" in terminal.screen(), "it has ended")
        said = terminal.screen().split("$ENDED")[0].partition("Press Ctrl+C to stop.")[2]
    reference = words(" ".join(clip["text"] for clip in clips))
    heard = words(said)
    assert jiwer.wer(" ".join(reference), " ".join(heard)) < 0.15
    assert (heard[0], heard[-1]) == (reference[0], reference[-1])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--to", "file"], 2, "--to file needs --output"),
        (["--output", "notes.txt"], 2, "--output needs --to file; --to is terminal"),
        (["--paste"], 2, "--paste needs --to type; --to is terminal"),
        (
            ["--mode", "hold", "--hotkey", "ctrl"],
            1,
            "expected modifiers (ctrl, alt, shift, cmd) and a key",
        ),
        (["--to", "type"], 1, "neither DISPLAY nor WAYLAND_DISPLAY is set"),
        (["--config", "none.toml"], 1, "does not exist; create it with `streamwhisper mic --init`"),
        (["dance"], 2, "'dance'"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(
    arguments, code, said, monkeypatch, capsys, tmp_path
):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["streamwhisper", "mic", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    complaint = capsys.readouterr().err.translate(str.maketrans("│╭╮╰╯─", "      "))
    assert (end.value.code, "Traceback" in complaint) == (code, False)
    assert said in " ".join(complaint.split())


def test_an_engine_that_cannot_be_had_is_a_line(sound, tmp_path):
    with dictating(sound, tmp_path / "log", "--url", "ws://127.0.0.1:1/v1/stream") as mic:
        assert mic.process.wait(240) == 1
    last = mic.log.read_text().splitlines()[-1]
    assert last.startswith("error: cannot connect to ws://127.0.0.1:1/v1/stream")


def test_a_settings_file_is_written_and_flags_go_before_it(sound, server, short, tmp_path):
    file, out = tmp_path / "dictation.toml", tmp_path / "notes.txt"
    with dictating(sound, tmp_path / "log", "--init", "--config", str(file)) as mic:
        assert mic.process.communicate(timeout=400)[0] == f"{file}\n"
    settings = file.read_text().replace('# to = "terminal"', 'to = "file"')
    settings = settings.replace('# output = "dictation.txt"', f'output = "{out}"')
    settings = settings.replace('# mode = "continuous"', 'mode = "toggle"')
    settings += '[replace]\n"good morning" = "hi"\n'
    file.write_text(settings.replace("[replace]\n", "", 1))
    flags = ("--config", str(file), "--mode", "continuous", "--url", server.url)
    with dictating(sound, tmp_path / "log", *flags) as mic:
        mic.told("listening")
        sound.say(short)
        mic.stop()
    assert words(out.read_text()) == ["hi", "and", "welcome"]


class Terminal:
    """A real terminal, of tmux."""

    def __init__(self, sound: SoundServer, socket: Path, command: str) -> None:
        self._socket = socket
        self._environment = {**sound.environment, "LANG": "C.UTF-8"}
        self._start = f"{command}; echo '$'ENDED; sleep 60"

    def __enter__(self) -> Terminal:
        size = ("-x", "100", "-y", "40")
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, self._start)
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def screen(self, *, colours: bool = False) -> str:
        """What is on it."""
        return self._tmux("capture-pane", "-p", "-J", *(["-e"] if colours else []))

    def keys(self, *keys: str) -> None:
        """Press keys."""
        self._tmux("send-keys", *keys)

    def _tmux(self, *command: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self._socket), *command],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
