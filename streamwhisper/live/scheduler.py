"""Scheduler: requests of many sessions share a recognizer's batches, in fair order.

Each session has at most one request in flight, so "earliest deadline, then arrival" is round robin.
Final requests overtake partial ones, but only a limited number in a row, so no session can starve
another. A queued request is replaced by a newer one when more audio has arrived. Recognition runs
on worker threads: the event loop never waits for the model.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import (
    Hypothesis,
    ModelInfo,
    RecognitionRequest,
    Recognizer,
    remote_state,
)
from streamwhisper.rolling import RollingStats

__all__ = ["Scheduler", "SchedulerOptions", "Ticket", "Withdrawn"]

log = logging.getLogger(__name__)

_FINALS_IN_A_ROW = 4  # then the request that is due first is next, final or not


@dataclass(frozen=True, slots=True)
class SchedulerOptions:
    """Options of batching.

    Attributes:
        max_batch: maximum number of requests in a batch.
        workers: number of batches that are recognized in parallel.
        max_waiting: maximum number of queued requests; callers of further ones wait.
        patience: seconds until the deadline of a request without one.
    """

    max_batch: int = 8
    workers: int = 1
    max_waiting: int = 1024
    patience: float = 1.0


class Withdrawn(Exception):
    """The ticket was withdrawn."""


def _new_answer() -> asyncio.Future[Hypothesis]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Ticket:
    """Place of a request in the queue; created on the event loop.

    Attributes:
        request: request to recognize; replaceable while it is queued.
        deadline: time for the answer on the event loop's clock; None is set when it is queued.
        started: whether the recognizer has the request; it cannot be changed from then on.
        since: time at which it was queued, on the event loop's clock.
    """

    request: RecognitionRequest
    deadline: float | None = None
    started: bool = field(default=False, init=False)
    since: float = field(default=0.0, init=False)
    _answer: asyncio.Future[Hypothesis] = field(default_factory=_new_answer, init=False)

    def replace(self, request: RecognitionRequest) -> None:
        """Replace the request; place and deadline stay.

        Raises:
            RuntimeError: the recognizer already has the request.
        """
        if self.started:
            raise RuntimeError("the recognizer already has the request; it cannot be replaced")
        self.request = request

    def withdraw(self) -> None:
        """Give up the place; a caller that waits for the answer receives `Withdrawn`."""
        if not self._answer.done():
            self._answer.set_exception(Withdrawn())
            self._answer.exception()  # marks it as retrieved: there may be no waiter


class Scheduler:
    """Queue in front of a recognizer: single requests in, batches out.

    It belongs to the event loop of its first request. Final requests go first, then the earliest
    deadline, then the first queued. Several streams may share one scheduler.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        options: SchedulerOptions | None = None,
        *,
        on_batch: Callable[[int, float], None] | None = None,
    ) -> None:
        """Create a scheduler for `recognizer`.

        Args:
            recognizer: recognizes the batches.
            options: how requests form batches.
            on_batch: called with the size of each batch and the seconds it took.
        """
        self.options = options or SchedulerOptions()
        self._recognizer = recognizer
        self._remote = remote_state(recognizer)
        self._on_batch = on_batch
        self._waiting: list[Ticket] = []  # in order of arrival
        self._finals_in_a_row = 0
        self._waits = RollingStats(_now)  # seconds that requests were queued
        self._costs = RollingStats(_now)  # recognizer seconds per request
        self._work = RollingStats(_now)  # recognizer seconds per batch
        self._room = asyncio.Semaphore(self.options.max_waiting)
        self._threads = ThreadPoolExecutor(self.options.workers, thread_name_prefix="recognizer")
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def info(self) -> ModelInfo:
        """The recognizer's model."""
        return self._recognizer.info

    @property
    def waiting(self) -> int:
        """Number of queued requests, without those that the recognizer works on."""
        return len(self._waiting)

    @property
    def wait(self) -> float:
        """Seconds that requests are queued at present.

        This is the recent average, or the age of the oldest queued request if that is more, plus
        the queue of a remote recognizer.
        """
        remote = self._remote.wait if self._remote is not None else 0.0
        oldest = max((_now() - ticket.since for ticket in self._waiting), default=0.0)
        return remote + max(oldest, self._waits.rising())

    @property
    def cost(self) -> float:
        """Seconds by which one more request delays all others; 0 before the first one."""
        if self._remote is not None:
            return self._remote.cost
        return self._costs.mean() / self.options.workers

    @property
    def idle(self) -> float:
        """Share of time in which the recognizer is idle at present, 0 to 1."""
        if self._remote is not None:
            return self._remote.idle
        return max(0.0, 1 - self._work.rate() / self.options.workers)

    async def recognize(self, ticket: Ticket) -> Hypothesis:
        """Queue a ticket and return its answer. Cancellation removes it from the queue.

        Raises:
            Withdrawn: the ticket was withdrawn.
            RecognitionError: the recognizer failed, or the scheduler is closed.
        """
        async with self._room:
            if self._closed:
                raise RecognitionError("the scheduler is closed and takes no more requests")
            loop = asyncio.get_running_loop()
            ticket.since = loop.time()
            if ticket.deadline is None:
                ticket.deadline = ticket.since + self.options.patience
            self._waiting.append(ticket)
            if len(self._workers) < self.options.workers:
                self._workers.add(loop.create_task(self._run_batches()))
            try:
                return await ticket._answer
            finally:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)

    async def aclose(self) -> None:
        """Reject new requests, answer the queued ones, then end the worker threads."""
        self._closed = True
        await asyncio.gather(*self._workers)
        self._threads.shutdown(wait=False)

    async def _run_batches(self) -> None:
        """Run batches until the queue is empty; the next request starts a new worker."""
        try:
            while self._waiting:
                if batch := self._next_batch():
                    await self._run(batch)
        finally:
            worker = asyncio.current_task()
            assert worker is not None
            self._workers.discard(worker)

    def _next_batch(self) -> list[Ticket]:
        """Remove the next batch from the queue; empty if all tickets were withdrawn."""
        self._waiting = [ticket for ticket in self._waiting if not ticket._answer.done()]
        share = -(-len(self._waiting) // self.options.workers)  # the other workers get theirs
        return [self._next() for _ in range(min(self.options.max_batch, share))]

    def _next(self) -> Ticket:
        """Remove the next ticket from the queue."""
        ticket = min(self._waiting, key=self._urgency)  # among equals, the first queued
        self._waiting.remove(ticket)
        self._finals_in_a_row = self._finals_in_a_row + 1 if ticket.request.final else 0
        ticket.started = True
        self._waits.add(_now() - ticket.since)
        return ticket

    def _urgency(self, ticket: Ticket) -> tuple[bool, float]:
        assert ticket.deadline is not None
        # A late final delays the speaker; a late partial is superseded by the next one.
        passed_over = self._finals_in_a_row < _FINALS_IN_A_ROW and not ticket.request.final
        return passed_over, ticket.deadline

    async def _run(self, batch: list[Ticket]) -> None:
        try:
            answers = await self._recognize([ticket.request for ticket in batch])
        except Exception as error:  # outermost loop of the worker
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            # One bad request must not harm the others: recognize each by itself.
            log.warning(
                "a batch of %d requests failed (%s); recognizing them one by one", len(batch), error
            )
            for ticket in batch:
                if not ticket._answer.done():
                    await self._run([ticket])
            return
        for ticket, answer in zip(batch, answers, strict=True):
            if not ticket._answer.done():  # the caller may have been cancelled
                ticket._answer.set_result(answer)

    async def _recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await loop.run_in_executor(self._threads, self._recognizer.recognize, requests)
        if len(answers) != len(requests):
            raise RecognitionError(
                f"the recognizer returned {len(answers)} answers to {len(requests)} requests"
            )
        seconds = loop.time() - began
        self._work.add(seconds)
        self._costs.add(seconds / len(requests))
        if self._on_batch is not None:
            self._on_batch(len(requests), seconds)
        return answers


def _now() -> float:
    return asyncio.get_running_loop().time()


def _fail(ticket: Ticket, error: Exception) -> None:
    if ticket._answer.done():
        return
    if not isinstance(error, RecognitionError):
        log.error("the recognizer failed", exc_info=error)
        cause, error = (
            error,
            RecognitionError(f"the recognizer failed with {type(error).__name__}: {error}"),
        )
        error.__cause__ = cause
    ticket._answer.set_exception(error)
