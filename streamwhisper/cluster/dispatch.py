"""Dispatch of requests to workers that can be busy, slow or dead.

Requests have no side effects, so they can be sent repeatedly: again if the worker is lost, and to a
second worker if the first one is slow. The first answer is used.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from streamwhisper.cluster.wire import Message, RemotePast, pack_request
from streamwhisper.errors import RecognitionError, check_fields
from streamwhisper.recognition import ModelInfo, RecognitionRequest

__all__ = ["Dispatcher", "Patience", "Send", "WorkerLost"]

_SAVED_UP = 8.0  # maximum number of requests sent to a second worker in a row
_LONGEST_PAUSE = 0.4  # seconds before a request of a lost worker is sent again


class WorkerLost(Exception):
    """Worker died or became unreachable with a request in progress."""


Send = Callable[[Message], Coroutine[Any, Any, Message]]
"""Sends a message and returns the answer; raises WorkerLost. Cancelling withdraws it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of a gateway for its workers, in seconds.

    Attributes:
        most: time without an answer after which a request fails.
        slow: time without an answer after which a request is sent to a second worker.
        slow_final: time without an answer after which a final request is sent to a second worker.
        second: maximum number of second requests for each answered one, 0 to 1. It keeps a busy
            cluster from getting twice the load.

    Raises:
        ValueError: a value is out of range.
    """

    most: float = 10.0
    slow: float = 1.5
    slow_final: float = 0.75
    second: float = 0.05

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("most", self.most > 0, "above 0 s"),
            ("slow", self.slow > 0, "above 0 s"),
            ("slow_final", self.slow_final > 0, "above 0 s"),
            ("second", 0 <= self.second <= 1, "0 to 1"),
        )


class Dispatcher:
    """Sender of requests to workers; belongs to one event loop.

    Attributes:
        counts: number of requests by outcome: ``lost`` with a worker and sent again, sent
            ``twice`` because a worker was slow, ``failed``, answered with a cached past
            (``recalled``) or without it (``forgotten``).
    """

    def __init__(self, send: Send, patience: Patience) -> None:
        """Send messages with `send`."""
        self.counts: Counter[str] = Counter(lost=0, twice=0, failed=0, recalled=0, forgotten=0)
        self._send = send
        self._patience = patience
        self._savings = _SAVED_UP  # requests that can be sent to a second worker now

    async def answer(
        self, request: RecognitionRequest, info: ModelInfo, past: RemotePast | None
    ) -> Message:
        """Return a worker's answer; see `streamwhisper.cluster.worker.Worker.recognize`.

        Args:
            request: request to send.
            info: model that the request is meant for.
            past: location of the window's past.

        Returns:
            the answer, with ``window``, the name of its cached past.

        Raises:
            RecognitionError: a worker rejected the request, or none answered in time.
        """
        window = past.window if past is not None else uuid.uuid4().hex
        try:
            answer = await self._race(request, info, past, window)
        except RecognitionError:
            self.counts["failed"] += 1
            raise
        if past is not None:
            self.counts["recalled" if answer["recalled"] else "forgotten"] += 1
        self._savings = min(_SAVED_UP, self._savings + self._patience.second)
        return answer | {"window": window}

    async def deliver(self, message: Message, send: Send, seconds: float) -> Message:
        """Return a worker's answer to a message that any worker can answer.

        If its worker is lost, the message is sent again, for at most `seconds`.

        Raises:
            RecognitionError: a worker rejected the message, or none answered in time.
        """
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + seconds, 0.05
        while (left := deadline - clock()) > 0:
            try:
                async with asyncio.timeout(left):
                    answer = await send(message)
            except TimeoutError:
                break
            except WorkerLost:
                self.counts["lost"] += 1
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)
                continue
            if "refused" in answer:
                self.counts["failed"] += 1
                raise RecognitionError(answer["refused"])
            return answer
        self.counts["failed"] += 1
        raise RecognitionError(
            f"no worker of the cluster answered within {seconds:g} s; "
            "`streamwhisper cluster status` lists the workers"
        )

    async def _race(
        self, request: RecognitionRequest, info: ModelInfo, past: RemotePast | None, window: str
    ) -> Message:
        patience, clock = self._patience, asyncio.get_running_loop().time
        deadline = clock() + patience.most
        second_at = clock() + (patience.slow_final if request.final else patience.slow)
        pause = 0.0

        def begin(first: int = 0, **hints: str | None) -> asyncio.Task[Message]:
            message = pack_request(request, info, window, deadline - clock(), first)
            return asyncio.create_task(self._send_after(pause, message | hints))

        usual = past.worker if past is not None else None
        calls = {begin(past.known_frames if past is not None else 0, prefer=usual)}
        try:
            while calls and clock() < deadline:
                done, calls = await asyncio.wait(
                    calls,
                    timeout=max(0.0, min(deadline, second_at) - clock()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for call in done:
                    if isinstance(call.exception(), WorkerLost):
                        self.counts["lost"] += 1
                        calls.add(begin(avoid=usual))
                        pause = min(_LONGEST_PAUSE, 2 * pause or 0.05)
                        continue
                    answer = call.result()
                    if "hypothesis" in answer:
                        return answer
                    if "refused" in answer:
                        raise RecognitionError(answer["refused"])
                    if "missing" in answer:  # the worker has no frames of this window
                        calls.add(begin(prefer=answer["worker"]))
                if clock() >= second_at:
                    second_at = deadline
                    if self._savings >= 1:
                        self._savings -= 1
                        self.counts["twice"] += 1
                        calls.add(begin(avoid=usual))
        finally:
            for call in calls:
                call.cancel()
        raise RecognitionError(
            f"no worker of the cluster has answered within {patience.most:g} s; "
            "`streamwhisper cluster status` lists the workers"
        )

    async def _send_after(self, pause: float, message: Message) -> Message:
        if pause:
            await asyncio.sleep(pause)
        return await self._send(message)
