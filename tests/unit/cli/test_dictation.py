"""Dictation as its flags describe it."""

from __future__ import annotations

import pytest

from streamwhisper.cli.dictation import command_words, warn_of_tampering
from streamwhisper.cli.mic import DestinationFlags
from streamwhisper.errors import StreamWhisperError


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


def test_a_command_is_split_as_a_shell_would():
    assert command_words("tee -a 'my notes.txt'") == ["tee", "-a", "my notes.txt"]


@pytest.mark.parametrize(("command", "said"), [("say 'a", "No closing quotation"), (" ", "empty")])
def test_a_command_that_is_none_says_so(command, said):
    with pytest.raises(StreamWhisperError, match=rf"--command is .*{said}"):
        command_words(command)


def test_keys_that_paste_imply_pasting():
    assert DestinationFlags(to="type", paste_keys="shift+insert").pastes
    assert not DestinationFlags(to="type").pastes
