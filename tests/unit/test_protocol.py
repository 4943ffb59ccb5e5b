"""The native wire format: what is written is read back, and bad input is named."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.errors import ProtocolError
from streamwhisper.events import (
    Committed,
    Done,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from streamwhisper.protocol import (
    ENCODINGS,
    Ack,
    ClientMessage,
    End,
    ErrorMessage,
    Flush,
    Ping,
    Pong,
    Ready,
    ServerMessage,
    Start,
    Status,
    VocabularyMessage,
    encode_client_message,
    encode_server_message,
    parse_client_message,
    parse_server_message,
)
from tests.support.paths import DOCS

# Without halves of surrogate pairs: JSON can escape them, but they are no text.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
optional_texts = st.none() | texts
counts = st.integers(0, 2**53)
# On the wire floats have three decimals.
floats = st.integers(-(10**9), 10**9).map(lambda thousandths: thousandths / 1000)
words = st.lists(st.builds(Word, texts, floats, floats, floats), max_size=3).map(tuple)

client_messages: st.SearchStrategy[ClientMessage] = st.one_of(
    st.builds(
        Start,
        encoding=st.sampled_from(ENCODINGS),
        sample_rate=counts,
        channels=counts,
        language=optional_texts,
        task=st.sampled_from(["transcribe", "translate"]),
        model=optional_texts,
        words=st.booleans(),
        partials=st.booleans(),
        languages=st.lists(texts, max_size=3).map(tuple),
        vocabulary=st.lists(texts, max_size=3).map(tuple),
        resume=optional_texts,
        last_seq=counts,
        continued=st.booleans(),
    ),
    st.builds(Flush, optional_texts),
    st.builds(VocabularyMessage, st.lists(texts, max_size=3).map(tuple)),
    st.just(End()),
    st.builds(Ping, optional_texts),
)
server_messages: st.SearchStrategy[ServerMessage] = st.one_of(
    st.builds(Ready, texts, texts, texts, counts, counts, counts, counts, counts),
    st.builds(SpeechStarted, floats),
    st.builds(SpeechEnded, floats, floats),
    st.builds(Partial, texts, floats, floats, words),
    st.builds(Committed, texts, floats, floats, words, optional_texts, counts, st.booleans()),
    st.builds(
        *(Committed, texts, floats, floats, words, optional_texts, counts, st.booleans()),
        covered_until=st.none() | floats,
    ),
    st.builds(Ack, counts, counts),
    st.builds(Status, st.integers(), floats, floats),
    st.builds(Flushed, optional_texts),
    st.builds(Pong, optional_texts),
    st.builds(Done, floats, floats),
    st.builds(ErrorMessage, texts, texts, st.booleans()),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(client_messages)
def test_a_client_message_is_read_as_it_was_written(message: ClientMessage) -> None:
    text = encode_client_message(message)
    assert parse_client_message(text) == message
    text.encode()  # what goes on the wire is UTF-8


@given(server_messages, st.integers(1, 2**53))
def test_a_server_message_is_read_as_it_was_written(message: ServerMessage, seq: int) -> None:
    text = encode_server_message(message, seq)
    assert parse_server_message(text) == (seq, message)
    text.encode()


@given(client_messages, st.dictionaries(texts.map("x-".__add__), json_values, max_size=3))
def test_unknown_fields_are_ignored(message: ClientMessage, extra: dict[str, Any]) -> None:
    fields = json.loads(encode_client_message(message))
    plain = json.dumps(extra, default=str).replace("NaN", "0").replace("Infinity", "0")
    assert parse_client_message(json.dumps({**fields, **json.loads(plain)})) == message


@given(texts | json_values.map(json.dumps))
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    for parse in (parse_client_message, parse_server_message):
        with contextlib.suppress(ProtocolError):
            parse(text)


@given(
    st.sampled_from(["start", "flush", "end", "ping", "ready", "committed", "status", "error"]),
    st.dictionaries(
        st.sampled_from(
            ["encoding", "sample_rate", "language", "words", "vocabulary", "id", "lag_ms", "at"]
        ),
        json_values,
    ),
)
def test_fields_of_any_type_are_a_message_or_a_protocol_error(
    kind: str, fields: dict[str, Any]
) -> None:
    text = json.dumps({"type": kind, "seq": 1, **fields})
    for parse in (parse_client_message, parse_server_message):
        with contextlib.suppress(ProtocolError):
            parse(text)


def test_every_field_of_start_has_the_default_of_the_protocol() -> None:
    assert parse_client_message('{"type": "start"}') == Start(
        encoding="pcm_s16le",
        sample_rate=16000,
        channels=1,
        language=None,
        languages=(),
        task="transcribe",
        model=None,
        words=True,
        partials=True,
        vocabulary=(),
        resume=None,
    )


def test_a_committed_text_looks_as_the_protocol_says() -> None:
    event = Committed(
        " schön.", 1.0, 1.25, (Word("schön.", 1.0, 1.25, 0.98765),), "de", 2, True, 1.4
    )
    assert json.loads(encode_server_message(event, 7)) == {
        "type": "committed",
        "seq": 7,
        "text": " schön.",
        "start": 1.0,
        "end": 1.25,
        "words": [{"word": "schön.", "start": 1.0, "end": 1.25, "confidence": 0.988}],
        "language": "de",
        "utterance": 2,
        "final": True,
        "heard": 1.4,
    }
    assert "schön" in encode_server_message(event, 7)


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("", "bad_json", 'saw ""'),
        ('{"type": "start"', "bad_json", "start"),
        ('{"type": "ping", "id": NaN}', "bad_json", "NaN"),
        ("[" * 60_000, "bad_json", "[[["),
        ("9" * 6_000, "bad_json", "999"),
        ('["start"]', "not_an_object", '["start"]'),
        ("null", "not_an_object", "null"),
        ('{"typ": "start"}', "no_type", '"typ"'),
        ('{"type": "strat"}', "unknown_type", '"strat"'),
        ('{"type": null}', "unknown_type", "null"),
        ('{"type": ["start"]}', "unknown_type", '["start"]'),
        ('{"type": "ready", "seq": 1}', "unknown_type", '"ready"'),
        ('{"type": "start", "sample_rate": "16k"}', "bad_field", '"16k"'),
        ('{"type": "start", "sample_rate": 16000.5}', "bad_field", "16000.5"),
        ('{"type": "start", "sample_rate": true}', "bad_field", "true"),
        ('{"type": "start", "words": 1}', "bad_field", '"words"'),
        ('{"type": "start", "language": 5}', "bad_field", '"language"'),
        ('{"type": "start", "vocabulary": "Ada"}', "bad_field", "a list of strings"),
        ('{"type": "start", "vocabulary": ["Ada", 1]}', "bad_field", '["Ada", 1]'),
        ('{"type": "start", "task": "summarize"}', "bad_field", '"translate"'),
        ('{"type": "start", "encoding": "mp3"}', "unknown_encoding", '"container"'),
        ('{"type": "start", "encoding": {}}', "unknown_encoding", '"pcm_s16le"'),
        ('{"type": "flush", "id": 7}', "bad_field", '"id" of the "flush" message is 7'),
    ],
)
def test_bad_input_is_named_with_what_was_expected(text: str, code: str, named: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_client_message(text)
    assert caught.value.code == code
    assert named in str(caught.value)
    assert "expected" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_server_message_without_a_field_is_an_error() -> None:
    whole = encode_server_message(Status(1, 0.5, 2.0), 1)
    for name in ("seq", "lag_ms", "real_time_factor", "audio_seconds"):
        fields = json.loads(whole)
        del fields[name]
        with pytest.raises(ProtocolError, match=name):
            parse_server_message(json.dumps(fields))


def test_a_word_of_a_wrong_type_is_an_error() -> None:
    whole = encode_server_message(Partial("a", 0, 1, (Word("a", 0.0, 1.0, 1.0),)), 1)
    assert parse_server_message(whole)[1] == Partial("a", 0.0, 1.0, (Word("a", 0.0, 1.0, 1.0),))
    with pytest.raises(ProtocolError, match="confidence"):
        parse_server_message(whole.replace('"confidence":1.0', '"confidence":"high"'))
    with pytest.raises(ProtocolError, match="words"):
        parse_server_message(json.dumps({**json.loads(whole), "words": ["a"]}))


def test_messages_are_values() -> None:
    assert replace(Start(), language="en") == Start(language="en")
    assert len({Flush("a"), Flush("a"), Ping("a"), End(), End()}) == 3


def documented() -> list[str]:
    """The lines of JSON in the protocol's page."""
    page = (DOCS / "PROTOCOL.md").read_text(encoding="utf-8")
    blocks = [block.split("\n```")[0] for block in page.split("```json\n")[1:]]
    return [line for block in blocks for line in block.split("\n")]


def test_every_message_is_documented_by_an_example_that_can_be_read() -> None:
    server = [line for line in documented() if '"seq"' in line]
    client = [line for line in documented() if '"seq"' not in line]
    spoken = {type(parse_client_message(line)) for line in client}
    told = [parse_server_message(line) for line in server]
    assert spoken == set(get_args(ClientMessage))
    assert {type(message) for _, message in told} == set(get_args(ServerMessage))
    assert parse_client_message(client[0]) == Start()


@pytest.mark.parametrize("line", documented())
def test_an_example_shows_every_field_and_no_other(line: str) -> None:
    if '"seq"' not in line:
        shown = json.loads(encode_client_message(parse_client_message(line)))
        assert json.loads(line).items() <= shown.items()
        return
    seq, message = parse_server_message(line)
    assert json.loads(encode_server_message(message, seq)) == json.loads(line)
