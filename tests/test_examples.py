"""The examples are run as their texts say, on real speech, and are short."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import ServerProcess, serving

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("voice_assistant", "captions_to_srt", "terminal_client", "many_files")


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
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_assistant_answers_what_was_said(url: str, life: str) -> None:
    said = run("voice_assistant", life, "--url", url)
    you, assistant = said.splitlines()[-2:]
    assert you.startswith("you: ")
    assert "happy life" in you.lower()
    assert assistant == f"assistant: You said {len(you.split()) - 1} words: {you[5:]}"


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
        read, _ = viewer.communicate(timeout=60)
    assert read == said


def test_many_files_come_back_with_their_texts(url: str, life: str) -> None:
    sample, broken = str(EXAMPLES / "sample.flac"), str(EXAMPLES / "sample.txt")
    said = run("many_files", life, sample, broken, "--url", url, "--at-once", "2")
    texts = dict(line.split(": ", 1) for line in said.splitlines())
    assert "happy life" in texts[life].lower()
    assert len(texts[sample].split()) > 30
    assert texts[broken].startswith("[audio_format: ")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_read_in_a_minute(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 80
