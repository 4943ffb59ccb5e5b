"""Frames of a session: each comes once a connection, in order, and again after a rewind."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.protocol import Ack, Pong, parse_server_message
from streamwhisper.server.dialects.outbox import Outbox

GREETING = Pong("hello again")


def numbers(frames: list[str]) -> list[int]:
    return [parse_server_message(frame)[0] for frame in frames]


@given(st.lists(st.integers(0, 5), max_size=30), st.data())
def test_a_rewind_brings_exactly_what_came_after_the_last_one_seen(
    bursts: list[int], data: st.DataObject
) -> None:
    outbox, taken = Outbox(), []
    for burst in bursts:
        for _ in range(burst):
            outbox.put(Ack(burst))
        taken += numbers(outbox.take())
    assert taken == list(range(1, sum(bursts) + 1))
    seen = data.draw(st.integers(0, outbox.seq))
    assert outbox.rewind(seen, GREETING)
    greeting, *again = outbox.take()
    assert parse_server_message(greeting) == (seen, GREETING)
    assert numbers(again) == list(range(seen + 1, outbox.seq + 1))
    assert outbox.take() == []


@given(st.integers(0, 500), st.integers(1, 40))
def test_what_is_kept_is_bounded_and_what_was_never_sent_is_always_kept(
    limit: int, count: int
) -> None:
    outbox = Outbox(limit)
    for number in range(count):
        outbox.put(Ack(number))
    frames = outbox.take()
    assert numbers(frames) == list(range(1, count + 1))
    for seen in range(count + 1):
        kept = sum(len(frame) for frame in frames[seen:]) <= limit
        assert outbox.rewind(seen, GREETING) == kept


def test_more_than_was_ever_said_cannot_have_been_seen() -> None:
    outbox = Outbox()
    outbox.put(Ack(1))
    assert not outbox.rewind(2, GREETING)
    assert not outbox.rewind(-1, GREETING)
    assert json.loads(outbox.take()[0])["seq"] == 1
