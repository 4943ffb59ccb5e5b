"""The scheduler: whose request is answered when, in which company, and what an error harms."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from streamwhisper.engine.scheduler import Scheduler, SchedulerOptions
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import Hypothesis, HypothesisWord, ModelInfo, RecognitionRequest

MEL = np.zeros((80, 10), np.float32)


def ask(number: int, *, final: bool = False) -> RecognitionRequest:
    return RecognitionRequest(MEL, prompt=(number,), final=final)


def answer(request: RecognitionRequest) -> Hypothesis:
    text = "-".join(map(str, request.prompt))
    word = HypothesisWord(text, request.prompt, 0.0, 0.1, 0.0)
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
        numbers = [request.prompt[0] for request in requests]
        self.batches.append(numbers)
        if bad := self.forbidden.intersection(numbers):
            raise (ZeroDivisionError if 0 in bad else RecognitionError)(f"cannot say {bad}")
        return [answer(request) for request in requests][self.answers_missing :]


async def held_back(
    scheduler: Scheduler, echo: Echo, requests: Sequence[tuple[RecognitionRequest, float | None]]
) -> list[Hypothesis | BaseException]:
    """Have `requests` wait together behind one that the recognizer holds, then let all go."""
    echo.gate.clear()
    first = asyncio.create_task(scheduler.recognize(ask(99)))
    await asyncio.to_thread(echo.entered.acquire)
    tasks = [
        asyncio.create_task(scheduler.recognize(request, deadline=deadline))
        for request, deadline in requests
    ]
    while scheduler.waiting < min(len(tasks), scheduler.options.max_waiting - 1):
        await asyncio.sleep(0)
    echo.gate.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_caller_gets_its_own_answer() -> None:
    scheduler = Scheduler(Echo())
    answers = await asyncio.gather(*(scheduler.recognize(ask(number)) for number in range(50)))
    assert [reply.text for reply in answers] == [str(number) for number in range(50)]
    await scheduler.aclose()


async def test_requests_that_wait_share_batches_of_bounded_size() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=8))
    await held_back(scheduler, echo, [(ask(number), None) for number in range(20)])
    assert [len(batch) for batch in echo.batches] == [1, 8, 8, 4]
    await scheduler.aclose()


async def test_requests_in_no_hurry_are_answered_in_the_order_they_came() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=3))
    await held_back(scheduler, echo, [(ask(number), None) for number in range(7)])
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
            (ask(1), now + 30),
            (ask(2), now + 10),
            (ask(3), now + 20),
            (ask(4, final=True), now + 40),
            (ask(5, final=True), now + 35),
        ],
    )
    assert echo.batches == [[99], [5, 4], [2, 3], [1]]
    await scheduler.aclose()


async def test_one_bad_request_harms_no_other() -> None:
    echo = Echo(forbidden=[3])
    scheduler = Scheduler(echo)
    answers = await held_back(scheduler, echo, [(ask(number), None) for number in range(6)])
    assert isinstance(answers[3], RecognitionError)
    good = [reply.text for reply in answers if isinstance(reply, Hypothesis)]
    assert good == ["0", "1", "2", "4", "5"]
    assert echo.batches == [[99], [0, 1, 2, 3, 4, 5], [0], [1], [2], [3], [4], [5]]
    assert (await scheduler.recognize(ask(7))).text == "7"
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
    assert (await stays).text == "3"
    assert echo.batches == [[1], [3]]
    await scheduler.aclose()


async def test_the_queue_is_bounded_and_nobody_is_turned_away() -> None:
    echo = Echo()
    scheduler = Scheduler(echo, SchedulerOptions(max_batch=4, max_waiting=5))
    answers = await held_back(scheduler, echo, [(ask(number), None) for number in range(30)])
    assert [reply.text for reply in answers if isinstance(reply, Hypothesis)] == [
        str(number) for number in range(30)
    ]
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
    assert [reply.text for reply in await asyncio.gather(*tasks)] == ["0", "1", "2"]
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
    await held_back(scheduler, echo, [(ask(number), None) for number in range(5)])
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
    assert [reply.text for reply in await asyncio.gather(*tasks)] == ["0", "1", "2"]
    assert len(echo.threads) == 2
    await scheduler.aclose()
