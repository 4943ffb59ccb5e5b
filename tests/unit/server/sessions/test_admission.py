"""An overloaded server takes nobody in whose session would spoil those that run."""

from __future__ import annotations

import asyncio

import pytest

from streamwhisper.client import Reconnection, connect
from streamwhisper.errors import ServerError
from streamwhisper.events import Committed, Done
from streamwhisper.live.scheduler import Scheduler
from streamwhisper.server.app import Server, ServerOptions
from tests.support.cable import Cable
from tests.support.recognizers import Held, one_by_one, overload
from tests.support.scripted import ScriptedRecognizer, script


async def test_a_new_session_is_refused_and_told_when_to_try_again() -> None:
    recognizer = Held()
    async with (
        one_by_one(recognizer, max_wait=0.05) as server,
        connect(server.url) as one,
        connect(server.url) as two,
    ):
        await overload(server, recognizer, one, two)
        with pytest.raises(ServerError, match="cannot keep up with another") as caught:
            async with connect(server.url):
                pass
        assert caught.value.code == "overloaded"
        assert caught.value.retry_after == 5
        assert b"sessions_refused_total 1.0" in server.context.metrics.render()
        recognizer.gate.set()
        for stream in (one, two):  # those that run lose nothing
            await stream.end()
            events = [event async for event in stream]
            text = "".join(event.text for event in events if isinstance(event, Committed))
            assert script().text.startswith(text)
            assert len(text.split()) > 30


async def test_a_session_that_is_resumed_is_taken_at_any_load() -> None:
    recognizer = Held()
    quick = Reconnection(first_delay=0.01)
    async with (
        one_by_one(recognizer, max_wait=0.05) as server,
        connect(server.url, reconnect=quick) as one,
        connect(server.url, reconnect=quick) as two,
    ):
        await overload(server, recognizer, one, two)
        first = one.ready
        one._websocket.transport.abort()  # type: ignore[union-attr]
        while one.ready is first:
            await asyncio.sleep(0.01)
        assert one.ready.session == first.session
        recognizer.gate.set()
        await one.end()
        assert isinstance([event async for event in one][-1], Done)


async def test_a_session_that_another_server_has_lost_is_taken_at_any_load() -> None:
    """Who speaks already is not to stop because a server did."""
    recognizer = Held()
    async with (
        one_by_one(recognizer, max_wait=0.05) as server,
        one_by_one(ScriptedRecognizer(script())) as doomed,
        connect(server.url) as one,
        connect(server.url) as two,
    ):
        cable = Cable(doomed.port, lambda: None)
        quick = Reconnection(first_delay=0.01)
        async with cable.laid() as url, connect(url, reconnect=quick) as three:
            await overload(server, recognizer, one, two)
            cable.server_port = server.port
            cable.cut()
            while server.context.access.open_sessions < 3:
                await asyncio.sleep(0.01)
            recognizer.gate.set()
            await three.end()
            assert isinstance([event async for event in three][-1], Done)


async def admitted(server: Server) -> bool:
    """Whether the server takes another session now."""
    try:
        async with connect(server.url) as session:
            return session.ready is not None
    except ServerError as error:
        if error.code != "overloaded":
            raise
        return False


async def test_sessions_are_taken_in_again_once_the_load_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamwhisper.rolling.RECENT", 0.1)
    recognizer = Held()
    async with (
        one_by_one(recognizer, max_wait=0.05) as server,
        connect(server.url) as one,
        connect(server.url) as two,
    ):
        await overload(server, recognizer, one, two)
        recognizer.gate.set()
        # The measured load falls with fluctuations: a session that is rejected tries again.
        while not await admitted(server):
            await asyncio.sleep(0.05)


async def test_those_who_just_began_to_speak_are_counted_before_their_load_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Scheduler, "wait", 0.0)
    monkeypatch.setattr(Scheduler, "cost", 0.3)  # on a slow machine
    async with one_by_one(Held(), max_wait=0.2) as server, connect(server.url) as one:
        await one.send(bytes(320))
        async with connect(server.url) as two:
            async with connect(server.url) as idle:  # who says nothing does not count
                assert idle.ready
            await two.send(bytes(320))
            while len(server.context.admission._new_sessions) < 2:
                await asyncio.sleep(0.001)
            with pytest.raises(ServerError, match="just started to send audio"):
                async with connect(server.url):
                    pass
        while server.context.access.open_sessions > 1:
            await asyncio.sleep(0.01)
        async with connect(server.url) as three:  # who has left again does not count
            assert three.ready


async def test_without_a_bound_everybody_is_taken_in() -> None:
    recognizer = Held()
    async with (
        one_by_one(recognizer, max_wait=None) as server,
        connect(server.url) as one,
        connect(server.url) as two,
    ):
        await overload(server, recognizer, one, two)
        async with connect(server.url) as three:
            assert three.ready
        recognizer.gate.set()


def test_a_bound_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="max_wait"):
        ServerOptions(max_wait=0)
