"""A client whose connection is cut, or whose server is lost, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from streamwhisper.client import Reconnection, StreamEvent, SyncStreamClient, connect
from streamwhisper.errors import ConnectionLostError, ServerError
from streamwhisper.events import Committed, Done, Flushed, SpeechEnded, SpeechStarted
from streamwhisper.protocol import Ack, Pong, Ready, encode_server_message
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.app import Server, ServerOptions
from tests.support.cable import Cable
from tests.support.scripted import OPTIONS, SAMPLE, ScriptedRecognizer, script

CHUNK = 9600  # bytes: 0.3 s
CUTS = 200
MOST_DEATHS = 40
# On a busy machine many servers may die before one says something new.
QUICK = Reconnection(first_delay=0.001, longest_delay=0.01, patience=600.0)


def serving(**limits: Any) -> Server:
    options = ServerOptions(port=0, limits=Limits(**limits), session=OPTIONS)
    return Server(ScriptedRecognizer(script()), options)


async def dictate(
    url: str,
    *,
    pause: float = 0.0,
    reconnect: Reconnection | None = QUICK,
    opened: asyncio.Event | None = None,
) -> list[StreamEvent]:
    """The whole script, with a flush and a ping in the middle of it."""
    sound = script().pcm
    async with connect(url, reconnect=reconnect) as stream:
        if opened is not None:
            opened.set()

        async def speak() -> None:
            for at in range(0, len(sound), CHUNK):
                await stream.send(sound[at : at + CHUNK])
                await asyncio.sleep(pause)
                if at == 32 * CHUNK:  # in the middle of a sentence
                    await stream.flush("f")
                    await stream.ping("p")
            await stream.end()

        speaking = asyncio.create_task(speak())
        try:
            return [event async for event in stream]
        finally:
            await asyncio.gather(speaking, return_exceptions=True)


def facts(events: list[StreamEvent]) -> dict[str, Any]:
    """What does not depend on when the recognizer was asked."""
    committed = [event for event in events if isinstance(event, Committed)]
    return {
        "text": "".join(event.text for event in committed),
        "words": [(w.word, w.start, w.end) for event in committed for w in event.words],
        "finals": [event.utterance for event in committed if event.final],
        "speech": [e for e in events if isinstance(e, SpeechStarted | SpeechEnded)],
        "answers": [e for e in events if isinstance(e, Flushed | Done)],
        "pongs": [e for e in events if isinstance(e, Pong)],
    }


async def test_200_cuts_of_the_wire_change_nothing_that_is_told() -> None:
    async with serving() as server:
        wanted = facts(await dictate(server.url))
        assert wanted["text"] == script().text
        cuts = 0
        for seed in range(CUTS):
            chance = random.Random(seed)
            cable = Cable(server.port, lambda chance=chance: chance.randrange(500, 100_000))
            async with cable.laid() as url:
                assert facts(await dictate(url)) == wanted
            cuts += cable.cuts
            if cuts >= CUTS:
                break
        assert cuts >= CUTS


async def test_acks_and_seconds_go_on_counting() -> None:
    async with serving() as server:
        chance = random.Random(1)
        cable = Cable(server.port, lambda: chance.randrange(50_000, 100_000))
        async with cable.laid() as url:
            events = await dictate(url)
    acks = [event for event in events if isinstance(event, Ack)]
    assert cable.cuts
    assert acks == sorted(acks, key=lambda ack: ack.samples)
    assert all(ack.bytes == 2 * ack.samples for ack in acks)


@pytest.mark.parametrize("seed", range(10))
async def test_servers_that_forget_everything_change_no_word(seed: int) -> None:
    chance = random.Random(seed)
    async with contextlib.AsyncExitStack() as servers:
        server = await servers.enter_async_context(serving())
        cable = Cable(server.port, lambda: None)
        async with cable.laid() as url:
            opened = asyncio.Event()
            dictation = asyncio.create_task(dictate(url, pause=0.005, opened=opened))
            await opened.wait()  # a first connection that fails is an error, not a loss
            deaths = 0
            while True:
                # A slow machine may not get ahead between two deaths for ever.
                span = chance.uniform(0.02, 0.15) if deaths < MOST_DEATHS else None
                await asyncio.wait([dictation], timeout=span)
                if dictation.done():
                    break
                server = await servers.enter_async_context(serving())
                cable.server_port = server.port
                cable.cut()
                deaths += 1
            told = facts(await dictation)
    assert deaths
    assert told["text"] == script().text
    starts = [start for _, start, _ in told["words"]]
    assert starts == pytest.approx(script().starts, abs=0.03)
    assert told["finals"] == list(range(len(told["finals"])))
    assert [event for event in told["answers"] if isinstance(event, Flushed)] == [Flushed("f")]
    kinds = [type(event) for event in told["speech"]]
    assert kinds == [SpeechStarted, SpeechEnded] * (len(kinds) // 2)
    done = told["answers"][-1]
    assert done.audio_seconds == pytest.approx(len(script().sound) / 16000, abs=0.001)


async def test_servers_that_are_stopped_in_mid_speech_hand_the_client_on() -> None:
    stops = 0
    async with contextlib.AsyncExitStack() as servers:
        server = await servers.enter_async_context(serving())
        cable = Cable(server.port, lambda: None)
        async with cable.laid() as url:
            opened = asyncio.Event()
            dictation = asyncio.create_task(dictate(url, pause=0.005, opened=opened))
            await opened.wait()
            while True:
                await asyncio.wait([dictation], timeout=0.15 if stops < MOST_DEATHS else None)
                if dictation.done():
                    break
                after = await servers.enter_async_context(serving())
                cable.server_port = after.port
                await server.shut_down()
                server = after
                stops += 1
            told = facts(await dictation)
    assert stops > 1
    said = [int(word[1:]) for word in told["text"].split()]
    assert said == sorted(set(said))
    # A word in whose middle a server was stopped is heard by neither.
    assert len(script().starts) - len(said) <= stops
    assert told["finals"] == list(range(len(told["finals"])))
    done = told["answers"][-1]
    assert isinstance(done, Done)
    assert [event for event in told["answers"] if isinstance(event, Done)] == [done]
    assert done.audio_seconds == pytest.approx(len(script().sound) / 16000, abs=0.01)


async def test_a_container_says_that_it_cannot_go_on_with_another_server() -> None:
    sound = await asyncio.to_thread(SAMPLE.read_bytes)
    async with (
        serving() as server,
        connect(server.url, encoding="container", reconnect=QUICK) as stream,
    ):
        await stream.send(sound[:100_000])
        await asyncio.sleep(0)
        stopping = asyncio.create_task(server.shut_down())
        with pytest.raises(ConnectionLostError, match="container cannot be continued"):
            async for _ in stream:
                pass
        await stopping


async def test_a_client_that_may_not_reconnect_says_that_the_connection_is_lost() -> None:
    async with serving() as server:
        cable = Cable(server.port, lambda: 50_000)
        async with cable.laid() as url:
            with pytest.raises(ConnectionLostError, match="lost before the session was done"):
                await dictate(url, reconnect=None)


async def test_a_client_gives_up_when_nobody_answers_for_too_long() -> None:
    patience = Reconnection(first_delay=0.01, longest_delay=0.02, patience=0.2)
    async with serving() as server:
        cable = Cable(server.port, lambda: None)
        async with cable.laid() as url, connect(url, reconnect=patience) as stream:
            cable.server_port = 1
            cable.cut()
            with pytest.raises(ConnectionLostError, match="does not speak WebSocket"):
                async for _ in stream:
                    pass
            with pytest.raises(ConnectionLostError):
                await stream.send(bytes(CHUNK))


async def test_an_idle_connection_that_is_lost_later_than_the_patience_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead = 0.0  # seconds in which neither side has anything to say
    monkeypatch.setattr("streamwhisper.client.stream._now", lambda: time.monotonic() + ahead)
    reconnect = Reconnection(first_delay=0.01, longest_delay=0.02, patience=30.0)
    async with serving() as server:
        cable = Cable(server.port, lambda: None)
        async with cable.laid() as url, connect(url, reconnect=reconnect) as stream:
            ahead = 3600.0
            cable.cut()
            await stream.ping("p")
            assert Pong("p") in [await stream.receive()]


async def test_a_server_that_accepts_the_session_and_loses_it_every_time_is_given_up() -> None:
    accepted = 0

    async def lose(websocket: ServerConnection) -> None:
        nonlocal accepted
        await websocket.recv()
        accepted += 1
        await websocket.send(encode_server_message(Ready("s", "token", "tiny.en", 16000), 1))
        await websocket.close(1011)

    reconnect = Reconnection(first_delay=0.05, longest_delay=0.1, patience=0.5)
    async with serve(lose, "127.0.0.1", 0) as server, asyncio.timeout(60):
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connect(url, reconnect=reconnect) as stream:
            with pytest.raises(ConnectionLostError, match="lost before the session was done"):
                await stream.receive()
    assert accepted > 2


async def test_words_that_are_not_wanted_are_not_told_after_a_loss_either() -> None:
    async with serving() as first, serving() as second:
        cable = Cable(first.port, lambda: None)
        async with cable.laid() as url, connect(url, words=False, reconnect=QUICK) as stream:
            sound = script().pcm
            await stream.send(sound[:320_000])
            committed = []
            while not committed:
                event = await stream.receive()
                committed += [event] if isinstance(event, Committed) else []
            cable.server_port = second.port
            cable.cut()
            await stream.send(sound[320_000:])
            await stream.end()
            committed += [event async for event in stream if isinstance(event, Committed)]
    assert "".join(event.text for event in committed) == script().text
    assert not any(event.words for event in committed)


async def test_a_container_is_resumed_but_not_begun_in_its_middle() -> None:
    sound = await asyncio.to_thread(SAMPLE.read_bytes)
    async with serving() as first, serving() as second:
        chance = random.Random(2)
        cable = Cable(first.port, lambda: chance.randrange(20_000, 200_000))
        async with cable.laid() as url:
            async with connect(url, encoding="container", reconnect=QUICK) as stream:
                for at in range(0, len(sound), 4096):
                    await stream.send(sound[at : at + 4096])
                await stream.end()
                events = [event async for event in stream]
            assert cable.cuts
            assert facts(events)["text"] == script().text
        cable = Cable(first.port, lambda: None)
        async with (
            cable.laid() as url,
            connect(url, encoding="container", reconnect=QUICK) as stream,
        ):
            await stream.send(sound[:100_000])
            cable.server_port = second.port
            cable.cut()
            with pytest.raises(ConnectionLostError, match="container cannot be continued"):
                async for _ in stream:
                    pass


async def test_who_was_taken_over_is_told_and_does_not_fight_for_the_session() -> None:
    async with serving() as server, connect(server.url) as stream:
        from tests.support.resumption import start

        await start(server, resume=stream.ready.resume_token, last_seq=1)
        with pytest.raises(ServerError, match="taken_over"):
            async for _ in stream:
                pass


async def test_a_client_without_asyncio_comes_back_too() -> None:
    async with serving() as server:
        chance = random.Random(3)
        cable = Cable(server.port, lambda: chance.randrange(500, 200_000))
        async with cable.laid() as url:

            def dictate_in_a_thread() -> list[StreamEvent]:
                with SyncStreamClient(url, reconnect=QUICK) as stream:
                    stream.send(script().pcm)
                    stream.end()
                    return list(stream)

            events = await asyncio.to_thread(dictate_in_a_thread)
    assert cable.cuts
    assert facts(events)["text"] == script().text


def test_delays_double_up_to_a_limit_and_are_left_to_chance_in_part() -> None:
    options = Reconnection(first_delay=0.1, longest_delay=1.0, jitter=0.5)
    assert [options.delay(attempt, 0.0) for attempt in range(7)] == pytest.approx(
        [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    )
    assert options.delay(10**6, 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "field", [{"patience": -1}, {"jitter": 2}, {"max_unacknowledged": 1}, {"first_delay": 0}]
)
def test_options_that_make_no_sense_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        Reconnection(**field)
