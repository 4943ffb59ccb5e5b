"""Rooms: viewers read what one session says, early or late, slow or many; nobody else's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamwhisper.client import StreamClient, connect
from streamwhisper.errors import ServerError
from streamwhisper.events import Committed, Done, Partial
from streamwhisper.protocol import (
    ErrorMessage,
    ServerMessage,
    Status,
    Watching,
    parse_server_message,
)
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.access.proxies import parse_network
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.rooms import RoomOptions
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

SECOND = 32000  # bytes
ONE, OTHER = Key.of("one", "1" * 20), Key.of("other", "2" * 20)


def serving(**rooms: Any) -> Server:
    return Server(
        ScriptedRecognizer(script()),
        ServerOptions(port=0, session=OPTIONS, features=FeatureOptions(rooms=RoomOptions(**rooms))),
    )


def keyed(*keys: Key) -> Server:
    access = AccessOptions(keys or (ONE, OTHER))
    return Server(
        ScriptedRecognizer(script()), ServerOptions(port=0, session=OPTIONS, access=access)
    )


def watching(server: Server, room: str = "stage", **options: Any) -> Any:
    url = f"ws://127.0.0.1:{server.port}/v1/watch/{room}"
    return connect_websocket(url, proxy=None, compression=None, **options)


async def receive(viewer: ClientConnection) -> tuple[int, ServerMessage]:
    return parse_server_message(await viewer.recv(decode=True))


async def read(viewer: ClientConnection) -> AsyncIterator[ServerMessage]:
    """What a viewer is shown, up to the end of the session."""
    last = 0
    while True:
        seq, message = await receive(viewer)
        assert seq > last
        last = seq
        yield message
        if isinstance(message, Done):
            return


async def shown(viewer: ClientConnection) -> list[ServerMessage]:
    return [message async for message in read(viewer)]


def text_of(messages: Iterable[object]) -> str:
    return "".join(message.text for message in messages if isinstance(message, Committed))


async def speak(stream: StreamClient, *, begin: float = 0, end: float = 60) -> None:
    pcm = script().pcm[round(begin * SECOND) : round(end * SECOND)]
    for at in range(0, len(pcm), SECOND // 2):
        await stream.send(pcm[at : at + SECOND // 2])
        await asyncio.sleep(0)


async def until_committed(stream: StreamClient) -> None:
    while not isinstance(await stream.receive(), Committed):
        pass


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_viewers_early_and_late_read_all_that_the_publisher_is_told() -> None:
    async with serving() as server, watching(server) as early:
        assert await receive(early) == (1, Watching("stage"))
        async with connect(server.url, publish="stage") as stream:
            session = stream.ready.session
            await speak(stream, end=30)
            await until_committed(stream)
            async with watching(server) as late:
                reading = [asyncio.create_task(shown(viewer)) for viewer in (early, late)]
                await speak(stream, begin=30)
                await stream.end()
                told = [event async for event in stream]
                first, second = await asyncio.gather(*reading)
                assert await receive(early) == await receive(late)  # that nobody publishes now
    assert text_of(first) == text_of(second) == script().text
    assert isinstance(told[-1], Done)
    for messages in (first, second):
        assert messages[0] == Watching("stage", session)
        assert messages[-1] == told[-1]
        assert {type(message) for message in messages} <= {Watching, Committed, Partial, Done}
        assert not any(m.words for m in messages if isinstance(m, Committed | Partial))


async def test_a_publisher_is_told_how_many_read_along() -> None:
    async with serving() as server, watching(server, "other"):
        async with connect(server.url, publish="stage") as stream:
            async with watching(server), watching(server):
                await until(lambda: server.context.rooms.viewers == 3)
                await speak(stream, end=2)
                assert (await status(stream)).viewers == 2
            await until(lambda: server.context.rooms.viewers == 1)
            await speak(stream, begin=2, end=4)
            while (await status(stream)).viewers != 0:
                pass
        async with connect(server.url) as private:
            await speak(private, end=2)
            assert (await status(private)).viewers is None


async def status(stream: StreamClient) -> Status:
    while not isinstance(event := await stream.receive(), Status):
        pass
    return event


async def test_a_late_viewer_is_shown_the_present_partial_and_no_older_one() -> None:
    async with serving() as server, connect(server.url, publish="stage"):
        room = server.context.rooms._rooms["stage"]
        room.on_event(Partial("old", 0.0, 1.0))
        room.on_event(Committed("One", 0.0, 1.0, (), "en", 0, False))
        room.on_event(Partial("tw", 1.0, 2.0))
        room.on_event(Partial("two", 1.0, 2.0))
        async with watching(server) as late:
            messages = [await receive(late) for _ in range(3)]
        assert [getattr(message, "text", None) for _, message in messages] == [None, "One", "two"]
        assert [seq for seq, _ in messages] == sorted({seq for seq, _ in messages})


async def test_a_viewer_is_shown_its_own_room_alone() -> None:
    async with (
        serving() as server,
        watching(server, "other") as viewer,
        connect(server.url, publish="stage") as stream,
        connect(server.url) as private,
    ):
        for client in (stream, private):
            await speak(client, end=20)
            await client.end()
            assert text_of([event async for event in client])
        await receive(viewer)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await viewer.recv()


async def test_what_is_not_kept_any_more_is_counted() -> None:
    async with (
        serving(history_bytes=500) as server,
        connect(server.url, publish="stage") as stream,
    ):
        await speak(stream)
        await stream.flush()
        committed = 0
        while committed < len(script().starts):
            event = await stream.receive()
            committed += len(event.words) if isinstance(event, Committed) else 0
        async with watching(server) as late:
            reading = asyncio.create_task(shown(late))
            await stream.end()
            messages = await reading
        rest = [event async for event in stream]
    assert isinstance(messages[0], Watching)
    kept = text_of(messages)
    assert messages[0].omitted > 0
    assert script().text.endswith(kept)
    assert 0 < len(kept) < len(script().text)
    assert isinstance(rest[-1], Done)


async def test_a_publisher_that_is_cut_off_comes_back_into_its_room() -> None:
    async with (
        serving() as server,
        watching(server) as viewer,
        connect(server.url, publish="stage") as stream,
    ):
        await receive(viewer)
        reading = asyncio.create_task(shown(viewer))
        for begin in range(0, 60, 10):
            await speak(stream, begin=begin, end=begin + 10)
            stream._websocket.transport.abort()  # type: ignore[union-attr]
        await stream.end()
        told = [event async for event in stream]
        messages = await reading
    assert b"sessions_resumed_total 0.0" not in server.context.metrics.render()
    assert text_of(messages) == text_of(told) == script().text
    assert sum(isinstance(message, Watching) for message in messages) == 1


async def test_one_session_at_a_time_publishes_in_a_room() -> None:
    async with serving() as server:
        async with connect(server.url, publish="stage") as stream:
            with pytest.raises(ServerError, match="Another session publishes") as caught:
                async with connect(server.url, publish="stage"):
                    pass
            assert caught.value.code == "room_taken"
            await stream.end()
            assert [event async for event in stream]
        async with connect(server.url, publish="stage") as another:
            assert another.ready


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 65])
async def test_a_name_that_is_none_is_refused(name: str) -> None:
    async with serving() as server:
        with pytest.raises(ServerError, match="letters, digits") as caught:
            async with connect(server.url, publish=name):
                pass
    assert caught.value.code == "room_name"


async def test_a_viewer_who_speaks_is_told_to_read() -> None:
    async with serving() as server, watching(server) as viewer:
        await receive(viewer)
        await viewer.send('{"type": "start"}')
        _, error = await receive(viewer)
        assert isinstance(error, ErrorMessage)
        assert error.code == "read_only"
        with pytest.raises(ConnectionClosed) as closed:
            await viewer.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_a_slow_viewer_is_dropped_and_the_others_read_on() -> None:
    # Little is read ahead on either side, so what a viewer leaves unread piles up in the server.
    async with (
        serving(history_bytes=1000, buffer_bytes=100_000) as server,
        watching(server) as good,
        watching(server, max_queue=1) as slow,
        connect(server.url, publish="stage") as stream,
    ):
        await until(lambda: server.context.rooms.viewers == 2)
        slow.transport.pause_reading()
        room = server.context.rooms._rooms["stage"]
        reading = asyncio.create_task(shown(good))
        await receive(good)
        for number in range(20_000):  # as much text as days of speech
            room.on_event(Committed(f" {number}" * 2000, 0, 1, (), "en", number, True))
            await asyncio.sleep(0)
            if len(room.viewers) == 1:
                break
        slow.transport.resume_reading()
        assert b"viewers_dropped_total 1.0" in server.context.metrics.render()
        await stream.end()
        messages = await reading
    assert sum(isinstance(message, Committed) for message in messages) == number + 1


async def test_there_are_so_many_places_for_viewers() -> None:
    async with serving(max_viewers=1) as server, watching(server) as viewer:
        await receive(viewer)
        with pytest.raises(InvalidStatus) as refused:
            async with watching(server):
                pass
        assert refused.value.response.status_code == 503
        assert b"too_many_viewers" in bytes(refused.value.response.body or b"")


async def test_an_address_has_so_many_places_for_viewers() -> None:
    async with serving(max_viewers_per_address=1) as server, watching(server) as viewer:
        await receive(viewer)
        with pytest.raises(InvalidStatus) as refused:
            async with watching(server):
                pass
        assert refused.value.response.status_code == 429
        async with watching(server, local_addr=("127.0.0.2", 0)) as other:
            await receive(other)
    async with serving(max_viewers_per_address=1) as server:
        for _ in range(3):  # the place is free again
            async with watching(server) as viewer:
                await receive(viewer)
            await until(lambda: server.context.rooms.viewers == 0)


async def test_who_waits_in_an_empty_room_gives_way_to_a_viewer_of_a_session() -> None:
    async with (
        serving(max_viewers=1) as server,
        connect(server.url, publish="stage"),
        watching(server, "nowhere") as waiting,
    ):
        await receive(waiting)
        with pytest.raises(InvalidStatus):
            async with watching(server, "elsewhere"):
                pass
        async with watching(server) as viewer:
            await receive(viewer)
            with pytest.raises(ConnectionClosed) as closed:
                await receive(waiting)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            assert server.context.rooms.viewers == 1
            with pytest.raises(InvalidStatus):  # a viewer of a session gives way to nobody
                async with watching(server):
                    pass


async def test_a_viewer_who_sends_many_frames_is_dropped() -> None:
    async with serving() as server, watching(server) as viewer:
        await receive(viewer)
        viewer.transport.write(b"\x8a\x80\0\0\0\0" * 1000)  # empty pongs
        await asyncio.wait_for(viewer.wait_closed(), 10)
        assert (viewer.close_code, viewer.close_reason) == (1008, "too_many_frames")
        dropped = server.context.metrics.viewers_dropped
        await until(lambda: dropped._value.get() == 1)


async def test_no_room_is_kept_that_nobody_is_in() -> None:
    async with serving() as server:
        async with watching(server), connect(server.url, publish="stage"):
            await until(lambda: server.context.rooms.viewers == 1)
        await until(lambda: not server.context.rooms._rooms)


async def test_viewers_leave_with_the_server_and_after_the_text() -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving())
        viewer = await stack.enter_async_context(watching(server))
        lonely = await stack.enter_async_context(watching(server, "empty"))
        stream = await stack.enter_async_context(
            connect(server.url, publish="stage", reconnect=None)
        )
        await speak(stream, end=20)
        await until_committed(stream)
        await server.shut_down()
        messages = await shown(viewer)
        assert text_of(messages)
        assert isinstance(messages[-1], Done)
        for each in (viewer, lonely):
            async for _ in each:
                pass
            assert each.close_code == 1001


# Who may publish.


async def test_publishing_wants_a_key_and_reading_along_does_not() -> None:
    async with keyed() as server:
        with pytest.raises(ServerError, match="needs an access token"):
            async with connect(server.url, publish="stage"):
                pass
        async with (
            watching(server) as viewer,
            connect(server.url, token="1" * 20, publish="stage") as stream,
        ):
            await speak(stream, end=20)
            await stream.end()
            messages = await shown(viewer)
            await viewer.send('{"type": "start", "publish": "stage"}')
            await viewer.wait_closed()
            assert viewer.close_code == 1008
    assert text_of(messages)


async def test_a_key_publishes_in_its_rooms_alone() -> None:
    guest = replace(ONE, rooms=("stage", "hall"))
    listener = replace(OTHER, rooms=())
    async with keyed(guest, listener) as server:
        for token, room, said in (
            ("1", "lobby", "may publish only in hall, stage, not in 'lobby'"),
            ("2", "stage", "may publish in no room"),
        ):
            with pytest.raises(ServerError, match=said) as caught:
                async with connect(server.url, token=token * 20, publish=room):
                    pass
            assert caught.value.code == "room_forbidden"
        async with connect(server.url, token="1" * 20, publish="hall") as stream:
            assert stream.ready
        async with connect(server.url, token="2" * 20) as private:
            assert private.ready


async def crash(server: Server, stream: StreamClient) -> None:
    """The publisher is gone without a word."""
    stream._websocket.transport.abort()  # type: ignore[union-attr]
    await until(lambda: server.context.resumable.detached == 1)


@pytest.mark.parametrize("watched", [True, False])
async def test_who_has_crashed_finds_its_room_free_with_the_same_key(watched: bool) -> None:
    token = "1" * 20
    async with keyed() as server, contextlib.AsyncExitStack() as stack:
        viewer = await stack.enter_async_context(watching(server)) if watched else None
        first = connect(server.url, token=token, publish="stage", reconnect=None)
        await stack.enter_async_context(first)
        await speak(first, end=20)
        await crash(server, first)
        with pytest.raises(ServerError, match="Another session publishes"):
            async with connect(server.url, token="2" * 20, publish="stage"):
                pass
        async with connect(server.url, token=token, publish="stage") as second:
            assert server.context.rooms._rooms["stage"].session == second.ready.session
            assert server.context.resumable.detached == 0
            await speak(second)
            await second.end()
            if viewer is not None:
                last = [message async for message in read(viewer)]
                begun = max(i for i, m in enumerate(last) if isinstance(m, Watching))
                assert last[begun] == Watching("stage", second.ready.session)
                assert text_of(last[begun:]) == script().text
        assert (
            b'sessions_closed_total{outcome="connection_lost"} 1.0'
            in server.context.metrics.render()
        )


async def test_without_keys_a_room_goes_back_to_the_same_address() -> None:
    access = AccessOptions(proxies=(parse_network("127.0.0.1"),))
    options = ServerOptions(port=0, session=OPTIONS, access=access)
    async with (
        Server(ScriptedRecognizer(script()), options) as server,
        connect(server.url, publish="stage", reconnect=None) as first,
    ):
        await crash(server, first)
        async with connect_websocket(
            server.url, proxy=None, additional_headers={"X-Forwarded-For": "192.0.2.1"}
        ) as stranger:
            await stranger.send('{"type": "start", "publish": "stage"}')
            _, error = await receive(stranger)
            assert isinstance(error, ErrorMessage)
            assert error.code == "room_taken"
        async with connect(server.url, publish="stage") as second:
            assert second.ready


async def test_who_still_publishes_is_not_put_out_by_the_same_key() -> None:
    token = "1" * 20
    async with keyed() as server, connect(server.url, token=token, publish="stage") as stream:
        with pytest.raises(ServerError, match="Another session publishes"):
            async with connect(server.url, token=token, publish="stage"):
                pass
        await speak(stream)
        await stream.end()
        assert text_of([event async for event in stream]) == script().text
