"""What nobody reads is bounded, and only what newer events replace is left out."""

from __future__ import annotations

import asyncio

from streamwhisper.client.event_queue import EventQueue
from streamwhisper.events import Flushed, Partial
from streamwhisper.protocol import Ack, Pong, ServerMessage, Status


async def everything(inbox: EventQueue) -> list[ServerMessage]:
    inbox.close()
    events = []
    while (event := await inbox.get()) is not None:
        events.append(event)
    return events


async def test_events_come_out_in_order_and_then_there_are_no_more() -> None:
    inbox = EventQueue()
    given = [Partial("a", 0, 1), Pong("1"), Partial("b", 0, 1), Ack(1), Ack(2)]
    for event in given:
        inbox.put(event)
    assert await everything(inbox) == given
    assert await inbox.get() is None


async def test_beyond_its_capacity_the_newest_of_what_is_replaced_stays() -> None:
    inbox = EventQueue(10)
    for number in range(1000):
        for event in (Partial(str(number), 0, 1), Ack(number), Status(number, 0.0, 0.0)):
            inbox.put(event)
        if number in (3, 7):
            inbox.put(Flushed(str(number)))
        assert not inbox.full
    events = await everything(inbox)
    assert len(events) < 10
    assert [event for event in events if isinstance(event, Flushed)] == [Flushed("3"), Flushed("7")]
    assert events[-3:] == [Partial("999", 0, 1), Ack(999), Status(999, 0.0, 0.0)]


async def test_what_counts_is_kept_and_fills_it() -> None:
    inbox = EventQueue(10)
    for number in range(12):
        inbox.put(Pong(str(number)))
    assert inbox.full
    assert await everything(inbox) == [Pong(str(number)) for number in range(12)]


async def test_a_reader_waits_for_the_next_event() -> None:
    inbox = EventQueue()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    assert not reading.done()
    inbox.put(Pong("1"))
    assert await reading == Pong("1")
