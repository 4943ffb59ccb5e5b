"""Records of servers that were killed: the next one finishes them, and spoils none."""

from __future__ import annotations

import json
import logging
import os
import wave
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.audio.wav import WavWriter
from streamwhisper.client import connect
from streamwhisper.server.publishing.recovery import finish_records
from tests.support.processes import serving
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

NAME = "20260102T030405Z-0123456789ab"
LINES = b"".join(json.dumps({"text": f"ä {n}"}).encode() + b"\n" for n in range(3))
CUES = (
    b"WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.000\nOne\n\n2\n00:00:01.000 --> 00:00:02.000\nTwo\n\n"
)


def left(folder: Path, kind: str, content: bytes) -> Path:
    """A file that a server has left, and what it is to be called."""
    (folder / f"{NAME}.part.{kind}").write_bytes(content)
    return folder / f"{NAME}.{kind}"


async def test_a_server_finishes_what_one_before_it_was_killed_over(
    tiny_en_path: Path, speech: Any, tmp_path: Path
) -> None:
    clips = speech.clips("ls-dev")[:4]
    pcm = b"".join((speech.load(clip) * 32767).astype("<i2").tobytes() for clip in clips)
    folder = tmp_path / "records"
    flags = ["--record", str(folder), "--record-audio"]
    with serving(tiny_en_path, tmp_path / "log", *flags) as server:
        events = await heard_until_killed(server, pcm, words=8)
    parts = {part: part.read_bytes() for part in folder.iterdir()}
    assert {part.suffix for part in parts} == {".jsonl", ".srt", ".vtt", ".wav"}
    torn = only(folder, "*.part.jsonl")
    torn.write_bytes(parts[torn] + b'{"type":"committed","text":" as the po')
    log = tmp_path / "second log"
    with serving(tiny_en_path, log, *flags) as server:
        assert not list(folder.glob("*.part.*"))
        for part, content in parts.items():
            assert part.with_name(part.name.replace(".part", "")).read_bytes() == content
            assert f"record {part.name.replace('.part', '')}: finished" in log.read_text()
        assert "38 incomplete bytes at its end were removed" in log.read_text()
        assert server.stop() == 0
    assert committed_text(only(folder, "*.jsonl")).startswith(said(events))
    with wave.open(str(only(folder, "*.wav"))) as sound:
        assert pcm.startswith(sound.readframes(sound.getnframes()))


@given(st.integers(0, len(LINES)), st.integers(0, 4096))
def test_lines_are_kept_as_long_as_they_are_whole(
    tmp_path_factory: pytest.TempPathFactory, at: int, zeros: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    whole = left(folder, "jsonl", LINES[:at] + bytes(zeros))  # as after a power cut
    finish_records(folder)
    assert whole.read_bytes() == LINES[: LINES.rfind(b"\n", 0, at) + 1]


@given(st.integers(len(b"WEBVTT\n\n"), len(CUES)))
def test_cues_are_kept_as_long_as_they_are_whole(
    tmp_path_factory: pytest.TempPathFactory, at: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    whole = left(folder, "vtt", CUES[:at])
    finish_records(folder)
    assert len(shown(whole)) == CUES[:at].count(b"\n\n") - 1


def test_sound_is_kept_to_its_last_sample_whatever_its_header_says(tmp_path: Path) -> None:
    sound = script(2.0).sound
    file = tmp_path / "sound"
    with file.open("w+b") as written:
        WavWriter(written.fileno()).write(sound)
    content = file.read_bytes()
    whole = left(tmp_path, "wav", content[:4] + bytes(4) + content[8:-3])
    finish_records(tmp_path)
    with wave.open(str(whole)) as read:
        assert read.getnframes() == len(sound) - 2
        assert read.readframes(len(sound)) == content[44:-4]


def test_what_is_there_already_is_not_written_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = left(tmp_path, "jsonl", LINES)
    whole.write_text("precious")
    finish_records(tmp_path)
    assert whole.read_text() == "precious"
    assert only(tmp_path, "*.part.jsonl").read_bytes() == LINES
    assert "exists already and is not overwritten" in caplog.text


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    others = {tmp_path / name for name in ("film.part.wav", f"{NAME}.part.zip", f"{NAME}.jsonl")}
    for other in others:
        other.write_text("half a")
    finish_records(tmp_path)
    assert {(path, path.read_text()) for path in tmp_path.iterdir()} == {
        (path, "half a") for path in others
    }


async def test_the_record_of_a_server_that_lives_is_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with recording(tmp_path) as living, connect(living.url) as stream:
        async with recording(tmp_path):  # as when one server takes the place of another
            assert {path.name.split(".", 1)[1] for path in tmp_path.iterdir()} == {
                *("part.jsonl", "part.srt", "part.vtt")
            }
        await stream.end()
        assert [event async for event in stream]
        events = await dictate(living.url, script().pcm, speed=100)
    assert "finished after" not in caplog.text
    assert not list(tmp_path.glob("*.part.*"))
    assert said(events) in {committed_text(path) for path in tmp_path.glob("*.jsonl")}
    assert all(lines(path)[-1]["type"] == "done" for path in tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize("kind", ["jsonl", "srt", "vtt", "wav"])
@pytest.mark.parametrize("link", ["symlink", "hardlink", "pipe", "folder"])
def test_what_is_no_file_of_a_server_is_left_unchanged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, link: str
) -> None:
    folder, other = tmp_path / "records", tmp_path / "other"
    folder.mkdir()
    other.write_bytes(b"nothing of the server's")
    part = folder / f"{NAME}.part.{kind}"
    match link:
        case "symlink":
            part.symlink_to(other)
        case "hardlink":
            part.hardlink_to(other)
        case "pipe":
            os.mkfifo(part)
        case "folder":
            part.mkdir()
    finish_records(folder)
    assert other.read_bytes() == b"nothing of the server's"
    assert [path.name for path in folder.iterdir()] == [part.name]
    assert f"{part.name}: cannot be finished" in caplog.text


def test_a_link_in_the_place_of_a_whole_record_is_not_replaced(tmp_path: Path) -> None:
    whole = left(tmp_path, "jsonl", LINES)
    whole.symlink_to(tmp_path / "elsewhere")
    finish_records(tmp_path)
    assert whole.is_symlink()
    assert only(tmp_path, "*.part.jsonl").read_bytes() == LINES
