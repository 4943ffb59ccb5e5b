"""Requests to workers that are busy, slow or dead: each gets the first answer there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from streamwhisper.cluster.dispatch import Dispatcher, Patience, WorkerLost
from streamwhisper.cluster.wire import Message, RemotePast
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import ModelInfo, RecognitionRequest

INFO = ModelInfo("tiny.en", 80, multilingual=False)
REQUEST = RecognitionRequest(np.zeros((80, 50), np.float32))
FINAL = RecognitionRequest(np.zeros((80, 50), np.float32), final=True)
PAST = RemotePast("window", "one", 40)
ANSWER = {"worker": "one", "hypothesis": {}, "seconds": 0.0, "recalled": True, "kept": True}
PROMPT = Patience(most=5.0, slow=0.02, slow_final=0.01)

Behaviour = Callable[[], Awaitable[Message]]


class Workers:
    """What is sent goes here; each behaviour answers one message, the last one all that follow."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.sent: list[Message] = []
        self.taken_back = 0
        self._behaviours = behaviours

    async def send(self, message: Message) -> Message:
        behave = self._behaviours[min(len(self.sent), len(self._behaviours) - 1)]
        self.sent.append(message)
        try:
            return await behave()
        except asyncio.CancelledError:
            self.taken_back += 1
            raise


async def answering() -> Message:
    return ANSWER


async def dying() -> Message:
    raise WorkerLost("killed")


async def hanging() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def missing() -> Message:
    return {"worker": "one", "missing": True}


async def ask(
    workers: Workers,
    request: RecognitionRequest = REQUEST,
    past: RemotePast | None = PAST,
    patience: Patience = PROMPT,
) -> tuple[Message, Dispatcher]:
    dispatcher = Dispatcher(workers.send, patience)
    return await dispatcher.answer(request, INFO, past), dispatcher


async def test_a_request_goes_to_the_worker_that_has_its_past_with_the_new_frames_alone() -> None:
    workers = Workers(answering)
    answer, dispatcher = await ask(workers)
    [message] = workers.sent
    assert (message["prefer"], message["first"]) == ("one", 36)
    assert message["mel"].shape == (80, 14)
    assert answer["window"] == "window"
    assert dispatcher.counts["recalled"] == 1


async def test_without_a_past_it_goes_anywhere_whole_under_a_new_name() -> None:
    workers = Workers(answering)
    names = {(await ask(workers, past=None))[0]["window"] for _ in range(2)}
    assert len(names) == 2
    assert [(m["prefer"], m["first"]) for m in workers.sent] == [(None, 0)] * 2


async def test_frames_that_are_missed_are_sent_after_all() -> None:
    workers = Workers(missing, answering)
    answer, _ = await ask(workers)
    assert answer["hypothesis"] == {}
    assert [message["first"] for message in workers.sent] == [36, 0]
    assert workers.sent[1]["prefer"] == "one"


async def test_a_request_whose_worker_dies_goes_whole_to_another_one() -> None:
    workers = Workers(dying, dying, answering)
    _, dispatcher = await ask(workers)
    assert [(m["first"], m.get("avoid")) for m in workers.sent] == [
        (36, None),
        (0, "one"),
        (0, "one"),
    ]
    assert dispatcher.counts["lost"] == 2


@pytest.mark.parametrize("request_", [REQUEST, FINAL])
async def test_the_first_answer_counts_when_a_worker_is_slow_and_the_other_request_is_taken_back(
    request_: RecognitionRequest,
) -> None:
    workers = Workers(hanging, answering)
    _, dispatcher = await ask(workers, request_)
    assert [message.get("avoid") for message in workers.sent] == [None, "one"]
    assert dispatcher.counts["twice"] == 1
    await asyncio.sleep(0)
    assert workers.taken_back == 1


async def test_a_cluster_that_is_slow_altogether_is_not_given_twice_the_load() -> None:
    workers = Workers(hanging)
    dispatcher = Dispatcher(workers.send, Patience(most=0.1, slow=0.01))
    asked = [dispatcher.answer(REQUEST, INFO, None) for _ in range(50)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(error, RecognitionError) for error in found)
    assert len(workers.sent) == 50 + 8
    assert dispatcher.counts["failed"] == 50


async def test_who_gets_no_answer_is_told_so() -> None:
    with pytest.raises(RecognitionError, match=r"within 0\.05 s.*cluster status"):
        await ask(Workers(hanging), patience=Patience(most=0.05))


async def test_a_refusal_is_not_asked_for_again() -> None:
    async def refusing() -> Message:
        return {"worker": "one", "refused": "token 99999 in prompt"}

    workers = Workers(refusing)
    with pytest.raises(RecognitionError, match="token 99999"):
        await ask(workers)
    assert len(workers.sent) == 1


async def test_a_worker_that_fails_is_not_hidden() -> None:
    async def failing() -> Message:
        raise RecognitionError("a worker failed: KeyError('mel')")

    with pytest.raises(RecognitionError, match="KeyError"):
        await ask(Workers(failing))


@pytest.mark.parametrize("bad", [{"most": 0}, {"slow": 0}, {"slow_final": -1}, {"second": 2}])
def test_patience_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Patience(**bad)
