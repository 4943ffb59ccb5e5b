"""One dictation at a time, told by other processes when to listen."""

from __future__ import annotations

import asyncio
import socket
import stat

import pytest

from streamwhisper.dictation.control import AlreadyRunningError, Control, ControlError, send
from streamwhisper.dictation.switch import Switch


async def test_commands_work_the_switch_and_are_answered_with_its_state(tmp_path):
    switch = Switch(on=False)
    async with Control(tmp_path, switch):
        for command, answer in [("start", "listening"), ("toggle", "paused"), ("stop", "paused")]:
            assert await asyncio.to_thread(send, tmp_path, command) == answer
            assert switch.on == (answer == "listening")
        with pytest.raises(ControlError, match="unknown command 'dance'; expected one of start"):
            await asyncio.to_thread(send, tmp_path, "dance")


async def test_a_second_dictation_is_refused_and_the_first_goes_on(tmp_path):
    async with Control(tmp_path, Switch(on=True)):
        with pytest.raises(AlreadyRunningError, match=r"is already running \(process \d+\)"):
            await Control(tmp_path, Switch(on=True)).__aenter__()
        assert await asyncio.to_thread(send, tmp_path, "toggle") == "paused"
    async with Control(tmp_path, Switch(on=True)):
        pass


async def test_one_that_died_is_no_obstacle(tmp_path):
    (tmp_path / "mic.address").write_text("1 secret 1\n")
    (tmp_path / "mic.lock").touch()
    async with Control(tmp_path, Switch(on=True)):
        assert await asyncio.to_thread(send, tmp_path, "toggle") == "paused"


@pytest.mark.parametrize("address", [None, "", "1 secret 1\n", "x y z\n"])
def test_without_a_dictation_it_is_said_how_to_start_one(tmp_path, address):
    if address is not None:
        (tmp_path / "mic.address").write_text(address)
    with pytest.raises(
        ControlError, match="no dictation is running; start it with: streamwhisper mic"
    ):
        send(tmp_path, "toggle")


async def test_who_does_not_know_the_secret_is_not_obeyed(tmp_path):
    switch = Switch(on=False)
    async with Control(tmp_path, switch):
        path = tmp_path / "mic.address"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        port = int(path.read_text().split()[0])

        def try_it(line: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(line)
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(1000)

        for line in (b"wrong start\n", b"start\n", b"\n", b"\xff\xfe start\n"):
            assert (await asyncio.to_thread(try_it, line)).startswith(b"error")
        assert await asyncio.to_thread(try_it, b"x" * 5000 + b"\n") == b""
        assert not switch.on
        assert await asyncio.to_thread(send, tmp_path, "start") == "listening"
