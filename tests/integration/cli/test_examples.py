"""The examples are run as their texts say, on real speech, and are short."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper.audio.files import read_audio, write_wav
from tests.support.microphones import microphones
from tests.support.paths import EXAMPLES
from tests.support.processes import ServerProcess, serving

NAMES = ("captions_to_srt", "terminal_client", "many_files")
ASSISTANT = "voice_assistant"


@pytest.fixture(scope="module")
def url(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tiny_en_path, tmp_path_factory.mktemp("examples") / "log") as server:
        yield server.url
        assert ServerProcess.stop(server) == 0


@pytest.fixture(scope="module")
def life(speech: Any) -> str:
    """The path of a few words about a happy life."""
    return str(speech.folder / speech.clip("librispeech/61-70968-0002")["path"])


def run(name: str, *arguments: str) -> str:
    """What an example prints."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is six times seven?", r"That is 42\."),
        ("And 10 divided by 4, please.", r"That is 2\.5\."),
        ("5 - 7 =", r"That is -2\."),
        ("Three divided by zero", r"Nothing can be divided by zero\."),
        ("What time is it?", r"It is \d\d:\d\d\."),
        ("It was a happy life.", r"You said: It was a happy life\."),
    ],
)
def test_the_assistant_answers_by_rules(question: str, said: str) -> None:
    example = runpy.run_path(str(EXAMPLES / "voice_assistant.py"))
    assert re.fullmatch(said, example["answer"](question))


def test_the_assistant_answers_what_was_said(url: str, life: str) -> None:
    you, assistant = run(ASSISTANT, life, "--url", url).splitlines()[-2:]
    assert you.startswith("you: ")
    assert "happy life" in you.lower()
    assert assistant == f"assistant: You said: {you[5:]}"


@pytest.fixture
def sum_asked(tmp_path: Path) -> Path:
    """A question of a synthetic voice, and silence after it: 16 kHz."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("there is no espeak-ng; with Debian: apt install espeak-ng")
    made, path = tmp_path / "made.wav", tmp_path / "question.wav"
    voice = ["espeak-ng", "-v", "en-us", "-s", "130", "-w", str(made)]
    subprocess.run([*voice, "How much is ten plus five?"], check=True)
    silence = np.zeros(24000, np.float32)
    write_wav(path, np.concatenate([silence, read_audio(made), silence]))
    return path


def test_the_assistant_speaks_its_answer(url: str, sum_asked: Path, tmp_path: Path) -> None:
    spoken, expected = tmp_path / "spoken.wav", tmp_path / "expected.wav"
    said = run(ASSISTANT, str(sum_asked), "--url", url, "--voice", str(spoken))
    assert said.splitlines()[-1] == "assistant: That is 15."
    subprocess.run(["espeak-ng", "-w", str(expected), "That is 15."], check=True)
    np.testing.assert_array_equal(read_audio(spoken), read_audio(expected))
    assert len(read_audio(spoken)) > 8000


def test_a_key_wakes_the_assistant_which_hears_a_microphone(
    url: str, sum_asked: Path, tmp_path: Path
) -> None:
    try:
        import sounddevice  # noqa: F401
    except OSError as error:
        pytest.skip(f"{error}; tests/support/desktop.sh installs it")
    command = [sys.executable, str(EXAMPLES / "voice_assistant.py"), "--url", url]
    command += ["--voice", str(tmp_path / "answer.wav")]
    (tmp_path / "sound").mkdir()
    with microphones(tmp_path / "sound") as room:
        room.plug("headset")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes, text=True, env=room.environment) as assistant:
            assert assistant.stdin is not None
            assert assistant.stdout is not None
            assert assistant.stdout.readline().startswith("Press Enter")
            for _ in range(2):
                assistant.stdin.write("\n")
                assistant.stdin.flush()
                assert assistant.stdout.readline() == "listening\n"
                with room.speak("headset", sum_asked):
                    assert assistant.stdout.readline().startswith("you: ")
                assert assistant.stdout.readline() == "assistant: That is 15.\n"
            assistant.stdin.close()
            assert assistant.wait(120) == 0


def test_a_recording_gets_its_captions(tiny_en_path: Path, life: str, tmp_path: Path) -> None:
    out = tmp_path / "a.srt"
    said = run("captions_to_srt", life, str(out), "--model", str(tiny_en_path))
    assert said.strip().endswith("captions")
    number, times, *text = out.read_text().split("\n\n")[0].split("\n")
    assert number == "1"
    assert times.startswith("00:00:0")
    assert "happy life" in out.read_text().lower()
    assert text


def test_the_terminal_shows_what_one_says_and_another_reads(url: str, life: str) -> None:
    command = [sys.executable, str(EXAMPLES / "terminal_client.py"), "--watch", "stage"]
    with subprocess.Popen([*command, "--url", url], stdout=subprocess.PIPE, text=True) as viewer:
        said = run("terminal_client", life, "--url", url, "--publish", "stage")
        assert "happy life" in said.lower()
        read, _ = viewer.communicate(timeout=240)
    assert read == said


def test_many_files_come_back_with_their_texts(url: str, life: str) -> None:
    sample, broken = str(EXAMPLES / "sample.flac"), str(EXAMPLES / "sample.txt")
    said = run("many_files", life, sample, broken, "--url", url, "--at-once", "2")
    texts = dict(line.split(": ", 1) for line in said.splitlines())
    assert "happy life" in texts[life].lower()
    assert len(texts[sample].split()) > 30
    assert texts[broken].startswith("[audio_format: ")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_uses_public_names_only(path: Path) -> None:
    modules = re.findall(r"^\s*(?:from|import) (streamwhisper[\w.]*)", path.read_text(), re.M)
    assert set(modules) <= {"streamwhisper"}


@pytest.mark.parametrize(("name", "lines"), [*((name, 80) for name in NAMES), (ASSISTANT, 135)])
def test_an_example_is_read_in_a_minute_or_two(name: str, lines: int) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < lines
