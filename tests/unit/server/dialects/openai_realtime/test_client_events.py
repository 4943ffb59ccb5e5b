"""What a Realtime client says: events, and sound inside of them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.server.dialects.openai_realtime.client_events import (
    InvalidRequest,
    read_event,
    unwrap_audio,
)
from tests.support.realtime import Talk, append, of


@given(st.binary())
def test_the_sound_of_an_append_comes_out_as_it_was(sound: bytes) -> None:
    assert unwrap_audio(json.dumps(append(sound))) == sound
    assert unwrap_audio(sound) == sound


def test_many_values_beside_the_sound_cost_little() -> None:
    """A megabyte of small values is skipped, not built: it takes a tenth of the time."""
    values = '{"type":"input_audio_buffer.append","audio":"AAAA","x":[' + "[]," * 349_000 + "0]}"
    before = time.process_time()
    assert unwrap_audio(values) == bytes(3)
    assert time.process_time() - before < 0.1


@pytest.mark.parametrize("audio", [None, 3, [], "====", "a", "Zm9v!", "Zm9vÄ", "Zm 9v"])
def test_an_append_without_sound_is_said_to_have_none(audio: Any) -> None:
    event = append(b"") | {"audio": audio, "event_id": "mine"}
    one = Talk()
    one.heard()
    (error,) = one.send(event)
    assert (error["error"]["param"], error["error"]["event_id"]) == ("audio", "mine")
    assert "base64" in error["error"]["message"]
    assert one.dialect.closing is None


def test_what_is_wrong_with_a_long_append_does_not_make_the_answer_long() -> None:
    event = append(b"") | {"audio": base64.b64encode(bytes(999_999)).decode() + "!"}
    frame = unwrap_audio(json.dumps(event))
    assert isinstance(frame, str)
    assert len(frame) < 200


@pytest.mark.parametrize(
    "type",
    ["response.create", "response.cancel", "conversation.item.create", "start", 3, None, []],
)
def test_events_that_are_none_of_ours_are_named_with_those_that_are(type: Any) -> None:
    one = Talk()
    one.heard()
    (error,) = one.send({"type": type, "event_id": "mine"})
    assert error["error"]["type"] == "invalid_request_error"
    assert "only transcribes" in error["error"]["message"]
    assert "input_audio_buffer.append" in error["error"]["message"]
    assert one.dialect.closing is None


@pytest.mark.parametrize("frame", ["", "{", "[]", "3", "null", '{"type": NaN}', "[" * 100_000])
def test_a_frame_that_is_no_event_is_answered_and_the_session_goes_on(frame: str) -> None:
    with pytest.raises(InvalidRequest):
        read_event(frame)
    one = Talk()
    one.heard()
    assert len(of(one.send(frame), "error")) == 1
    assert one.send({"type": "input_audio_buffer.clear"})


@given(st.text())
def test_no_text_whatever_makes_it_fall_over(frame: str) -> None:
    one = Talk()
    one.send(frame, json.dumps({"type": frame, "event_id": frame, "session": frame}))
