"""The scheduler: whose request is answered when, in which company, and what an error harms."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from streamwhisper.errors import RecognitionError
from streamwhisper.live.scheduler import Scheduler, SchedulerOptions, Ticket, Withdrawn
from streamwhisper.recognition import (
    Figure,
    Hypothesis,
    HypothesisWord,
    ModelInfo,
    RecognitionRequest,
    RemoteState,
    TextContext,
)

MEL = np.zeros((80, 10), np.float32)


def request(number: int, *, final: bool = False) -> RecognitionRequest:
    return RecognitionRequest(MEL, context=TextContext((number,)), final=final)


def ask(number: int, deadline: float | None = None, *, final: bool = False) -> Ticket:
    return Ticket(request(number, final=final), deadline)


def answer(request: RecognitionRequest) -> Hypothesis:
    text = "-".join(map(str, request.context.prompt))
    word = HypothesisWord(text, request.context.prompt, 0.0, 0.1, 0.0)
    return Hypothesis((word,), "en", "end_of_text", 0.0, 0.0)


class Echo:
    """Spells the prompt of every request; chokes on forbidden numbers; notes every batch.

    While `gate` is closed it holds on to the batch it was given, so that a queue can form.
    """

    info = ModelInfo("echo", 80, multilingual=False)

    def __init__(self, *, forbidden: Sequence[int] = (), answers_missing: int = 0) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.forbidden = set(forbidden)
        self.answers_missing = answers_missing

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        self.entered.release()
        self.gate.wait()
        self.threads.add(threading.get_ident())
        numbers = [request.context.prompt[0] for request in requests]
        self.batches.append(numbers)
        if bad := self.forbidden.intersection(numbers):
            raise (ZeroDivisionError if 0 in bad else RecognitionError)(f"cannot say {bad}")
        return [answer(request) for request in requests][self.answers_missing :]


async def held_back(
    scheduler: Scheduler,
    echo: Echo,
    tickets: Sequence[Ticket],
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Hypothesis | BaseException]:
    """Have `tickets` wait together behind one that the recognizer holds, then let all go."""
    echo.gate.clear()
    first = asyncio.create_task(scheduler.recognize(ask(99)))
    await asyncio.to_thread(echo.entered.acquire)
    tasks = [asyncio.create_task(scheduler.recognize(ticket)) for ticket in tickets]
    while scheduler.waiting < min(len(tasks), scheduler.options.max_waiting - 1):
        await asyncio.sleep(0)
    meanwhile()
    echo.gate.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def texts(answers: Sequence[Hypothesis | BaseException]) -> list[str]:
    return [reply.text for reply in answers if isinstance(reply, Hypothesis)]


async def test_every_caller_gets_its_own_answer() -> None:
    scheduler = Scheduler(Echo())
    answers = await asyncio.gather(*(scheduler.recognize(ask(number)) for number in range(50)))
    assert texts(answers) == [str(number) for number in range(50)]
    await scheduler.aclose()


async def test_requests_that_wait_share_batches_of_bounded_size() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=8))
    await held_back(scheduler, echo, [ask(number) for number in range(20)])
    assert [len(batch) for batch in echo.batches] == [1, 8, 8, 4]
    await scheduler.aclose()


async def test_requests_in_no_hurry_are_answered_in_the_order_they_came() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=3))
    await held_back(scheduler, echo, [ask(number) for number in range(7)])
    assert echo.batches == [[99], [0, 1, 2], [3, 4, 5], [6]]
    await scheduler.aclose()


async def test_finals_go_first_then_the_earliest_deadline() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=2))
    now = asyncio.get_running_loop().time()
    await held_back(
        scheduler,
        echo,
        [
            ask(1, now + 30),
            ask(2, now + 10),
            ask(3, now + 20),
            ask(4, now + 40, final=True),
            ask(5, now + 35, final=True),
        ],
    )
    assert echo.batches == [[99], [5, 4], [2, 3], [1]]
    await scheduler.aclose()


async def test_no_stream_of_finals_starves_a_partial() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=1))
    finals = [ask(number, final=True) for number in range(20)]
    await held_back(scheduler, echo, [ask(50), *finals[:1], ask(60), *finals[1:]])
    order = [number for batch in echo.batches for number in batch]
    assert order == [99, 0, 1, 2, 3, 50, 4, 5, 6, 7, 60, *range(8, 20)]
    await scheduler.aclose()


async def test_a_recognizer_elsewhere_tells_how_long_requests_wait_there() -> None:
    """That is what decides whether sessions are taken in."""

    class Elsewhere(Echo):
        wait = 0.75
        cost = 0.03
        idle = 0.4
        obstacle = None

        @property
        def remote(self) -> RemoteState:
            return self

        def figures(self) -> list[Figure]:
            return []

    scheduler = Scheduler(Elsewhere())
    assert (scheduler.wait, scheduler.cost, scheduler.idle) == (0.75, 0.03, 0.4)
    await scheduler.recognize(ask(1))
    assert 0.75 <= scheduler.wait < 5
    await scheduler.aclose()


async def test_a_session_that_asks_again_at_once_goes_behind_those_that_wait() -> None:
    """Three sessions, each with its next request as soon as the last one is answered."""
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=1))

    async def talk(session: int) -> None:
        for _ in range(4):
            await scheduler.recognize(ask(session))

    await asyncio.gather(*map(talk, range(3)))
    assert echo.batches == [[0], [1], [2]] * 4
    await scheduler.aclose()


async def test_a_fresher_request_takes_the_place_and_the_deadline_of_one_that_waits() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=1))
    tickets = [ask(number) for number in range(3)]
    answers = await held_back(scheduler, echo, tickets, lambda: tickets[0].replace(request(10)))
    assert texts(answers) == ["10", "1", "2"]
    assert echo.batches == [[99], [10], [1], [2]]
    await scheduler.aclose()


async def test_a_partial_overtaken_by_its_sessions_final_goes_first() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=1))
    tickets = [ask(number) for number in range(3)]
    final = request(12, final=True)
    answers = await held_back(scheduler, echo, tickets, lambda: tickets[2].replace(final))
    assert texts(answers) == ["0", "1", "12"]
    assert echo.batches == [[99], [12], [0], [1]]
    await scheduler.aclose()


async def test_a_request_that_has_started_is_not_replaced() -> None:
    echo = Echo()
    echo.gate.clear()
    scheduler = Scheduler(echo)
    ticket = ask(1)
    answer = asyncio.create_task(scheduler.recognize(ticket))
    await asyncio.to_thread(echo.entered.acquire)
    assert ticket.started
    with pytest.raises(RuntimeError, match="cannot be replaced"):
        ticket.replace(request(2))
    echo.gate.set()
    assert texts([await answer]) == ["1"]
    await scheduler.aclose()


async def test_a_request_that_is_withdrawn_is_told_so_and_not_recognized() -> None:
    echo = Echo()
    scheduler = Scheduler(echo)
    tickets = [ask(number) for number in range(3)]
    answers = await held_back(scheduler, echo, tickets, tickets[1].withdraw)
    assert isinstance(answers[1], Withdrawn)
    assert texts(answers) == ["0", "2"]
    assert echo.batches == [[99], [0, 2]]
    alone = ask(4)
    alone.withdraw()
    with pytest.raises(Withdrawn):
        await scheduler.recognize(alone)
    assert scheduler.waiting == 0
    await scheduler.aclose()


async def test_one_bad_request_harms_no_other() -> None:
    echo = Echo(forbidden=[3])
    scheduler = Scheduler(echo)
    answers = await held_back(scheduler, echo, [ask(number) for number in range(6)])
    assert isinstance(answers[3], RecognitionError)
    assert texts(answers) == ["0", "1", "2", "4", "5"]
    assert echo.batches == [[99], [0, 1, 2, 3, 4, 5], [0], [1], [2], [3], [4], [5]]
    assert texts([await scheduler.recognize(ask(7))]) == ["7"]
    await scheduler.aclose()


async def test_any_failure_of_the_recognizer_is_a_recognition_error() -> None:
    scheduler = Scheduler(Echo(forbidden=[0]))
    with pytest.raises(RecognitionError, match="ZeroDivisionError: cannot say") as caught:
        await scheduler.recognize(ask(0))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    await scheduler.aclose()


async def test_a_recognizer_that_answers_too_few_is_an_error_and_not_a_mix_up() -> None:
    scheduler = Scheduler(Echo(answers_missing=1))
    with pytest.raises(RecognitionError, match="0 answers to 1 requests"):
        await scheduler.recognize(ask(1))
    await scheduler.aclose()


async def test_a_caller_that_is_cancelled_leaves_the_queue_at_once() -> None:
    echo = Echo()
    scheduler = Scheduler(echo)
    echo.gate.clear()
    under_way = asyncio.create_task(scheduler.recognize(ask(1)))
    await asyncio.to_thread(echo.entered.acquire)
    waits = asyncio.create_task(scheduler.recognize(ask(2)))
    stays = asyncio.create_task(scheduler.recognize(ask(3)))
    while scheduler.waiting < 2:
        await asyncio.sleep(0)
    under_way.cancel()
    waits.cancel()
    await asyncio.gather(under_way, waits, return_exceptions=True)
    assert scheduler.waiting == 1
    echo.gate.set()
    assert texts([await stays]) == ["3"]
    assert echo.batches == [[1], [3]]
    await scheduler.aclose()


async def test_the_queue_is_bounded_and_nobody_is_turned_away() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=4, max_waiting=5))
    answers = await held_back(scheduler, echo, [ask(number) for number in range(30)])
    assert texts(answers) == [str(number) for number in range(30)]
    assert scheduler.waiting == 0
    await scheduler.aclose()


async def test_closing_answers_those_that_wait_and_takes_no_more() -> None:
    echo = Echo()
    scheduler = Scheduler(echo)
    echo.gate.clear()
    tasks = [asyncio.create_task(scheduler.recognize(ask(number))) for number in range(3)]
    await asyncio.to_thread(echo.entered.acquire)
    closing = asyncio.create_task(scheduler.aclose())
    await asyncio.sleep(0)
    with pytest.raises(RecognitionError, match="closed"):
        await scheduler.recognize(ask(9))
    echo.gate.set()
    assert texts(await asyncio.gather(*tasks)) == ["0", "1", "2"]
    await closing


async def test_recognition_runs_on_one_thread_that_is_not_the_event_loops() -> None:
    echo = Echo()
    scheduler = Scheduler(echo)
    for number in range(3):
        await scheduler.recognize(ask(number))
    assert len(echo.threads) == 1
    assert threading.get_ident() not in echo.threads
    await scheduler.aclose()


async def test_every_batch_is_reported_with_its_size() -> None:
    sizes: list[int] = []
    echo = Echo()
    scheduler = Scheduler(echo, on_batch=lambda size, _: sizes.append(size))
    await held_back(scheduler, echo, [ask(number) for number in range(5)])
    assert sizes == [1, 5]
    await scheduler.aclose()


async def test_workers_recognize_side_by_side() -> None:
    """Two batches are under way before either is answered, and a third waits."""
    echo = Echo()
    echo.gate.clear()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=1, workers=2))
    tasks = [asyncio.create_task(scheduler.recognize(ask(number))) for number in range(3)]
    for _ in range(2):
        await asyncio.to_thread(echo.entered.acquire)
    assert scheduler.waiting == 1
    echo.gate.set()
    assert texts(await asyncio.gather(*tasks)) == ["0", "1", "2"]
    assert len(echo.threads) == 2
    await scheduler.aclose()
