"""One dictation at a time, and how another process tells it when to listen.

The one that runs holds a lock and listens on the loopback address. Its port, and a secret that
whoever speaks to it must know, are in a file that only this user can read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from streamwhisper.dictation.switch import COMMANDS, Switch
from streamwhisper.errors import StreamWhisperError

__all__ = ["AlreadyRunningError", "Control", "ControlError", "send"]

_LONGEST = 256  # bytes of a message
_TIMEOUT = 5.0


class ControlError(StreamWhisperError, OSError):
    """No dictation runs that could be told anything, or it refuses."""


class AlreadyRunningError(ControlError):
    """Another dictation runs already."""


class Control:
    """Takes commands from other processes, for use with ``async with``."""

    def __init__(self, folder: Path, switch: Switch) -> None:
        """Say where lock and address lie, and what the commands are for."""
        self._address = folder / "mic.address"
        self._lock = FileLock(folder / "mic.lock", timeout=0)
        self._switch = switch
        self._secret = secrets.token_hex(16)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Control:
        """Begin to listen.

        Raises:
            AlreadyRunningError: another dictation of this user runs.
        """
        self._address.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise AlreadyRunningError(
                f"dictation runs already{_whose(self._address)}; end it with Ctrl-C, or tell it "
                "when to listen with: streamwhisper mic toggle"
            ) from None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST)
        port = self._server.sockets[0].getsockname()[1]
        self._address.unlink(missing_ok=True)
        opened = os.open(self._address, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w") as file:
            file.write(f"{port} {self._secret} {os.getpid()}\n")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._address.unlink(missing_ok=True)
        self._lock.release()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                words = (await reader.readline()).decode(errors="replace").split()
            writer.write(f"{self._answer(words)}\n".encode())
            await writer.drain()
        except (OSError, TimeoutError, ValueError):  # it left, said nothing, or far too much
            pass
        finally:
            writer.close()

    def _answer(self, words: list[str]) -> str:
        if len(words) != 2 or not hmac.compare_digest(words[0].encode(), self._secret.encode()):
            return "error: that is not how dictation is spoken to"
        for command in COMMANDS:
            if words[1] == command:
                self._switch.obey(command)
                return "listening" if self._switch.on else "paused"
        return f"error: unknown command {words[1]!r}; expected one of {', '.join(COMMANDS)}"


def send(folder: Path, command: str) -> str:
    """Tell the dictation that runs; "listening" or "paused", as it is then.

    Raises:
        ControlError: none runs, or it refuses.
    """
    try:
        port, secret, _ = (folder / "mic.address").read_text().split()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=_TIMEOUT) as connection:
            connection.sendall(f"{secret} {command}\n".encode())
            answer = connection.makefile(encoding="utf-8").readline().strip()
    except (OSError, ValueError):
        raise ControlError("no dictation runs; start it with: streamwhisper mic") from None
    if not answer or answer.startswith("error"):
        raise ControlError(answer.removeprefix("error: ") or "dictation does not answer")
    return answer


def _whose(address: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" (process {address.read_text().split()[2]})"
    return ""
