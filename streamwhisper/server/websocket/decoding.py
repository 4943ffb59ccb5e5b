"""Decoding of a connection's containers: off the event loop, in steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from streamwhisper.audio.steps import StepDecoder

__all__ = ["DecodingPump"]


class DecodingPump:
    """Passes the audio of a connection's containers on, step by step.

    A thread of the decoder decodes; the event loop only takes the result.
    """

    def __init__(
        self,
        backlog: Callable[[], StepDecoder | None],
        advance: Callable[[], Awaitable[None]],
    ) -> None:
        """Create an idle pump.

        Args:
            backlog: returns the decoder that has audio to take; None: there is none.
            advance: takes one step of audio.
        """
        self._backlog = backlog
        self._advance = advance
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def wake(self) -> None:
        """Continue if there is a backlog; call it after every change."""
        if self._backlog() is not None:
            self._idle.clear()
            self._woken.set()

    async def idle(self) -> None:
        """Wait until there is no backlog."""
        await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            while (decoder := self._backlog()) is not None:
                await _until_ready(decoder)
                await self._advance()
            self._idle.set()
            await self._woken.wait()


async def _until_ready(decoder: StepDecoder) -> None:
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()
    decoder.on_ready(partial(loop.call_soon_threadsafe, ready.set))
    if not decoder.ready:
        await ready.wait()
