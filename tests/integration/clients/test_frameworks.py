"""LiveKit's and Pipecat's own plugins, unchanged, in front of a real server with real speech."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwhisper.client import SyncStreamClient
from streamwhisper.events import Committed
from tests.support.microphones import microphones
from tests.support.paths import DOCS, EXAMPLES, SUPPORT
from tests.support.processes import ServerProcess, serving
from tests.support.sdk import python_with

PAGE = DOCS / "COMPATIBILITY.md"
PACKAGES = {
    "livekit": (
        "livekit-agents==1.8.9",
        "livekit-plugins-deepgram==1.8.9",
        "livekit-plugins-openai==1.8.9",
    ),
    "pipecat": ("pipecat-ai[deepgram]==1.14.0", "deepgram-sdk==7.17.0"),
}
SCRIPTS = {"livekit": "livekit_agent.py", "pipecat": "pipecat_pipeline.py"}
PATHS = {"deepgram": "/v1/listen", "openai": "/v1/realtime"}
RATE = 16000
KEY = "correct-horse-battery"

Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def server(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    log = tmp_path_factory.mktemp("frameworks") / "log"
    with serving(tiny_en_path, log, "--token", KEY) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture(scope="module")
def life(speech: Any) -> Sound:
    """A few words about a happy life."""
    return speech.load(speech.clip("librispeech/61-70968-0002"))


@pytest.fixture(scope="module")
def wizard(speech: Any) -> Sound:
    """And of a wizard who has vanished."""
    return speech.load(speech.clip("librispeech/61-70968-0000"))


@pytest.fixture(scope="module")
def conversation(life: Sound, wizard: Sound, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two utterances with silence between."""
    sound = np.concatenate([life, np.zeros(3 * RATE // 2, np.float32), wizard])
    return written(tmp_path_factory.mktemp("sound") / "conversation.wav", sound)


def written(path: Path, sound: Sound, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def native(server: ServerProcess, *paths: Path) -> list[str]:
    """The words that the native protocol brings."""
    text = ""
    for path in paths:
        with SyncStreamClient(server.url, token=KEY, language="en") as stream:
            with wave.open(str(path)) as file:
                stream.send(file.readframes(file.getnframes()))
            stream.end()
            text += "".join(event.text for event in stream if isinstance(event, Committed))
    return words(text)


def http(server: ServerProcess) -> str:
    return f"http://{urlsplit(server.url).netloc}"


def metric(server: ServerProcess, name: str) -> float:
    """The value of one, with its labels."""
    lines = server.get(f"/metrics?token={KEY}").splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)


def connections(server: ServerProcess, path: str) -> float:
    """How many a path has had."""
    return metric(server, f'streamwhisper_connections_total{{path="{path}"}}')


def interpreter(framework: str) -> list[object]:
    """That of a framework's own environment; its deprecations are its own to mend."""
    return [python_with(framework, *PACKAGES[framework]), "-W", "ignore"]


def run(commands: Mapping[str, list[object]]) -> dict[str, tuple[str, str, int]]:
    """What programs print that run at the same time, what they complain of, and how they end."""
    quiet = {**os.environ, "LOGURU_LEVEL": "WARNING"}  # Pipecat greets everybody who imports it
    running = {
        name: subprocess.Popen(
            [*map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=quiet,
        )
        for name, command in commands.items()
    }
    try:
        printed = {name: process.communicate(timeout=500) for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return {name: (*printed[name], process.returncode) for name, process in running.items()}


def run_together(commands: Mapping[str, list[object]]) -> dict[str, list[str]]:
    """The lines that programs print which must have nothing to complain of."""
    ended = run(commands)
    for name, (_, errors, code) in ended.items():
        assert (code, errors) == (0, ""), name
    return {name: out.splitlines() for name, (out, _, _) in ended.items()}


@dataclass(frozen=True)
class Talk:
    """What came of a conversation.

    Attributes:
        lines: that an example printed, by what it listened through.
        connections: that it took, likewise.
        expected: the words that the native protocol brings.
    """

    lines: Mapping[str, list[str]]
    connections: Mapping[str, float]
    expected: list[str]

    def said(self, stt: str, who: str) -> list[str]:
        mark = f"{who}: "
        return [line.removeprefix(mark) for line in self.lines[stt] if line.startswith(mark)]


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def talk(request: pytest.FixtureRequest, server: ServerProcess, conversation: Path) -> Talk:
    """The examples listen through both plugins of a framework at once."""
    framework, url = request.param, http(server)
    command = [*interpreter(framework), EXAMPLES / SCRIPTS[framework], conversation]
    before = {stt: connections(server, path) for stt, path in PATHS.items()}
    lines = run_together(
        {stt: [*command, "--stt", stt, "--url", url, "--key", KEY] for stt in PATHS}
    )
    taken = {stt: connections(server, path) - before[stt] for stt, path in PATHS.items()}
    return Talk(lines, taken, native(server, conversation))


@pytest.mark.parametrize("stt", PATHS)
def test_a_framework_hears_what_the_native_protocol_hears(talk: Talk, stt: str) -> None:
    assert words(" ".join(talk.said(stt, "heard"))) == talk.expected
    assert talk.said(stt, "hearing")


@pytest.mark.parametrize("stt", PATHS)
def test_each_of_two_utterances_is_answered_when_it_is_over(talk: Talk, stt: str) -> None:
    questions = talk.said(stt, "you")
    assert len(questions) == 2
    assert words(" ".join(questions)) == talk.expected
    assert talk.said(stt, "assistant") == [
        f"You said {len(question.split())} words: {question}" for question in questions
    ]


@pytest.mark.parametrize("stt", PATHS)
def test_the_beginning_and_the_end_of_speech_arrive_in_turn(talk: Talk, stt: str) -> None:
    states = [state for state in talk.said(stt, "user") if state != "away"]
    assert states == ["speaking", "listening"] * (len(states) // 2)
    assert len(states) >= 4


@pytest.mark.parametrize("stt", PATHS)
def test_no_plugin_connects_a_second_time(talk: Talk, stt: str) -> None:
    assert talk.connections[stt] == 1


def test_pipecat_is_told_when_all_that_it_asked_for_is_there(
    server: ServerProcess, conversation: Path
) -> None:
    script = SUPPORT / "pipecat_frames.py"
    command = [*interpreter("pipecat"), script, EXAMPLES, http(server), KEY, conversation]
    printed = run_together({"frames": command})["frames"]
    transcripts = [json.loads(line) for line in printed if line.startswith("[")]
    assert words(" ".join(text for text, _ in transcripts)) == native(server, conversation)
    assert sum(finalized for _, finalized in transcripts) >= 2
    assert transcripts[-1][1]


def test_an_example_answers_who_speaks_into_the_microphone(
    server: ServerProcess, life: Sound, tmp_path: Path
) -> None:
    sound = written(tmp_path / "life.wav", life)
    command = [*interpreter("livekit"), EXAMPLES / SCRIPTS["livekit"]]
    command += ["--url", http(server), "--key", KEY]
    with microphones(tmp_path) as plugged:
        plugged.plug("desk")
        heard_by = {**plugged.environment, "PULSE_SOURCE": "desk"}
        with subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, text=True, env=heard_by
        ) as agent:
            try:
                plugged.await_listener()
                plugged.speak("desk", sound).wait(240)
                assert agent.stdout is not None
                answer = next(line for line in agent.stdout if line.startswith("assistant: "))
            finally:
                agent.kill()
    assert "happy life" in answer.lower()


def test_a_key_that_is_wrong_is_told_and_not_tried_for_ever(
    server: ServerProcess, life: Sound, tmp_path: Path
) -> None:
    wrong = [written(tmp_path / "life.wav", life), "--url", http(server), "--key", "wrong"]
    before = metric(server, "streamwhisper_sessions_refused_total")
    ended = run(
        {
            f"{framework}, {stt}": [
                *interpreter(framework),
                EXAMPLES / script,
                *wrong,
                "--stt",
                stt,
            ]
            for framework, script in SCRIPTS.items()
            for stt in PATHS
        }
    )
    for name, (out, errors, _) in ended.items():
        assert "heard:" not in out, name
        assert "401" in errors, name
    refused = metric(server, "streamwhisper_sessions_refused_total") - before
    assert len(ended) <= refused <= 4 * len(ended)


def test_livekit_gets_what_it_flushes_without_waiting_for_silence(
    server: ServerProcess, life: Sound, wizard: Sound, tmp_path: Path
) -> None:
    first, second = written(tmp_path / "a.wav", life), written(tmp_path / "b.wav", wizard)
    command = [*interpreter("livekit"), SUPPORT / "livekit_stream.py", http(server), KEY]
    shown = run_together({"stream": [*command, first, second]})
    events = [json.loads(line) for line in shown["stream"]]
    finals = [(text, timed) for kind, text, timed in events if kind == "final_transcript"]
    expected = native(server, first, second)
    assert words(" ".join(text for text, _ in finals)) == expected
    times = [time for _, timed in finals for _, *both in timed for time in both]
    assert len(times) == 2 * len(expected)
    assert times == sorted(times)
    assert times[-1] <= (len(life) + len(wizard)) / RATE + 0.1
    kinds = [kind for kind, *_ in events if kind.endswith("_of_speech")]
    assert kinds == ["start_of_speech", "end_of_speech"] * 2


def test_a_sound_that_the_examples_cannot_read_is_refused_with_the_way_out(
    life: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    from sound import recording

    for path in (
        EXAMPLES / "sample.flac",
        tmp_path / "missing.wav",
        written(tmp_path / "slow.wav", life, 8000),
    ):
        with pytest.raises(SystemExit, match=r"expected a WAV file of 16000 Hz.*ffmpeg -i"):
            asyncio.run(anext(recording(str(path), asyncio.Event())))


def test_the_page_names_the_plugins_and_addresses_that_are_tried_here() -> None:
    section = PAGE.read_text().split("## Frameworks\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+)-\S+ (\S+) \| `([\w.]+)`.*`base_url=\"(\S+?)\"`", section, re.M)
    assert len(rows) == len(PACKAGES) * len(PATHS)
    for framework, version, plugin, address in rows:
        assert any(package.endswith(f"=={version}") for package in PACKAGES[framework])
        example = (EXAMPLES / SCRIPTS[framework]).read_text()
        assert f"{plugin}(base_url=" in example
        assert urlsplit(address.replace("HOST", "host")).path in example


@pytest.mark.parametrize("name", [*SCRIPTS.values(), "sound.py"])
def test_an_example_is_read_in_two_minutes(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) < 140
