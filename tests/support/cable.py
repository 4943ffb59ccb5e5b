"""Wires that tests cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from streamwhisper.server.app import STREAM_PATH


class Cable:
    """A way to a server that is cut after so many bytes, and leads wherever it is plugged in."""

    def __init__(self, port: int, life: Callable[[], int | None]) -> None:
        self.server_port = port
        self.cuts = 0
        self._life = life
        self._ends: set[asyncio.Transport] = set()

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._join, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            yield f"ws://127.0.0.1:{port}{STREAM_PATH}"
            self.cut()

    def cut(self) -> None:
        """Cut every connection that there is."""
        for end in self._ends:
            end.abort()
        self._ends.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self._life()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer.transport, back.transport}

        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            nonlocal left
            with contextlib.suppress(OSError):
                while data := await source.read(4096):
                    if left is not None and len(data) >= left:
                        target.write(data[:left])
                        self.cuts += 1
                        break
                    left = None if left is None else left - len(data)
                    target.write(data)
                    await target.drain()
            await asyncio.sleep(0)
            writer.transport.abort()
            back.transport.abort()

        await asyncio.gather(carry(reader, back), carry(there, writer))
