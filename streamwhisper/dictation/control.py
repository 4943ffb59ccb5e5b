"""Remote control of the running dictation; one dictation per user.

The running dictation holds a lock and listens on the loopback address. Its port and a secret for
clients are in a file that only this user can read.
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
    """No dictation is running, or it rejected the command."""


class AlreadyRunningError(ControlError):
    """Another dictation is already running."""


class Control:
    """Control server of a dictation, for use with ``async with``."""

    def __init__(self, folder: Path, switch: Switch) -> None:
        """Keep lock and address in `folder`; apply commands to `switch`."""
        self._address = folder / "mic.address"
        self._lock = FileLock(folder / "mic.lock", timeout=0)
        self._switch = switch
        self._secret = secrets.token_hex(16)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Control:
        """Accept commands.

        Raises:
            AlreadyRunningError: another dictation of this user is running.
        """
        self._address.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise AlreadyRunningError(
                f"dictation is already running{_process(self._address)}; stop it with Ctrl+C, or "
                "pause and resume it with: streamwhisper mic toggle"
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
        except (
            OSError,
            TimeoutError,
            ValueError,
        ):  # the client left, sent nothing, or far too much
            pass
        finally:
            writer.close()

    def _answer(self, words: list[str]) -> str:
        if len(words) != 2 or not hmac.compare_digest(words[0].encode(), self._secret.encode()):
            return "error: the control secret is missing or wrong; use streamwhisper mic"
        for command in COMMANDS:
            if words[1] == command:
                self._switch.apply(command)
                return "listening" if self._switch.on else "paused"
        return f"error: unknown command {words[1]!r}; expected one of {', '.join(COMMANDS)}"


def send(folder: Path, command: str) -> str:
    """Send a command to the running dictation; return its state, "listening" or "paused".

    Raises:
        ControlError: no dictation is running, or it rejected the command.
    """
    try:
        port, secret, _ = (folder / "mic.address").read_text().split()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=_TIMEOUT) as connection:
            connection.sendall(f"{secret} {command}\n".encode())
            answer = connection.makefile(encoding="utf-8").readline().strip()
    except (OSError, ValueError):
        raise ControlError("no dictation is running; start it with: streamwhisper mic") from None
    if not answer or answer.startswith("error"):
        raise ControlError(answer.removeprefix("error: ") or "the running dictation did not answer")
    return answer


def _process(address: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" (process {address.read_text().split()[2]})"
    return ""
