"""The asyncio front of a recognizer: requests of many sessions share batches, in fair order.

Each session has at most one request under way, so "earliest deadline, then arrival" is round
robin while nobody is in a hurry. Finals overtake partials, but not for ever, so no session can
crowd out another. A request that still waits when more sound has come is replaced by a fresher
one in its place. Recognition runs on worker threads: the event loop never waits for the model.
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

_FINALS_IN_A_ROW = 4  # after so many, the request that is due first goes, final or not


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


class Withdrawn(Exception):
    """The answer to a ticket that was withdrawn."""


def _new_answer() -> asyncio.Future[Hypothesis]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in the queue; made on the event loop.

    Attributes:
        request: what to recognize when its turn comes.
        deadline: when the answer is wanted, by the event loop's clock; None gets one when it
            joins the queue.
        started: whether the recognizer has it; from then on nothing can be changed.
        since: when it joined the queue, by the same clock.
    """

    request: RecognitionRequest
    deadline: float | None = None
    started: bool = field(default=False, init=False)
    since: float = field(default=0.0, init=False)
    _answer: asyncio.Future[Hypothesis] = field(default_factory=_new_answer, init=False)

    def replace(self, request: RecognitionRequest) -> None:
        """Put a fresher request in the place of this one; the place and its deadline stay.

        Raises:
            RuntimeError: the recognizer has the old one already.
        """
        if self.started:
            raise RuntimeError("the request was given to the recognizer and cannot be replaced")
        self.request = request

    def withdraw(self) -> None:
        """Give the place up; whoever waits for the answer is told by `Withdrawn`."""
        if not self._answer.done():
            self._answer.set_exception(Withdrawn())
            self._answer.exception()  # asyncio would complain of it where nobody waits yet


class Scheduler:
    """Answers requests one by one for its callers, and in batches for its recognizer.

    It lives on the event loop that runs when the first request comes. Finals go first, then the
    earliest deadline, then the first to come; a partial that is due is passed over by so many
    finals and no more.
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
        self._remote = remote_state(recognizer)
        self._on_batch = on_batch
        self._waiting: list[Ticket] = []  # in order of arrival
        self._finals_in_a_row = 0
        self._waits = RollingStats(_now)  # of requests, until the recognizer had them
        self._costs = RollingStats(_now)  # seconds of the recognizer for each request of a batch
        self._work = RollingStats(_now)  # and for each batch
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
        """Requests that wait for the recognizer; those it works on are not counted."""
        return len(self._waiting)

    @property
    def wait(self) -> float:
        """Seconds that requests wait for their turn at present.

        Those that the last ones waited; or, if that is more, those for which the first in the
        queue waits already. What they wait at a recognizer elsewhere comes on top.
        """
        remote = self._remote.wait if self._remote is not None else 0.0
        oldest = max((_now() - ticket.since for ticket in self._waiting), default=0.0)
        return remote + max(oldest, self._waits.rising())

    @property
    def cost(self) -> float:
        """Seconds by which one request more makes all others wait; 0 if none ever came."""
        if self._remote is not None:
            return self._remote.cost
        return self._costs.mean() / self.options.workers

    @property
    def idle(self) -> float:
        """Share of its time for which the recognizer has nothing to do at present."""
        if self._remote is not None:
            return self._remote.idle
        return max(0.0, 1 - self._work.rate() / self.options.workers)

    async def recognize(self, ticket: Ticket) -> Hypothesis:
        """Answer one request. A caller that is cancelled leaves the queue at once.

        Raises:
            Withdrawn: the ticket was.
            RecognitionError: the recognizer could not answer it, or the scheduler is closed.
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
        """Take no more requests, answer those that wait, then end the worker threads."""
        self._closed = True
        await asyncio.gather(*self._workers)
        self._threads.shutdown(wait=False)

    async def _run_batches(self) -> None:
        """Run batches until nothing waits; the next request starts a new worker."""
        try:
            while self._waiting:
                if batch := self._next_batch():
                    await self._run(batch)
        finally:
            worker = asyncio.current_task()
            assert worker is not None
            self._workers.discard(worker)

    def _next_batch(self) -> list[Ticket]:
        """Take those whose turn it is out of the queue; perhaps none, if all were withdrawn."""
        self._waiting = [ticket for ticket in self._waiting if not ticket._answer.done()]
        share = -(-len(self._waiting) // self.options.workers)  # the others get theirs
        return [self._next() for _ in range(min(self.options.max_batch, share))]

    def _next(self) -> Ticket:
        """The ticket whose turn it is."""
        ticket = min(self._waiting, key=self._urgency)  # of equals, the first to come
        self._waiting.remove(ticket)
        self._finals_in_a_row = self._finals_in_a_row + 1 if ticket.request.final else 0
        ticket.started = True
        self._waits.add(_now() - ticket.since)
        return ticket

    def _urgency(self, ticket: Ticket) -> tuple[bool, float]:
        assert ticket.deadline is not None
        # Somebody waits for a final, while a partial that is late is made up for by the next one.
        passed_over = self._finals_in_a_row < _FINALS_IN_A_ROW and not ticket.request.final
        return passed_over, ticket.deadline

    async def _run(self, batch: list[Ticket]) -> None:
        try:
            answers = await self._recognize([ticket.request for ticket in batch])
        except Exception as error:  # outermost loop of the worker
            if len(batch) == 1:
                _refuse(batch[0], error)
                return
            # One bad request must not harm the others: ask again, each by itself.
            log.warning("a batch of %d failed (%s); trying one by one", len(batch), error)
            for ticket in batch:
                if not ticket._answer.done():
                    await self._run([ticket])
            return
        for ticket, answer in zip(batch, answers, strict=True):
            if not ticket._answer.done():  # the caller may have been cancelled meanwhile
                ticket._answer.set_result(answer)

    async def _recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await loop.run_in_executor(self._threads, self._recognizer.recognize, requests)
        if len(answers) != len(requests):
            raise RecognitionError(f"{len(answers)} answers to {len(requests)} requests")
        seconds = loop.time() - began
        self._work.add(seconds)
        self._costs.add(seconds / len(requests))
        if self._on_batch is not None:
            self._on_batch(len(requests), seconds)
        return answers


def _now() -> float:
    return asyncio.get_running_loop().time()


def _refuse(ticket: Ticket, error: Exception) -> None:
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
