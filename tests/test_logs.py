from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from streamwhisper.server.logs import configure, figures, wire_log

log = logging.getLogger("streamwhisper.server.test")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """The root logger as it was, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
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
