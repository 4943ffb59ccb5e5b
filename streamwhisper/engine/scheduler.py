"""The asyncio front of a recognizer: requests of many sessions share batches, in fair order.

Each session has at most one request under way, so "earliest deadline, then arrival" is round
robin while nobody is in a hurry, and no session can crowd out another. Recognition runs on worker
threads: the event loop never waits for the model.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import Hypothesis, RecognitionRequest, Recognizer

__all__ = ["Scheduler", "SchedulerOptions"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SchedulerOptions:
    """How requests are put together.

    Attributes:
        max_batch: the most requests the recognizer is given at once.
        workers: batches that are recognized side by side.
        max_waiting: requests that may wait for the recognizer; further ones wait to be let in.
        patience: seconds until the deadline of a request that brings none of its own.
    """

    max_batch: int = 8
    workers: int = 1
    max_waiting: int = 1024
    patience: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    """A request that waits, and where its answer goes."""

    request: RecognitionRequest
    deadline: float
    answer: asyncio.Future[Hypothesis]

    @property
    def urgency(self) -> tuple[bool, float]:
        # Somebody waits for a final; a partial that is late is replaced by the next one.
        return (not self.request.final, self.deadline)


class Scheduler:
    """Answers requests one by one for its callers, and in batches for its recognizer.

    It lives on the event loop that runs when the first request comes. Finals go first, then the
    earliest deadline, then the first to come.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        options: SchedulerOptions | None = None,
        *,
        on_batch: Callable[[int, float], None] | None = None,
    ) -> None:
        """Put a queue in front of `recognizer`.

        Args:
            recognizer: answers the batches.
            options: how they are put together.
            on_batch: told the size of every batch and the seconds it took.
        """
        self.options = options or SchedulerOptions()
        self._recognizer = recognizer
        self._on_batch = on_batch
        self._waiting: list[_Ticket] = []  # in order of arrival
        self._room = asyncio.Semaphore(self.options.max_waiting)
        self._threads = ThreadPoolExecutor(self.options.workers, thread_name_prefix="recognizer")
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """Requests that wait for the recognizer; those it works on are not counted."""
        return len(self._waiting)

    async def recognize(
        self, request: RecognitionRequest, *, deadline: float | None = None
    ) -> Hypothesis:
        """Answer one request. A caller that is cancelled leaves the queue at once.

        Args:
            request: what to recognize.
            deadline: when the answer is wanted, by the event loop's clock.

        Raises:
            RecognitionError: the recognizer could not answer it, or the scheduler is closed.
        """
        async with self._room:
            if self._closed:
                raise RecognitionError("the scheduler is closed and takes no more requests")
            loop = asyncio.get_running_loop()
            due = loop.time() + self.options.patience if deadline is None else deadline
            ticket = _Ticket(request, due, loop.create_future())
            self._waiting.append(ticket)
            if len(self._workers) < self.options.workers:
                self._workers.add(loop.create_task(self._work()))
            try:
                return await ticket.answer
            finally:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)

    async def aclose(self) -> None:
        """Take no more requests, answer those that wait, then end the worker threads."""
        self._closed = True
        await asyncio.gather(*self._workers)
        self._threads.shutdown(wait=False)

    async def _work(self) -> None:
        """Run batches until nothing waits; the next request starts a new worker."""
        try:
            while self._waiting:
                await self._run(self._next_batch())
        finally:
            worker = asyncio.current_task()
            assert worker is not None
            self._workers.discard(worker)

    def _next_batch(self) -> list[_Ticket]:
        share = -(-len(self._waiting) // self.options.workers)  # the others get theirs
        size = min(self.options.max_batch, share)
        batch = sorted(self._waiting, key=lambda ticket: ticket.urgency)[:size]
        self._waiting = [ticket for ticket in self._waiting if ticket not in batch]
        return batch

    async def _run(self, batch: list[_Ticket]) -> None:
        try:
            answers = await self._recognize([ticket.request for ticket in batch])
        except Exception as error:  # outermost loop of the worker
            if len(batch) == 1:
                _refuse(batch[0], error)
                return
            # One bad request must not harm the others: ask again, each by itself.
            log.warning("a batch of %d failed (%s); trying one by one", len(batch), error)
            for ticket in batch:
                if not ticket.answer.done():
                    await self._run([ticket])
            return
        for ticket, answer in zip(batch, answers, strict=True):
            if not ticket.answer.done():  # the caller may have been cancelled meanwhile
                ticket.answer.set_result(answer)

    async def _recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await loop.run_in_executor(self._threads, self._recognizer.recognize, requests)
        if len(answers) != len(requests):
            raise RecognitionError(f"{len(answers)} answers to {len(requests)} requests")
        if self._on_batch is not None:
            self._on_batch(len(requests), loop.time() - began)
        return answers


def _refuse(ticket: _Ticket, error: Exception) -> None:
    if ticket.answer.done():
        return
    if not isinstance(error, RecognitionError):
        log.error("the recognizer failed", exc_info=error)
        cause, error = (
            error,
            RecognitionError(f"the recognizer failed with {type(error).__name__}: {error}"),
        )
        error.__cause__ = cause
    ticket.answer.set_exception(error)
