"""Dictation as its flags describe it."""

from __future__ import annotations

import pytest

from streamwhisper.cli.dictation import warn_of_tampering


@pytest.mark.parametrize(
    ("url", "to", "warned"),
    [
        ("ws://server.example/v1/stream", "type", "that dictation types"),
        ("ws://server.example/v1/stream", "command", "that dictation hands to your program"),
        ("ws://server.example/v1/stream", "terminal", ""),
        ("wss://server.example/v1/stream", "type", ""),
        ("ws://127.0.0.1:8765/v1/stream", "type", ""),
    ],
)
def test_text_that_acts_and_may_be_changed_on_its_way_is_warned_of(url, to, warned):
    notices: list[str] = []
    warn_of_tampering(url, to, notices.append)
    assert len(notices) == bool(warned)
    if warned:
        assert f"{url} is not encrypted" in notices[0]
        assert warned in notices[0]
