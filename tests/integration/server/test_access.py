"""Who is let in and how much they may use, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async

from streamwhisper.client import Reconnection, SyncStreamClient, connect
from streamwhisper.errors import ServerError
from streamwhisper.events import Committed, Done
from streamwhisper.server.access.keys import SUBPROTOCOL, Key
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.access.proxies import parse_network
from streamwhisper.server.app import Server, ServerOptions
from tests.support.handshakes import get, handshake, refused, transcript, until
from tests.support.scripted import OPTIONS, Script, ScriptedRecognizer, script

SECRET = "correct-horse-battery"
STAGE = Key.of("stage", SECRET)
SHORT = script(6.0)
LONG = script(23.0)
PATIENT = Reconnection(first_delay=0.02, longest_delay=0.05)


def serving(
    *, heard: Script = SHORT, host: str = "127.0.0.1", limits: Any = None, **access: Any
) -> Server:
    options = ServerOptions(
        host=host,
        port=0,
        access=AccessOptions(**access),
        limits=Limits(**(limits or {})),
        session=OPTIONS,
    )
    return Server(ScriptedRecognizer(heard), options)


# Keys.


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {"Authorization": f"Bearer {SECRET}"}),
        (f"?token={SECRET}", {}),
        ("", {"Sec_WebSocket_Protocol": f"{SUBPROTOCOL}, bearer.{SECRET}"}),
        (f"?token={SECRET}", {"Authorization": "Bearer stale"}),
    ],
)
async def test_a_key_lets_in_whichever_way_it_comes(path: str, headers: dict[str, str]) -> None:
    async with serving(keys=(STAGE,)) as server:
        chosen = await handshake(server, path, **headers)
    assert chosen == (SUBPROTOCOL if "Sec_WebSocket_Protocol" in headers else None)


@pytest.mark.parametrize(
    ("path", "headers", "said"),
    [
        ("", {}, "needs an access token"),
        ("", {"Authorization": f"Basic {SECRET}"}, "needs an access token"),
        ("", {"Sec_WebSocket_Protocol": SUBPROTOCOL}, "needs an access token"),
        ("", {"Authorization": f"Bearer {SECRET}x"}, "Access token not accepted"),
        ("?token=", {"Authorization": f"Bearer {SECRET[:-1]}"}, "Access token not accepted"),
        ("?token=%FF", {}, "Access token not accepted"),
    ],
)
async def test_without_a_right_key_the_answer_is_401_and_a_sentence(
    path: str, headers: dict[str, str], said: str
) -> None:
    async with serving(keys=(STAGE,)) as server:
        status, body, answered = await refused(handshake(server, path, **headers))
        _, metrics = await get(server, f"/metrics?token={SECRET}")
    assert (status, body["code"]) == (401, "unauthorized")
    assert said in body["message"]
    assert answered["WWW-Authenticate"].startswith("Bearer")
    assert 'streamwhisper_errors_total{code="unauthorized"} 1.0' in metrics


async def test_metrics_want_a_key_and_health_does_not() -> None:
    async with serving(keys=(STAGE,)) as server:
        assert (await get(server, "/metrics"))[0] == 401
        assert (await get(server, f"/metrics?token={SECRET}"))[0] == 200
        assert (await get(server, "/healthz"))[0] == 200
        assert (await get(server, "/readyz"))[0] == 200


async def test_both_clients_show_their_key_also_when_they_come_back() -> None:
    async with serving(keys=(STAGE,)) as server:
        async with connect(server.url, token=SECRET, reconnect=PATIENT) as stream:
            await stream.send(SHORT.pcm[:64000])
            assert stream._websocket is not None
            stream._websocket.transport.abort()
            assert await transcript(stream, SHORT.pcm[64000:]) == SHORT.text

        def beside() -> str:
            with SyncStreamClient(server.url, token=SECRET) as stream:
                stream.send(SHORT.pcm)
                stream.end()
                return "".join(event.text for event in stream if isinstance(event, Committed))

        assert await asyncio.to_thread(beside) == SHORT.text
        with pytest.raises(ServerError, match="needs an access token") as caught:
            await connect(server.url).__aenter__()
    assert caught.value.code == "unauthorized"


async def test_no_key_and_no_text_gets_into_the_log_at_any_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)  # it is the server's log
    async with serving(keys=(STAGE,)) as server:
        async with connect(f"{server.url}?token={SECRET}") as stream:
            assert await transcript(stream, SHORT.pcm) == SHORT.text
        await handshake(server, Sec_WebSocket_Protocol=f"{SUBPROTOCOL}, bearer.{SECRET}")
        await get(server, f"/nothing?token={SECRET}")
        await refused(handshake(server, f"?token={SECRET}x"))
    assert "opened" in caplog.text
    assert "rejected /v1/stream: unauthorized" in caplog.text
    said = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert SECRET not in said
    assert "w3" not in said


# Pages of others.


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "code"),
    [
        ("http://localhost:{port}", "localhost:{port}", (), None),
        ("https://captions.example", "localhost:{port}", ("https://captions.example",), None),
        ("https://any.example", "localhost:{port}", ("*",), None),
        ("https://evil.example", "localhost:{port}", (), "forbidden_origin"),
        ("null", "localhost:{port}", (), "forbidden_origin"),
        # A page whose own name was made to lead to this machine.
        ("http://evil.example:{port}", "evil.example:{port}", (), "forbidden_host"),
        (None, "evil.example:{port}", (), "forbidden_host"),
        (None, "localhost:{port}", (), None),
        # Behind a proxy that keeps the name.
        ("https://captions.example", "captions.example", ("https://captions.example",), None),
    ],
)
async def test_pages_of_others_are_refused_with_403_and_a_sentence(
    origin: str | None, host: str, allowed: tuple[str, ...], code: str | None
) -> None:
    async with serving(origins=allowed) as server:
        headers = {"Host": host.format(port=server.port)}
        if origin is not None:
            headers["Origin"] = origin.format(port=server.port)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        opening = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        status, body = await asyncio.wait_for(
            status_of(server, [*lines, *opening, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]), 5
        )
    if code is None:
        assert status == 101
    else:
        assert (status, json.loads(body)["code"]) == (403, code)
        assert "--origin" in body


async def status_of(server: Server, lines: list[str]) -> tuple[int, str]:
    """The status of a handshake, and the body where it is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write("\r\n".join(["GET /v1/stream HTTP/1.1", *lines, "", ""]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split()[1])
    body = "" if status == 101 else (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return status, body


async def test_a_server_of_a_network_goes_by_every_name() -> None:
    async with serving(host="0.0.0.0") as server:
        assert (await get(server, "/", "Host: captions.example"))[0] == 200
        await handshake(server, Origin=f"http://127.0.0.1:{server.port}")
        status, body, _ = await refused(handshake(server, Origin="http://evil.example"))
    assert (status, body["code"]) == (403, "forbidden_origin")


async def test_a_page_whose_name_was_pointed_at_a_server_of_a_network_is_refused() -> None:
    page = {"Host": "evil.example:8765", "Origin": "http://evil.example:8765"}
    own = {"Host": "stage-pc.local:8765", "Origin": "http://stage-pc.local:8765"}
    behind = {"Host": "captions.example", "Origin": "https://captions.example"}
    async with serving(host="0.0.0.0") as server:
        for path in ("/v1/stream", "/v1/watch/stage"):
            status, body = await asked(server, path, page)
            assert (status, body["code"]) == (403, "forbidden_host")
            assert "--origin" in body["message"]
        assert (await asked(server, "/v1/stream", own))[0] == 426
        assert (await asked(server, "/v1/stream", behind))[0] == 426
    async with serving(host="0.0.0.0", origins=("http://evil.example:8765",)) as server:
        assert (await asked(server, "/v1/stream", page))[0] == 426


async def asked(server: Server, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Ask by plain HTTP: 426 from the WebSocket's path if the page may use it."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(body) if body.startswith(b"{") else None


# How many.


async def test_a_key_has_places_of_its_own_and_gives_them_back() -> None:
    keys = (Key.of("one", "1" * 20, Quota(sessions=1)), Key.of("other", "2" * 20))
    async with serving(keys=keys) as server:
        async with connect(server.url, token="1" * 20):
            status, body, headers = await refused(handshake(server, "?token=" + "1" * 20))
            assert (status, body["code"]) == (429, "too_many_sessions")
            assert "All 1 sessions of this key" in body["message"]
            assert int(headers["Retry-After"]) > 0
            async with connect(server.url, token="2" * 20), connect(server.url, token="2" * 20):
                pass
        await until(lambda: server.context.access.open_sessions == 0)
        await handshake(server, "?token=" + "1" * 20)


HERE = (parse_network("127.0.0.0/8"),)


@pytest.mark.parametrize("trusted", [True, False])
async def test_an_address_has_so_many_places_and_only_a_proxy_may_name_it(trusted: bool) -> None:
    limits = {"max_sessions_per_address": 1}
    proxies = HERE if trusted else ()
    async with serving(limits=limits, proxies=proxies) as server, connect(server.url):
        status, body, headers = await refused(handshake(server))
        assert (status, headers["Retry-After"]) == (429, "5")
        assert "All 1 sessions of this address" in body["message"]
        elsewhere = handshake(server, X_Forwarded_For="192.0.2.1, 198.51.100.7")
        if trusted:
            await elsewhere
            async with connect_async(
                server.url, proxy=None, additional_headers={"X-Forwarded-For": "198.51.100.7"}
            ) as other:
                await other.send('{"type": "start"}')
                await other.recv()
                made_up = handshake(server, X_Forwarded_For="192.0.2.1, 198.51.100.7")
                assert (await refused(made_up))[0] == 429
        else:
            assert (await refused(elsewhere))[0] == 429


async def test_one_household_of_ipv6_is_one_address() -> None:
    limits = {"max_sessions_per_address": 1}
    async with serving(limits=limits, proxies=HERE) as server:
        url, headers = server.url, {"X-Forwarded-For": "2001:db8:1:2::5"}
        async with connect_async(url, proxy=None, additional_headers=headers) as websocket:
            await websocket.send('{"type": "start"}')
            await websocket.recv()
            neighbour = handshake(server, X_Forwarded_For="2001:db8:1:2:ffff::1")
            assert (await refused(neighbour))[0] == 429
            await handshake(server, X_Forwarded_For="2001:db8:1:3::1")


# How much.


async def test_sound_that_comes_too_fast_waits_at_its_sender_and_is_all_heard() -> None:
    rate, burst = 10.0, 2.0
    quota = Quota(audio_rate=rate, audio_burst=burst)
    async with serving(heard=LONG, quota=quota) as server:
        async with connect(server.url) as fast, connect(server.url) as other:
            began = time.monotonic()
            hasty = asyncio.create_task(transcript(fast, LONG.pcm))
            assert LONG.text.startswith(await transcript(other, LONG.pcm[:64000]))
            assert not hasty.done()
            assert await hasty == LONG.text
            took = time.monotonic() - began
        _, metrics = await get(server, "/metrics")
    seconds = len(LONG.sound) / 16000
    assert took >= (seconds - burst - 1.1) / rate  # the last piece, of a second, is not waited for
    held = re.search(r"^streamwhisper_audio_held_seconds_total (\S+)$", metrics, re.MULTILINE)
    assert held is not None
    assert float(held[1]) > 0


@pytest.mark.parametrize("by", ["sound", "time"])
async def test_a_session_that_is_too_long_commits_its_text_and_says_why_it_ends(by: str) -> None:
    quota = Quota(session_seconds=12.0 if by == "sound" else 1.0)
    texts = []
    async with serving(heard=LONG, quota=quota) as server, connect(server.url) as stream:
        await stream.send(LONG.pcm[: 32000 * 15 if by == "sound" else 32000])
        try:
            async for event in stream:
                texts += [event.text] if isinstance(event, Committed) else []
        except ServerError as error:
            ended = error
    assert ended.code == "session_too_long"
    assert "The session reached its limit of" in str(ended)
    text = "".join(texts)
    assert LONG.text.startswith(text)
    assert len(text.split()) >= (20 if by == "sound" else 0)


# Connections that never become one.


@pytest.mark.parametrize("begun", ["", "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
async def test_who_never_finishes_the_handshake_is_dropped_and_harms_nobody(begun: str) -> None:
    async def dawdle() -> None:
        """Go on saying as good as nothing, until the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        dropped = asyncio.create_task(reader.read())
        while not dropped.done():
            writer.write(begun.encode() if writer not in greeted else b"x" * bool(begun))
            greeted.add(writer)
            await asyncio.wait({dropped}, timeout=0.05)
        assert isinstance(dropped.exception(), ConnectionError | None)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    greeted: set[asyncio.StreamWriter] = set()
    async with serving(limits={"handshake_timeout": 0.5}) as server:
        dawdling = [asyncio.create_task(dawdle()) for _ in range(50)]
        async with connect(server.url) as stream:
            assert await transcript(stream, SHORT.pcm) == SHORT.text
        await asyncio.wait_for(asyncio.gather(*dawdling), 10)
        assert (await get(server, "/readyz"))[0] == 200


# Stopping.


async def test_readiness_ends_at_once_when_the_server_stops_and_life_goes_on_to_the_end() -> None:
    async with serving() as server:
        async with connect(server.url, reconnect=None) as stream:
            await stream.send(SHORT.pcm[:64000])
            # The client does not answer pings while it is not read from, so the drain lasts.
            assert stream._websocket is not None
            stream._websocket.transport.pause_reading()
            stopping = asyncio.create_task(server.shut_down())
            await until(lambda: server.context.access.shutting_down)
            status, why = await get(server, "/readyz")
            assert (status, why) == (
                503,
                "not ready: The server is shutting down. Try again later, or use another server.\n",
            )
            assert (await get(server, "/healthz"))[0] == 200
            assert (await get(server, "/metrics"))[1].count("streamwhisper_ready 0.0") == 1
            status, body, _ = await refused(handshake(server))
            assert (status, body["code"]) == (503, "shutting_down")
            assert not stopping.done()
            stream._websocket.transport.resume_reading()
            events = [event async for event in stream]
            assert isinstance(events[-1], Done)
            assert events[-1].audio_seconds == 2.0
        await stopping
        with pytest.raises(OSError):  # noqa: PT011
            await asyncio.open_connection("127.0.0.1", server.port)
