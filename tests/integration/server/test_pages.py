"""What browsers receive over HTTP: scripts, refusals with reasons, QR codes, and lost pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import InvalidStatus

from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

ELSEWHERE = "http://127.0.0.1:9"
PAGE = {"Accept": "text/html,*/*"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    named = {"Host": f"127.0.0.1:{server.port}", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *fields = head.decode().split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    return Answer(int(status.split()[1]), {name.lower(): value for name, value in pairs}, body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    options = ServerOptions(port=0, session=OPTIONS)
    async with Server(ScriptedRecognizer(script()), options) as server:
        yield server


async def test_a_page_of_another_origin_imports_the_client(server: Server) -> None:
    answer = await ask(server, "/streamwhisper.js", Origin=ELSEWHERE)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    again = await ask(
        server, "/streamwhisper.js", Origin=ELSEWHERE, If_None_Match=answer.headers["etag"]
    )
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/watch/stage", "/v1/listen", "/v1/realtime"])
async def test_a_refused_page_can_read_why(server: Server, path: str) -> None:
    answer = await ask(server, path, Origin=ELSEWHERE)
    assert answer.status == 403
    assert answer.headers["access-control-allow-origin"] == "*"
    assert b"--origin" in answer.body


async def test_a_refused_page_reads_nothing_but_scripts_and_reasons(server: Server) -> None:
    for path in ("/", "/index.html", "/metrics", "/captions.css", "/nothing", "/nothing.js"):
        answer = await ask(server, path, Origin=ELSEWHERE, **PAGE)
        assert answer.status == 403
        assert json.loads(answer.body)["code"] == "forbidden_origin"


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/watch/stage"])
async def test_the_websocket_itself_stays_closed_to_other_origins(
    server: Server, path: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect_websocket(f"ws://127.0.0.1:{server.port}{path}", origin=ELSEWHERE, proxy=None)
    assert refused.value.response.status_code == 403


async def test_a_page_may_send_its_token_to_learn_why_it_is_refused() -> None:
    access = AccessOptions((Key.of("one", "1" * 20),), origins=(ELSEWHERE,))
    options = ServerOptions(port=0, session=OPTIONS, access=access)
    async with Server(ScriptedRecognizer(script()), options) as server:
        asked = await ask(
            server,
            "/v1/stream",
            "OPTIONS",
            Origin=ELSEWHERE,
            Access_Control_Request_Headers="authorization",
        )
        assert asked.status == 200
        assert asked.headers["access-control-allow-headers"] == "Authorization"
        wrong = await ask(server, "/v1/stream", Origin=ELSEWHERE, Authorization="Bearer no")
        assert wrong.status == 401
        assert wrong.headers["access-control-allow-origin"] == "*"


async def test_the_qr_code_of_a_room_on_this_server(server: Server) -> None:
    link = f"http://127.0.0.1:{server.port}/watch/stage"
    answer = await ask(server, f"/qr.svg?url={quote(link)}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert b"<svg" in answer.body
    other = await ask(server, f"/qr.svg?url={quote('http://evil.test/watch/stage')}")
    assert other.status == 400
    assert b"expected the address of a room on this server" in other.body


async def test_a_lost_browser_sees_a_page_and_a_program_a_line(server: Server) -> None:
    page = await ask(server, "/nothing/here", **PAGE)
    assert page.status == 404
    assert b'<a href="../watch">' in page.body
    line = await ask(server, "/nothing/here")
    assert (line.status, line.body.count(b"\n")) == (404, 1)


async def test_a_server_on_loopback_names_no_address_for_other_devices(server: Server) -> None:
    assert b'data-address=""' in (await ask(server, "/", **PAGE)).body


async def test_a_server_on_all_interfaces_names_its_address_for_phones() -> None:
    from streamwhisper.server.access.tls import lan_address

    if (address := lan_address()) is None:
        pytest.skip("this machine has no address in a network")
    options = ServerOptions(host="0.0.0.0", port=0, session=OPTIONS)
    async with Server(ScriptedRecognizer(script()), options) as server:
        base = f"http://{address}:{server.port}/"
        assert f'data-address="{base}"'.encode() in (await ask(server, "/", **PAGE)).body
        answer = await ask(server, f"/qr.svg?url={quote(base + 'watch/stage')}")
        assert answer.status == 200
