"""Records of sessions: whatever happens to the server or the disk, what was committed stands."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streamwhisper.cli.main import app
from streamwhisper.client import StreamEvent, connect
from streamwhisper.events import Done
from streamwhisper.protocol import Ack
from streamwhisper.server.publishing import recorder
from streamwhisper.server.publishing.recorder import Recorder, RecordingOptions
from tests.support.processes import largest_file, serving
from tests.support.records import (
    committed_text,
    dictate,
    heard_until_killed,
    lines,
    only,
    recording,
    said,
    shown,
)
from tests.support.scripted import script


async def test_a_killed_server_leaves_all_that_anybody_was_told(
    tiny_en_path: Path, speech: Any, tmp_path: Path
) -> None:
    clips = speech.clips("ls-dev")[:6]
    pcm = b"".join((speech.load(clip) * 32767).astype("<i2").tobytes() for clip in clips)
    folder = tmp_path / "records"
    with serving(
        tiny_en_path, tmp_path / "log", "--record", str(folder), "--record-audio"
    ) as server:
        events = await heard_until_killed(server, pcm, words=25)
    text = committed_text(only(folder, "*.part.jsonl"))
    assert text.startswith(said(events))
    for form in ("srt", "vtt"):
        assert " ".join(shown(only(folder, f"*.part.{form}"))).split() == text.split()
    acknowledged = max(event.samples for event in events if isinstance(event, Ack))
    with wave.open(str(only(folder, "*.part.wav"))) as sound:
        assert sound.getnframes() >= acknowledged
        assert pcm.startswith(sound.readframes(sound.getnframes()))


async def test_a_disk_that_is_full_ends_the_record_and_not_the_session(
    tiny_en_path: Path, speech: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    clip = speech.clip("librispeech/61-70968-0010")
    pcm = (speech.load(clip) * 32767).astype("<i2").tobytes() * 2
    limit = 1500
    with serving(
        tiny_en_path,
        tmp_path / "log",
        "--record",
        str(folder),
        before=largest_file(limit),
    ) as server:
        events = await dictate(server.url, pcm, speed=8)
        assert server.metric("streamwhisper_recording_failures_total") == 1
        assert server.stop() == 0
    assert isinstance(events[-1], Done)
    record = only(folder, "*.part.jsonl")
    assert said(events).startswith(committed_text(record))  # whole lines alone
    assert 0 < record.stat().st_size <= limit
    assert "cannot be written" in server.log.read_text()


async def test_audio_that_cannot_be_written_does_not_end_the_text(
    tiny_en_path: Path, speech: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    clip = speech.clip("librispeech/61-70968-0010")
    pcm = (speech.load(clip) * 32767).astype("<i2").tobytes() * 2
    flags = ["--record", str(folder), "--record-audio"]
    limit = 100_000  # bytes of a file: three seconds of audio
    with serving(tiny_en_path, tmp_path / "log", *flags, before=largest_file(limit)) as server:
        events = await dictate(server.url, pcm, speed=8)
        assert server.metric("streamwhisper_recording_failures_total") == 1
        assert server.stop() == 0
    assert len(said(events).split()) > 10
    assert committed_text(only(folder, "*.jsonl")) == said(events)
    with wave.open(str(only(folder, "*.wav"))) as sound:
        frames = sound.readframes(sound.getnframes())
    assert len(frames) > 60_000
    assert pcm.startswith(frames)
    assert "its audio cannot be written" in server.log.read_text()


async def test_audio_leaves_the_rest_of_a_disk_to_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_TEXT_RESERVE", 2**62)
    async with recording(tmp_path, audio=True) as server:
        events = await dictate(server.url, script().pcm, speed=100)
    assert committed_text(only(tmp_path, "*.jsonl")) == said(events) == script().text
    with wave.open(str(only(tmp_path, "*.wav"))) as sound:
        assert sound.getnframes() == 0


def test_a_folder_that_cannot_be_written_to_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot record in .*file/records"):
        Recorder(RecordingOptions(tmp_path / "file" / "records"))


def test_sound_without_a_folder_for_it_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["serve", "--record-audio"])
    assert result.exit_code == 2
    assert "--record" in result.output


async def test_a_session_that_is_over_has_its_record_under_its_name(tmp_path: Path) -> None:
    async with recording(tmp_path, audio=True) as server:
        events = await dictate(server.url, script().pcm, speed=100)
    names = {path.name.split(".", 1)[1] for path in tmp_path.iterdir()}
    assert names == {"jsonl", "srt", "vtt", "wav"}
    first, *rest = lines(only(tmp_path, "*.jsonl"))
    assert (first["type"], first["model"]) == ("session", "scripted")
    assert committed_text(only(tmp_path, "*.jsonl")) == said(events) == script().text
    assert rest[-1]["type"] == "done"
    assert " ".join(shown(only(tmp_path, "*.vtt"))) == script().text
    with wave.open(str(only(tmp_path, "*.wav"))) as sound:
        assert sound.getnframes() == len(script().sound)


async def test_a_session_that_is_resumed_goes_on_in_the_same_record(tmp_path: Path) -> None:
    async with recording(tmp_path) as server, connect(server.url) as stream:
        events: list[StreamEvent] = []

        async def listen() -> None:
            async for event in stream:
                events.append(event)

        listening = asyncio.create_task(listen())
        pcm = script().pcm
        for at in range(0, len(pcm), 32000):
            await stream.send(pcm[at : at + 32000])
            await asyncio.sleep(0.01)
            if at % 320_000 == 0:
                stream._websocket.transport.abort()  # type: ignore[union-attr]
        await stream.end()
        await listening
        assert b"sessions_resumed_total 0.0" not in server.context.metrics.render()
    assert committed_text(only(tmp_path, "*.jsonl")) == said(events) == script().text


async def test_a_folder_that_is_gone_leaves_sessions_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    async with recording(folder) as server:
        folder.rmdir()
        events = await dictate(server.url, script().pcm, speed=100)
        assert b"recording_failures_total 1.0" in server.context.metrics.render()
    assert said(events) == script().text
