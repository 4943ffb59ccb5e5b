from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as connect_websocket

from streamwhisper.client import connect
from streamwhisper.events import Committed
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.logs import (
    LogFormat,
    LogLevel,
    configure,
    figures,
    text_log,
    wire_log,
)
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

log = logging.getLogger("streamwhisper.server.test")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """The root logger as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    text_log.setLevel(logging.CRITICAL + 1)
    logging.getLogger("websockets").setLevel(logging.NOTSET)


def test_a_line_of_json_has_the_message_and_the_figures(capsys):
    configure("json", "info")
    log.info("session %s: closed", "ab", extra=figures(session="ab", seconds=1.5, key=None))
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "streamwhisper.server.test",
        "message": "session ab: closed",
        "session": "ab",
        "seconds": 1.5,
    }


def test_a_failure_is_one_line_of_json_too(capsys):
    configure("json", "info")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed")
    [line] = capsys.readouterr().err.splitlines()
    assert "two\nlines" in json.loads(line)["traceback"]


FORGED = "a\n2026-01-01 INFO forged\r\x1b]0;owned\x07 \x9b2J \u2028 \u202e \ud800"


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_log_escapes_the_control_characters_of_clients_in_every_place(capsys, format):
    configure(format, "info")
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("refused %s", FORGED, extra=figures(path=FORGED))
    written = capsys.readouterr().err
    lines = written.splitlines()
    assert all(character.isprintable() for line in lines for character in line)
    assert not any(line.startswith("2026-01-01") for line in lines)
    assert written.encode()
    if format == "json":
        [line] = lines
        assert json.loads(line)["path"] == FORGED
        assert json.loads(line)["message"] == f"refused {FORGED}"


def test_a_line_for_people_ends_with_the_figures(capsys):
    configure("text", "info")
    log.info("session %s: closed", "ab", extra=figures(outcome="done", seconds=1.5))
    assert capsys.readouterr().err.endswith("INFO session ab: closed outcome=done seconds=1.5\n")


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("warning", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_said(capsys, level, lines):
    configure("text", level)
    for say in (log.debug, log.info, log.warning, log.error):
        say("it")
    assert capsys.readouterr().err.count("it\n") == lines


def test_frames_and_headers_are_left_out_at_every_level(capsys):
    configure("text", "debug")
    for name in ("websockets.server", "websockets.client", wire_log.name):
        logging.getLogger(name).debug("< TEXT secret")
        logging.getLogger(name).info("< Authorization: secret")
        logging.getLogger(name).error("broken")
    said = capsys.readouterr().err
    assert "secret" not in said
    assert said.count("broken") == 3


def test_a_handshake_that_fails_is_one_line(capsys):
    configure("text", "info")
    try:
        raise EOFError("connection closed")
    except EOFError:
        wire_log.error("opening handshake failed", exc_info=True)
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("opening handshake failed: connection closed")


SECRETS = ("w3", "w6", "Montfichet", "correct-horse")  # words that are said, or listed; a key


async def dictate(port: int) -> str:
    """All that a session can say and do, with a viewer; its text."""
    url = f"ws://127.0.0.1:{port}/v1"
    key = f"token={SECRETS[3]}"
    async with (
        connect_websocket(f"{url}/watch/stage", proxy=None) as viewer,
        connect(f"{url}/stream?{key}", publish="stage", vocabulary=(SECRETS[2],)) as stream,
    ):
        await stream.set_vocabulary([SECRETS[2]] * 2000)  # too many: an error
        await stream.send(script(6.0).pcm)
        await stream.flush()
        await stream.end()
        text = "".join([event.text async for event in stream if isinstance(event, Committed)])
        await viewer.send(SECRETS[0])
    async with connect_websocket(f"{url}/stream?{key}", proxy=None) as nonsense:
        await nonsense.send(f"no JSON: {text}")
        await nonsense.wait_closed()
    return text


async def logged(capsys: pytest.CaptureFixture[str], folder: Path) -> tuple[str, str]:
    """The log of a server that all that happens to, and what was said to it."""
    options = ServerOptions(
        port=0,
        session=OPTIONS,
        access=AccessOptions((Key.of("stage", SECRETS[3]),)),
        features=FeatureOptions(recording=RecordingOptions(folder, audio=True)),
    )
    async with Server(ScriptedRecognizer(script(6.0)), options) as server:
        text = await dictate(server.port)
    return capsys.readouterr().err, text


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
async def test_no_text_and_no_sound_is_in_the_log_at_any_level(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, format: LogFormat, level: LogLevel
) -> None:
    configure(format, level)
    # The client's own library would say what it sends.
    logging.getLogger("websockets.client").setLevel(logging.WARNING)
    said, text = await logged(capsys, tmp_path)
    assert set(SECRETS[:2]) <= set(text.split())
    assert not [secret for secret in SECRETS if secret in said]
    assert ("closed, done" in said) == (level in ("debug", "info"))
    sound = script(6.0).pcm
    pieces = [sound[at : at + 48] for at in range(0, len(sound), 48) if any(sound[at : at + 48])]
    shapes = {shape for piece in pieces for shape in (piece.hex(), b64encode(piece).decode())}
    assert not [shape for shape in shapes if shape in said]
    assert "\\x" not in said


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("level", ["info", "error"])
async def test_committed_text_is_in_the_log_if_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, format: LogFormat, level: LogLevel
) -> None:
    configure(format, level, committed=True)
    said, text = await logged(capsys, tmp_path)
    if format == "json":
        lines = [json.loads(line) for line in said.splitlines()]
        assert "".join(line["text"] for line in lines if "text" in line) == text
    else:
        pieces = re.findall(r"committed session=\w+ text=('.*'|\S+)$", said, re.MULTILINE)
        assert "".join(piece.strip("'") for piece in pieces) == text
    assert SECRETS[3] not in said


def test_what_is_not_one_word_is_quoted(capsys):
    configure("text", "info")
    log.info("it", extra=figures(text=" two\nlines"))
    assert capsys.readouterr().err.endswith("INFO it text=' two\\nlines'\n")
