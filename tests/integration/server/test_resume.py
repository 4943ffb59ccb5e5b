"""Resuming over real sockets: whatever is cut, every event comes once and every word is there."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamwhisper.events import Committed, Done, Flushed, SpeechEnded, SpeechStarted
from streamwhisper.protocol import (
    Ack,
    End,
    ErrorMessage,
    Flush,
    Ping,
    Pong,
    Ready,
    ServerMessage,
    Start,
    Status,
    encode_client_message,
)
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.session.session import Session
from tests.support.resumption import connecting, receive, start
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

CHUNK = 9600  # bytes: 0.3 s
CUTS = 200
SECOND = bytes(32000)  # of silence


def serving(**limits: Any) -> Server:
    options = ServerOptions(port=0, limits=Limits(**limits), session=OPTIONS)
    return Server(ScriptedRecognizer(script()), options)


async def refused(server: Server, **fields: Any) -> tuple[str, int]:
    """The error of a start that is not taken, and the code of the close after it."""
    websocket = await connecting(server)
    await websocket.send(encode_client_message(Start(**fields)))
    return await end_of(websocket)


async def end_of(websocket: ClientConnection) -> tuple[str, int]:
    code = ""
    try:
        while True:
            _, message = await receive(websocket)
            if isinstance(message, ErrorMessage) and message.fatal:
                code = message.code
    except ConnectionClosed as closed:
        return code, closed.rcvd.code if closed.rcvd is not None else 1006


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def until_parked(server: Server, count: int = 1) -> None:
    await until(lambda: server.context.resumable.detached == count)


def sessions_in_memory() -> int:
    gc.collect()
    return sum(isinstance(thing, Session) for thing in gc.get_objects())


class Speaker:
    """A client by hand: says a list of frames, is cut off at random, and comes back."""

    def __init__(self, server: Server, frames: list[str | bytes], chance: random.Random) -> None:
        self.server = server
        self.frames = frames
        self.chance = chance
        self.heard: list[tuple[int, ServerMessage]] = []
        self.token: str | None = None
        self.cuts = 0

    async def speak(self, cuts: int) -> None:
        while not (self.heard and isinstance(self.heard[-1][1], Done)):
            # Most lives are short; the last one is as long as it takes.
            life = self.chance.choice([0.0, 0.004, 0.02, 0.06]) if self.cuts < cuts else None
            last_seq = self.heard[-1][0] if self.heard else 0
            websocket, seq, ready = await start(self.server, resume=self.token, last_seq=last_seq)
            if self.token is None:
                self.heard.append((seq, ready))
            else:
                assert seq == last_seq
            self.token = ready.resume_token
            talking = asyncio.create_task(self._talk(websocket, ready))
            await asyncio.wait([talking], timeout=life)
            websocket.transport.abort()
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            self.cuts += 1

    async def _talk(self, websocket: ClientConnection, ready: Ready) -> None:
        sending = asyncio.create_task(self._send(websocket, ready))
        try:
            while True:
                self.heard.append(await receive(websocket))
                if isinstance(self.heard[-1][1], Done):
                    return
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, websocket: ClientConnection, ready: Ready) -> None:
        audio, messages = ready.bytes, ready.messages
        for frame in self.frames:
            if isinstance(frame, str):
                if messages:
                    messages -= 1
                else:
                    await websocket.send(frame)
                continue
            known = min(audio, len(frame))
            audio -= known
            if known < len(frame):
                await websocket.send(frame[known:])
                await asyncio.sleep(self.chance.choice([0, 0.002]))


def frames_of(pcm: bytes) -> list[str | bytes]:
    frames: list[str | bytes] = [pcm[at : at + CHUNK] for at in range(0, len(pcm), CHUNK)]
    frames.insert(40, encode_client_message(Ping("p")))
    frames.insert(60, encode_client_message(Flush("f")))
    return [*frames, encode_client_message(Flush("g")), encode_client_message(End())]


def facts(messages: list[tuple[int, ServerMessage]]) -> dict[str, Any]:
    """What does not depend on when the recognizer was asked."""
    events = [message for _, message in messages]
    committed = [event for event in events if isinstance(event, Committed)]
    return {
        "words": [(w.word, w.start, w.end) for event in committed for w in event.words],
        "finals": [event.utterance for event in committed if event.final],
        "speech": [e for e in events if isinstance(e, SpeechStarted | SpeechEnded)],
        "answers": [e for e in events if isinstance(e, Flushed | Pong | Done)],
    }


async def test_200_cuts_at_random_moments_lose_nothing_and_repeat_nothing() -> None:
    frames = frames_of(script().pcm)
    async with serving() as server:
        whole = Speaker(server, frames, random.Random(0))
        await whole.speak(0)
        wanted = facts(whole.heard)
        assert " ".join(word for word, _, _ in wanted["words"]) == script().text
        cuts = 0
        for seed in range(CUTS):
            speaker = Speaker(server, frames, random.Random(seed))
            await speaker.speak(20)
            assert [seq for seq, _ in speaker.heard] == list(range(1, len(speaker.heard) + 1))
            assert facts(speaker.heard) == wanted
            cuts += speaker.cuts - 1
            if cuts >= CUTS:
                break
        assert cuts >= CUTS


async def test_an_ack_says_what_a_resumed_session_has_at_least() -> None:
    async with serving() as server:
        websocket, _, ready = await start(server)
        for _ in range(3):
            await websocket.send(SECOND)
        acked = Ack(0)
        while acked.samples < 32000:
            seq, message = await receive(websocket)
            acked = message if isinstance(message, Ack) else acked
        websocket.transport.abort()
        await until_parked(server)
        again, at, ready = await start(server, resume=ready.resume_token, last_seq=seq)
        assert at == seq
        assert acked.bytes == 2 * acked.samples
        assert acked.samples <= ready.samples <= 48000
        assert ready.bytes == 2 * ready.samples
        await again.close()


async def test_a_token_that_is_wrong_or_too_old_is_refused() -> None:
    async with serving(resume_timeout=0.05) as server:
        before = sessions_in_memory()
        assert await refused(server, resume="no such token") == ("resume_unknown", 1008)
        websocket, _, ready = await start(server)
        websocket.transport.abort()
        await until_parked(server)
        assert sessions_in_memory() == before + 1
        await until_parked(server, 0)
        assert await refused(server, resume=ready.resume_token) == ("resume_unknown", 1008)
        assert sessions_in_memory() == before


@pytest.mark.parametrize("message", [None, End()])
async def test_who_leaves_in_order_cannot_come_back(message: End | None) -> None:
    async with serving() as server:
        websocket, _, ready = await start(server)
        if message is not None:
            await websocket.send(encode_client_message(message))
            await end_of(websocket)
        await websocket.close()
        await until(lambda: server.context.access.open_sessions == 0)
        assert await refused(server, resume=ready.resume_token) == ("resume_unknown", 1008)


async def test_a_server_that_keeps_nothing_says_so() -> None:
    async with serving(resume_timeout=0) as server:
        websocket, _, ready = await start(server)
        websocket.transport.abort()
        await until(lambda: server.context.access.open_sessions == 0)
        assert await refused(server, resume=ready.resume_token) == ("resume_unknown", 1008)


@pytest.mark.parametrize("last_seq", [-1, 2, 10**6])
async def test_messages_that_cannot_be_sent_again_are_an_error(last_seq: int) -> None:
    async with serving() as server:
        websocket, _, ready = await start(server)
        websocket.transport.abort()
        token = ready.resume_token
        await until_parked(server)
        answer = await refused(server, resume=token, last_seq=last_seq)
        assert answer == ("resume_failed", 1008)
        assert await refused(server, resume=token) == ("resume_unknown", 1008)


async def test_the_second_client_with_a_token_takes_over_and_the_first_is_told() -> None:
    sound = script().pcm
    async with serving() as server:
        old, _, ready = await start(server)
        for at in range(0, 320_000, CHUNK):
            await old.send(sound[at : at + CHUNK])
        new, seq, again = await start(server, resume=ready.resume_token, last_seq=1)
        assert (seq, again.session) == (1, ready.session)
        assert await end_of(old) == ("taken_over", 1008)
        for at in range(again.bytes, len(sound), CHUNK):
            await new.send(sound[at : at + CHUNK])
        await new.send(encode_client_message(End()))
        heard = []
        while not (heard and isinstance(heard[-1][1], Done)):
            heard.append(await receive(new))
        assert " ".join(word for word, _, _ in facts(heard)["words"]) == script().text


async def test_a_newcomer_takes_the_place_of_the_session_parked_longest() -> None:
    async with serving(max_sessions=2) as server:
        lost = [await start(server) for _ in range(2)]
        for count, (websocket, _, _) in enumerate(lost, 1):
            websocket.transport.abort()
            await until_parked(server, count)
        comes, _, _ = await start(server)
        await until_parked(server, 1)
        first, second = (ready.resume_token for _, _, ready in lost)
        assert await refused(server, resume=first, last_seq=1) == ("resume_unknown", 1008)
        back, _, _ = await start(server, resume=second, last_seq=1)
        await back.close()
        await comes.close()


async def test_parked_sessions_do_not_hold_up_a_server_that_stops() -> None:
    before = sessions_in_memory()
    async with serving() as server:
        websocket, _, _ = await start(server)
        await websocket.send(SECOND)
        websocket.transport.abort()
        await until_parked(server)
    assert sessions_in_memory() == before


async def test_a_session_resumed_in_another_format_keeps_its_own() -> None:
    async with serving() as server:
        websocket, _, ready = await start(server, sample_rate=8000)
        websocket.transport.abort()
        await until_parked(server)
        fields = encode_client_message(
            replace(Start(encoding="mulaw"), resume=ready.resume_token, last_seq=1)
        )
        again = await connecting(server)
        await again.send(fields)
        assert (await receive(again))[1] == ready
        await again.send(SECOND)
        await again.send(encode_client_message(End()))
        heard = []
        while not (heard and isinstance(heard[-1], Done)):
            heard.append((await receive(again))[1])
        assert heard[-1].audio_seconds == 2.0
        assert any(isinstance(message, Status) for message in heard)


ONE = Key.of("one", "1" * 20, Quota(sessions=1))
OTHER = Key.of("other", "2" * 20, Quota(sessions=1))


def keyed(**limits: Any) -> Server:
    access = AccessOptions((ONE, OTHER))
    options = ServerOptions(port=0, limits=Limits(**limits), session=OPTIONS, access=access)
    return Server(ScriptedRecognizer(script()), options)


async def begin(server: Server, key: str, **fields: Any) -> ClientConnection:
    """A connection with a key that has said its start."""
    websocket = await connect_async(
        server.url, proxy=None, additional_headers={"Authorization": f"Bearer {key * 20}"}
    )
    await websocket.send(encode_client_message(Start(**fields)))
    return websocket


@pytest.mark.parametrize("limits", [{}, {"max_sessions": 1}])
async def test_a_dead_connection_does_not_keep_out_the_one_that_resumes_its_session(
    limits: dict[str, Any],
) -> None:
    """The key may have one session; the server does not know yet that its connection is dead."""
    async with keyed(**limits) as server:
        dead = await begin(server, "1")
        _, ready = await receive(dead)
        assert isinstance(ready, Ready)
        dead.transport.pause_reading()
        alive = await begin(server, "1", resume=ready.resume_token, last_seq=1)
        assert (await receive(alive))[1] == ready
        dead.transport.resume_reading()
        assert await end_of(dead) == ("taken_over", 1008)
        await alive.send(encode_client_message(End()))
        assert await end_of(alive) == ("", 1000)


async def test_only_one_connection_comes_beyond_the_quota_and_opens_no_session() -> None:
    async with keyed(start_timeout=5.0) as server:
        dead = await begin(server, "1")
        await receive(dead)
        with pytest.raises(InvalidStatus, match="429"):  # it is alive
            await begin(server, "1")
        dead.transport.pause_reading()
        assert await end_of(await begin(server, "1")) == ("too_many_sessions", 1013)
        await until(lambda: server.context.access.open_sessions == 1)
        waiting = await connect_async(
            server.url, proxy=None, additional_headers={"Authorization": f"Bearer {'1' * 20}"}
        )
        await until(lambda: server.context.access.open_sessions == 2)
        with pytest.raises(InvalidStatus, match="429"):
            await begin(server, "1")
        await waiting.close()
        dead.transport.resume_reading()
        await dead.send(encode_client_message(End()))
        assert await end_of(dead) == ("", 1000)


async def test_another_key_does_not_resume_a_session_even_with_its_token() -> None:
    async with keyed() as server:
        mine = await begin(server, "1")
        _, ready = await receive(mine)
        assert isinstance(ready, Ready)
        thief = await begin(server, "2", resume=ready.resume_token, last_seq=1)
        assert await end_of(thief) == ("resume_unknown", 1008)
        await mine.close()


async def test_a_key_that_cuts_its_sessions_again_and_again_evicts_no_other_keys() -> None:
    async with keyed(max_sessions=2) as server:
        victim = await begin(server, "2")
        _, ready = await receive(victim)
        assert isinstance(ready, Ready)
        victim.transport.abort()
        await until_parked(server)
        for _ in range(4):
            other = await begin(server, "1")
            await receive(other)
            other.transport.abort()
            await until(lambda: server.context.access.open_sessions == 0)
        back = await begin(server, "2", resume=ready.resume_token, last_seq=1)
        assert (await receive(back))[1] == ready
        await back.close()


async def test_a_session_that_waits_to_be_resumed_keeps_no_state_of_the_recognizer() -> None:
    async with serving() as server:
        websocket, _, _ = await start(server)
        for begin_at in range(0, 5 * len(SECOND), CHUNK):
            await websocket.send(script().pcm[begin_at : begin_at + CHUNK])
        while not isinstance((await receive(websocket))[1], Status):
            pass
        websocket.transport.abort()
        await until_parked(server)
        (entry,) = server.context.resumable._entries.values()
        (session,) = entry.dialect.sessions
        assert entry.size == session.held_bytes > 1_000_000
        assert session._utterance is None or session._utterance.window.past is None
