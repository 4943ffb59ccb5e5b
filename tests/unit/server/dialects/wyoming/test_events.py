"""Wyoming's framing: however bytes are cut, the same events come out, or one clear error."""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.errors import ProtocolError
from streamwhisper.server.dialects.wyoming.events import EventReader, WyomingEvent, encode_event

MOST = 200
texts = st.text(max_size=12)
objects = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3)
events = st.tuples(texts, objects, objects, st.binary(max_size=40))


def wire(kind: str, inline: dict[str, Any], data: dict[str, Any], payload: bytes) -> bytes:
    """An event with data in both places, as clients may send it."""
    body = json.dumps(data).encode() if data else b""
    header = {"type": kind, "data": inline}
    header |= {"data_length": len(body)} if body else {}
    header |= {"payload_length": len(payload)} if payload else {}
    return json.dumps(header).encode() + b"\n" + body + payload


def read(*pieces: bytes) -> list[tuple[str, dict[str, Any], bytes]]:
    """Events with their whole payloads."""
    reader = EventReader(10_000, MOST)
    found: list[tuple[str, dict[str, Any], bytes]] = []
    for piece in pieces:
        reader.feed(piece)
        while (item := reader.next()) is not None:
            if isinstance(item, WyomingEvent):
                found.append((item.type, dict(item.data), b""))
            else:
                kind, data, payload = found.pop()
                found.append((kind, data, payload + item))
    return found


@given(st.lists(events, max_size=4), st.lists(st.integers(0, 600), max_size=12))
def test_any_cut_reads_as_the_whole(sent: list[Any], cuts: list[int]) -> None:
    data = b"".join(wire(*event) for event in sent)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    expected = [(kind, {**inline, **more}, payload) for kind, inline, more, payload in sent]
    assert read(*(data[a:b] for a, b in pairwise(edges))) == expected
    assert read(*(data[at : at + 1] for at in range(len(data)))) == expected


@given(texts, st.dictionaries(texts, texts | st.just("\ud800"), max_size=3))
def test_what_is_written_is_read_again(kind: str, data: dict[str, str]) -> None:
    assert read(encode_event(kind, data).encode()) == [(kind, data, b"")]


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "bad_json", "saw b'GET / HTTP/1.1"),
        (b"\n", "bad_json", "expected an event of the Wyoming protocol"),
        (b"\xff\xfe\n", "bad_json", "is not JSON"),
        (b"[" * 5000 + b"\n", "bad_json", "is not JSON"),
        (b'{"type": NaN}\n', "bad_json", "NaN is not a JSON value"),
        (b"[1]\n", "not_an_object", "the line is [1]; expected an object"),
        (b"{}\n", "no_type", "has the type null"),
        (b'{"type": 1}\n', "no_type", "has the type 1"),
        (b'{"type": "a", "data": "b"}\n', "not_an_object", '"data" is "b"'),
        (b'{"type": "a", "data_length": -1}\n', "bad_field", '"data_length" is -1'),
        (b'{"type": "a", "data_length": true}\n', "bad_field", '"data_length" is true'),
        (b'{"type": "a", "payload_length": 1.5}\n', "bad_field", '"payload_length" is 1.5'),
        (b'{"type": "a", "data_length": 2}\n[]', "not_an_object", "the data of an event is []"),
        (
            b'{"type": "a", "data_length": 10001}\n',
            "message_too_big",
            "10001 bytes; expected at most",
        ),
        (
            b'{"type": "a", "payload_length": 201}\n',
            "message_too_big",
            "201 bytes; expected at most",
        ),
        (b" " * 10_001, "message_too_big", "a line has 10001 bytes"),
    ],
)
def test_what_is_no_event_is_refused_by_name(sent: bytes, code: str, said: str) -> None:
    with pytest.raises(ProtocolError) as error:
        read(sent)
    assert error.value.code == code
    assert said in str(error.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_events_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        read(data, b"\n")
