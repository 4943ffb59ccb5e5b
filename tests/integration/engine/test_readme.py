"""The README's Python runs as it is written, on real speech."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import streamwhisper
from streamwhisper.audio.files import read_audio, stream_audio, write_wav
from tests.support.processes import ServerProcess, serving

README = Path(__file__).parents[3] / "README.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def life(speech: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few words about a happy life, as the README's recording."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "talk.mp3"  # its format is told by its content
    write_wav(path, speech.load(speech.clip("librispeech/61-70968-0002")))
    return path


def test_a_recording_and_a_microphone_are_transcribed(
    tiny_en_path: Path,
    base_path: Path,
    life: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(streamwhisper, "microphone", lambda: stream_audio(life, chunk_samples=1600))
    exec(PROGRAMS[0], {})
    assert "happy life" in capsys.readouterr().out.lower()
    assert "happy life" in life.with_suffix(".srt").read_text(encoding="utf-8").lower()


def test_a_client_receives_events(
    tiny_en_path: Path, life: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tiny_en_path, tmp_path / "log") as server:
        names: dict[str, Any] = {}
        exec(PROGRAMS[1].replace("ws://127.0.0.1:8765/v1/stream", server.url), names)
        pcm = (read_audio(life) * 32767).astype("<i2").tobytes()
        asyncio.run(names["captions"](pcm))
        assert ServerProcess.stop(server) == 0
    *_, done = printed = capsys.readouterr().out.splitlines()
    assert done.startswith("Done(")
    assert any(event.startswith("Committed(") for event in printed)
