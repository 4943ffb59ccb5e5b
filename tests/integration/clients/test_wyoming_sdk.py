"""The reference implementation of Wyoming against a real server, with real speech and weights."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zeroconf import Zeroconf

from streamwhisper.audio.files import read_audio, write_wav
from streamwhisper.client import SyncStreamClient
from streamwhisper.events import Committed
from streamwhisper.server.wyoming.discovery import SERVICE
from tests.support.multicast import multicast_works
from tests.support.paths import SUPPORT
from tests.support.processes import ServerProcess, serving
from tests.support.sdk import python_with
from tests.support.transcripts import letters
from tests.support.wyoming_dialogue import Answer, joined, kinds, only

SCRIPT = SUPPORT / "wyoming_client.py"
LIFE = "librispeech/61-70968-0002"
FITZOOTH = "librispeech/61-70968-0011"  # heard right where the name is listed


@dataclass(frozen=True)
class Home:
    """A server, and the client of an assistant."""

    server: ServerProcess
    python: Path

    @property
    def uri(self) -> str:
        (uri,) = re.findall(r"tcp://[\d.]+:\d+", self.server.log.read_text())
        return str(uri)

    def begin(self, **what: Any) -> subprocess.Popen[str]:
        """A client at work."""
        command = [str(self.python), str(SCRIPT), self.uri, json.dumps(what)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def ask(self, **what: Any) -> list[Answer]:
        """What a client is answered."""
        with self.begin(**what) as client:
            return answers(client)

    def native(self, wav: Path) -> str:
        """What the native protocol makes of the same sound."""
        with SyncStreamClient(self.server.url, language="en", encoding="pcm_f32le") as stream:
            stream.send(read_audio(wav).astype("<f4").tobytes())
            stream.end()
            return "".join(event.text for event in stream if isinstance(event, Committed))


def answers(client: subprocess.Popen[str]) -> list[Answer]:
    """What it was answered by its end."""
    said, _ = client.communicate(timeout=400)
    assert client.returncode == 0
    return [(kind, data) for kind, data in json.loads(said)]


@pytest.fixture(scope="module")
def home(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    python = python_with("wyoming", "wyoming==1.10.2")
    log = tmp_path_factory.mktemp("wyoming") / "log"
    with serving(tiny_en_path, log, "--wyoming-port", "0") as server:
        yield Home(server, python)
        assert server.stop() == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def wavs(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sound")
    found = {}
    for name in (LIFE, FITZOOTH):
        found[name] = folder / f"{Path(name).name}.wav"
        write_wav(found[name], speech.load(speech.clip(name)))
    return found


def test_a_service_is_found_and_described(home: Home) -> None:
    info, pong = home.ask(describe=True, ping="are you there?")
    assert pong == ("pong", {"text": "are you there?"})
    (program,) = info[1]["asr"]
    (model,) = program["models"]
    assert program["name"] == "streamwhisper"
    assert "tiny.en" in model["name"]  # it is served by its path here
    for about in (program, model):
        assert about["installed"] is True
        assert about["version"]
        assert about["description"]
        assert set(about["attribution"]) == {"name", "url"}
    assert model["languages"] == ["en"]
    assert program["supports_transcript_streaming"] is True
    assert program["requires_external_vad"] is True
    assert not any(info[1][kind] for kind in ("tts", "handle", "intent", "wake", "mic", "snd"))


@pytest.mark.parametrize("meanwhile", [False, True])
def test_home_assistant_has_its_transcript_whether_it_reads_meanwhile_or_not(
    home: Home, wavs: dict[str, Path], meanwhile: bool
) -> None:
    # Its own order of calls: before 2026.5 it reads once everything is sent, since then meanwhile.
    wav = wavs[LIFE]
    asked = {"language": "en"}
    found = home.ask(
        wavs=[str(wav)], transcribe=asked, last="transcript", meanwhile=meanwhile, pace=0.2
    )
    text = only(found, "transcript")["text"]
    assert "happy life" in text.lower()
    assert letters(text) == letters(home.native(wav))
    assert joined(found) == text
    assert kinds(found)[0] == "transcript-start"
    assert only(found, "transcript")["language"] == "en"


def test_one_connection_carries_several_utterances(home: Home, wavs: dict[str, Path]) -> None:
    found = home.ask(wavs=[str(wavs[LIFE]), str(wavs[FITZOOTH]), str(wavs[LIFE])])
    texts = [data["text"] for kind, data in found if kind == "transcript"]
    assert kinds(found).count("transcript-stop") == 3
    for text, word in zip(texts, ("happy life", "squire", "happy life"), strict=True):
        assert word in text.lower()


@pytest.mark.parametrize(
    "format",
    [
        {"rate": 8000, "width": 1, "channels": 1},
        {"rate": 44100, "width": 4, "channels": 2},
        {"rate": 22050, "width": 3, "channels": 1},
    ],
)
def test_sound_of_other_formats_is_heard(
    home: Home, wavs: dict[str, Path], format: dict[str, int]
) -> None:
    found = home.ask(wavs=[str(wavs[LIFE])], format=format)
    assert "life" in only(found, "transcript")["text"].lower()


def test_names_that_are_listed_are_heard(home: Home, wavs: dict[str, Path]) -> None:
    wav = str(wavs[FITZOOTH])
    plain = only(home.ask(wavs=[wav]), "transcript")["text"]
    terms = {"transcript_names": ["Fitzooth"], "transcript_terms": ["squire"]}
    told = only(home.ask(wavs=[wav], transcribe=terms), "transcript")["text"]
    assert "Fitzooth" not in plain
    assert "Fitzooth" in told


def test_a_command_is_ended_by_the_server_where_it_is_asked_to(
    home: Home, wavs: dict[str, Path], tmp_path: Path
) -> None:
    life = read_audio(wavs[LIFE])
    pause = np.zeros(16000 * 3, np.float32)
    wav = tmp_path / "twice.wav"
    write_wav(wav, np.concatenate([life, pause, life, pause]))
    for sensitivity in ("default", "aggressive", "relaxed"):
        asked = {"vad_sensitivity": sensitivity}
        found = home.ask(wavs=[str(wav)], transcribe=asked, meanwhile=True, pace=0.3)
        text = only(found, "transcript")["text"].lower()
        assert text.count("life") == 1
    assert only(home.ask(wavs=[str(wav)]), "transcript")["text"].lower().count("life") == 2


def test_what_cannot_be_is_an_error_of_its_own_kind(home: Home, wavs: dict[str, Path]) -> None:
    for asked, code in (
        ({"language": "de"}, "unsupported_language"),
        ({"name": "large-v3"}, "unknown_model"),
        ({"vad_sensitivity": "very"}, "bad_field"),
    ):
        found = home.ask(wavs=[str(wavs[LIFE])], transcribe=asked, meanwhile=True)
        assert kinds(found) == ["error"]
        assert found[0][1]["code"] == code
        assert len(found[0][1]["text"]) > 20


def test_a_server_that_is_announced_and_ends_commands_tells_the_last_one_when_it_stops(
    tiny_en_path: Path, wavs: dict[str, Path], tmp_path: Path
) -> None:
    python = python_with("wyoming", "wyoming==1.10.2")
    flags = ["--wyoming-port", "0", "--wyoming-endpoint", "--zeroconf"]
    with serving(tiny_en_path, tmp_path / "log", *flags) as server:
        home = Home(server, python)
        ((_, info),) = home.ask(describe=True)
        assert info["asr"][0]["requires_external_vad"] is False
        if multicast_works():
            name = f"streamwhisper on {socket.gethostname().partition('.')[0]}.{SERVICE}"
            with contextlib.closing(Zeroconf(interfaces=["127.0.0.1"])) as network:
                service = network.get_service_info(SERVICE, name, timeout=10_000)
            assert service is not None
            assert home.uri == f"tcp://{service.parsed_addresses()[0]}:{service.port}"
        with home.begin(wavs=[str(wavs[LIFE])], meanwhile=True, pace=1.0) as client:
            while not server.metric("streamwhisper_audio_seconds_total"):
                time.sleep(0.02)
            assert server.stop() == 0
            found = answers(client)
        assert "happy life" in only(found, "transcript")["text"].lower()
        assert kinds(found)[-1] == "transcript-stop"
