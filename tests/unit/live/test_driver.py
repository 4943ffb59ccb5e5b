"""The drive loop: one request in flight, failures repeated, sessions exchanged."""

from __future__ import annotations

import ast
import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import streamwhisper
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import RecognitionError
from streamwhisper.events import Committed, Event
from streamwhisper.live.driver import SessionDriver
from streamwhisper.live.listen import listen
from streamwhisper.live.scheduler import Scheduler, SchedulerOptions
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.session.session import Session
from tests.support.scripted import INFO, OPTIONS, Script, ScriptedRecognizer, script

PACKAGE = Path(streamwhisper.__file__).parent
CHUNK = 8000  # bytes, 0.25 s


class Gated:
    """A scripted recognizer that waits at a gate and fails on demand."""

    info = INFO

    def __init__(self, recognizer: ScriptedRecognizer, failures: int = 0) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.requests: list[RecognitionRequest] = []
        self.failures = failures
        self._recognizer = recognizer

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        self.entered.set()
        assert self.gate.wait(20)
        self.requests += requests
        if self.failures:
            self.failures -= 1
            raise RecognitionError("out of memory")
        return self._recognizer.recognize(requests)


class Observer:
    def __init__(self) -> None:
        self.answers: list[tuple[float, float, bool]] = []
        self.replaced = 0

    def request_answered(self, seconds: float, lag: float, *, final: bool) -> None:
        self.answers.append((seconds, lag, final))

    def request_replaced(self) -> None:
        self.replaced += 1


class Owner:
    """Owns a session and runs a driver for it until the session is done."""

    def __init__(self, scheduler: Scheduler, observer: Observer | None = None) -> None:
        self.driver = SessionDriver(scheduler, observer)
        self.session = new_session()
        self.events: list[Event] = []
        self.failures: list[int] = []

    async def run(self) -> None:
        await self.driver.run(
            lambda: self.session,
            publish=self.publish,
            finished=lambda: self.session.done,
            failed=lambda error, consecutive: self.failures.append(consecutive),
        )
        await self.publish()

    async def publish(self) -> None:
        self.events += self.session.events()

    async def feed(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), CHUNK):
            self.session.receive_audio(pcm[start : start + CHUNK])
            self.driver.wake(self.session)
            await asyncio.sleep(0)

    @property
    def text(self) -> str:
        return text_of(self.events)


def new_session() -> Session:
    return Session(INFO, AudioDecoder(AudioFormat()), OPTIONS)


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed)).strip()


@pytest.fixture(scope="module")
def spoken() -> Script:
    return script(12.0)


@pytest.fixture(scope="module")
def scripted(spoken: Script) -> ScriptedRecognizer:
    return ScriptedRecognizer(spoken)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


async def test_the_loop_recognizes_the_whole_text(spoken: Script, scripted: ScriptedRecognizer):
    scheduler, observer = Scheduler(scripted), Observer()
    owner = Owner(scheduler, observer)
    running = asyncio.create_task(owner.run())
    await owner.feed(spoken.pcm)
    owner.session.end()
    owner.driver.wake(owner.session)
    await asyncio.wait_for(running, 30)
    await scheduler.aclose()
    assert owner.text == spoken.text
    assert observer.answers
    assert observer.answers[-1][2]  # the last one was final
    assert all(seconds >= 0 and lag >= 0 for seconds, lag, _ in observer.answers)


async def test_listen_commits_the_same_text(spoken: Script, scripted: ScriptedRecognizer):
    chunks = [spoken.sound[start : start + 4000] for start in range(0, len(spoken.sound), 4000)]
    assert text_of(list(listen(scripted, chunks, OPTIONS))) == spoken.text


async def test_a_queued_partial_gives_way_to_one_with_more_audio(
    spoken: Script, scripted: ScriptedRecognizer
):
    gated, observer = Gated(scripted), Observer()
    gated.gate.clear()
    scheduler = Scheduler(gated, SchedulerOptions(max_batch=1))
    first, second = Owner(scheduler), Owner(scheduler, observer)
    running = [asyncio.create_task(owner.run()) for owner in (first, second)]
    await first.feed(spoken.pcm[: 4 * 32000])
    await until(gated.entered.is_set)
    await second.feed(spoken.pcm[: 2 * 32000])
    await until(lambda: scheduler.waiting == 1)
    await second.feed(spoken.pcm[2 * 32000 : 4 * 32000])
    assert scheduler.waiting == 1
    assert observer.replaced > 0
    gated.gate.set()
    await until(lambda: len(observer.answers) >= 1)
    assert gated.requests[1].mel.shape[1] > 200  # more than was sent before the request queued
    assert second.driver.take_wait() > 0
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await scheduler.aclose()


async def test_a_failed_request_is_repeated_and_counted(
    spoken: Script, scripted: ScriptedRecognizer
):
    scheduler = Scheduler(Gated(scripted, failures=2))
    owner = Owner(scheduler)
    running = asyncio.create_task(owner.run())
    await owner.feed(spoken.pcm)
    owner.session.end()
    owner.driver.wake(owner.session)
    await asyncio.wait_for(running, 30)
    await scheduler.aclose()
    assert owner.failures == [1, 2]
    assert owner.text == spoken.text


async def test_an_exception_from_the_failure_callback_ends_the_loop(
    spoken: Script, scripted: ScriptedRecognizer
):
    scheduler = Scheduler(Gated(scripted, failures=99))
    owner = Owner(scheduler)

    def give_up(error: RecognitionError, consecutive: int) -> None:
        if consecutive == 3:
            raise error

    running = asyncio.create_task(
        owner.driver.run(
            lambda: owner.session,
            publish=owner.publish,
            finished=lambda: False,
            failed=give_up,
        )
    )
    await owner.feed(spoken.pcm)
    with pytest.raises(RecognitionError, match="out of memory"):
        await asyncio.wait_for(running, 20)
    await scheduler.aclose()


async def test_the_answer_to_a_withdrawn_request_reaches_no_session(
    spoken: Script, scripted: ScriptedRecognizer
):
    gated = Gated(scripted)
    gated.gate.clear()
    scheduler = Scheduler(gated)
    owner = Owner(scheduler)
    running = asyncio.create_task(owner.run())
    await owner.feed(spoken.pcm[: 3 * 32000])
    await until(gated.entered.is_set)
    before, owner.session = owner.session, new_session()
    owner.driver.withdraw()
    owner.driver.wake(owner.session)
    gated.gate.set()
    await owner.feed(spoken.pcm)
    owner.session.end()
    owner.driver.wake(owner.session)
    await asyncio.wait_for(running, 30)
    await scheduler.aclose()
    assert owner.text == spoken.text
    assert text_of(before.events()) == ""


def test_only_the_driver_asks_sessions_for_requests():
    callers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("next_request", "receive_hypothesis")
    }
    assert callers == {"live/driver.py"}
