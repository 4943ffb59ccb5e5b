"""Every limit of ``serve``: set in three places, shown, and felt by a client of a real server."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamwhisper.cli.main import app
from streamwhisper.protocol import ErrorMessage, parse_server_message
from tests.support.processes import ServerProcess, serving

LIMITS = {
    "max-sessions": 7,
    "sessions-per-key": 7,
    "sessions-per-address": 7,
    "session-seconds": 7.0,
    "audio-rate": 7.0,
    "audio-burst": 7.0,
    "max-viewers": 7,
    "viewers-per-address": 7,
    "max-text-bytes": 777,
    "max-message-bytes": 777,
    "handshake-timeout": 7.0,
    "start-timeout": 7.0,
    "idle-timeout": 7.0,
    "send-timeout": 7.0,
    "max-wait": 7.0,
    "resume": 7.0,
    "drain": 7.0,
    "rest-port": 7,
    "max-upload-bytes": 7777,
    "max-upload-seconds": 7.0,
    "upload-timeout": 7.0,
    "transcriptions": 7,
    "uploads-per-address": 7,
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_set_by_flag_variable_and_file_and_shown(name: str, tmp_path: Path) -> None:
    value = LIMITS[name]
    file = tmp_path / "serve.toml"
    file.write_text(f"{name} = {value}\n")
    variable = f"STREAMWHISPER_{name.replace('-', '_').upper()}"
    ways: list[tuple[list[str], dict[str, str], str]] = [
        ([f"--{name}", str(value)], {}, f"--{name}"),
        ([], {variable: str(value)}, variable),
        (["--config", str(file)], {}, str(file)),
    ]
    for flags, environment, source in ways:
        shown = CliRunner().invoke(app, ["serve", "--print-config", *flags], env=environment)
        assert shown.exit_code == 0, shown.output
        assert f"{name} = {value}  # {source}\n" in shown.output


SETTINGS = """
max-viewers = 0
max-text-bytes = 300
max-message-bytes = 4000
session-seconds = 4
audio-rate = 20
audio-burst = 1
start-timeout = 2
"""
KEYS = """
[[key]]
name = "one"
key = "1111111111111111"
sessions = 1
[[key]]
name = "many"
key = "2222222222222222"
"""
START = '{"type": "start"}'


async def refusal(url: str, **options: Any) -> tuple[int, str]:
    """The status and the sentence with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught:
        await connect_websocket(url, proxy=None, **options)
    response = caught.value.response
    return response.status_code, bytes(response.body or b"").decode()


async def closed(websocket: ClientConnection) -> tuple[int, str, str]:
    """With what code a connection is closed, and the code and the sentence of the last error."""
    code = message = ""
    try:
        while True:
            _, said = parse_server_message(await websocket.recv(decode=True))
            if isinstance(said, ErrorMessage):
                code, message = said.code, said.message
    except ConnectionClosed as end:
        return (end.rcvd.code if end.rcvd else 1006), code, message


async def admitted(connecting: Callable[[], Any]) -> ClientConnection:
    """Connect as soon as the server has noticed that the connections before are closed."""
    async with asyncio.timeout(30):
        while True:
            try:
                return cast("ClientConnection", await connecting())
            except InvalidStatus as error:
                if error.response.status_code != 429:
                    raise
                await asyncio.sleep(0.05)


async def feel(server: ServerProcess) -> None:
    """Go beyond one limit after the other; the server's other clients come in all the same."""
    url, one, many = server.url, f"?token={'1' * 16}", f"?token={'2' * 16}"

    def connecting(query: str = many) -> Any:
        return connect_websocket(url + query, proxy=None)

    status, said = await refusal(url)
    assert (status, "needs an access token" in said) == (401, True)
    status, said = await refusal(url.replace("/stream", "/watch/stage"))
    assert (status, "All 0 viewer slots are in use" in said) == (503, True)
    async with connecting(one) as first:
        await first.send(START)
        await first.recv()
        status, said = await refusal(url + one)
        assert (status, "All 1 sessions of this key" in said) == (429, True)
        async with connecting(), connecting():
            status, said = await refusal(url + many)
            assert (status, "All 3 sessions of this address" in said) == (429, True)
    async with await admitted(connecting) as late:
        code, error, said = await closed(late)
        assert (code, error) == (1008, "start_timeout")
        assert "Received no start within 2 s" in said
    async with connecting() as wordy:
        await wordy.send(START)
        await wordy.send(f'{{"type": "ping", "id": "{"x" * 300}"}}')
        code, error, said = await closed(wordy)
        assert (code, error) == (1009, "message_too_big")
        assert "expected at most 300" in said
    async with connecting() as big:
        await big.send(START)
        await big.send(bytes(5000))
        assert (await closed(big))[0] == 1009
    async with connecting() as silent:
        await silent.send(START)
        code, error, said = await closed(silent)
        assert (code, error) == (1008, "idle_timeout")
        assert "Received no message for 2 s" in said
    async with connecting() as long:
        await long.send(START)
        for _ in range(41):
            await long.send(bytes(3200))
        code, error, said = await closed(long)
        assert (code, error) == (1008, "session_too_long")
        assert "The session reached its limit of 4 s" in said
    async with asyncio.timeout(20):  # until the server hangs up
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_real_server_keeps_to_its_limits_and_says_so(
    tiny_en_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serve.toml").write_text(SETTINGS)
    (tmp_path / "keys.toml").write_text(KEYS)
    monkeypatch.setenv("STREAMWHISPER_TOKENS", str(tmp_path / "keys.toml"))
    monkeypatch.setenv("STREAMWHISPER_SESSIONS_PER_ADDRESS", "3")
    flags = ["--config", str(tmp_path / "serve.toml"), "--idle-timeout", "2"]
    flags += ["--handshake-timeout", "3", "--resume", "0"]
    with serving(tiny_en_path, tmp_path / "log", *flags) as server:
        await feel(server)
        assert server.stop() == 0
    log = server.log.read_text()
    assert re.search(r"rejected /v1/stream: too_many_sessions address=127.0.0.1 status=429", log)
