"""Recognizers that tests hold up, count or overload."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from streamwhisper.errors import RecognitionError
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.recognition import Hypothesis, HypothesisWord, ModelInfo, RecognitionRequest
from streamwhisper.server.app import Server, ServerOptions
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script


class Counter:
    """Says how many hundredths of a second it has heard; can be held up, and told to fail."""

    info = ModelInfo("counter", 80, multilingual=False)

    def __init__(self, *, failures: int = 0, nonsense: bool = False) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.asked = 0
        self.requests: list[tuple[int, bool]] = []  # hundredths of a second, final
        self.failures = failures
        self.nonsense = nonsense

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Any]:
        self.asked += 1
        self.requests += [(request.mel.shape[1], request.final) for request in requests]
        self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise RecognitionError("out of order")
        return [None if self.nonsense else self._count(request) for request in requests]

    def _count(self, request: RecognitionRequest) -> Hypothesis:
        frames = request.mel.shape[1]
        word = HypothesisWord(f" {frames}", (frames,), 0.0, frames / 100, 0.0)
        return Hypothesis((word,), "en", "end_of_text", 0.0, 0.0)


SOUND = script().pcm[: 32000 * 20]


class Held(ScriptedRecognizer):
    """Hears the script, but only while its gate is open."""

    def __init__(self) -> None:
        super().__init__(script())
        self.gate = threading.Event()
        self.gate.set()

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        self.gate.wait(120)
        return super().recognize(requests)


async def overload(server: Server, recognizer: Held, *streams: Any) -> None:
    """Have one request under way and another that has waited too long."""
    recognizer.gate.clear()
    for stream in streams:
        await stream.send(SOUND)
    while server.context.startup.model.scheduler.wait <= 0.05:
        await asyncio.sleep(0.01)


def one_by_one(recognizer: Any, **options: Any) -> Server:
    scheduler = SchedulerOptions(max_batch=1)
    return Server(
        recognizer, ServerOptions(port=0, session=OPTIONS, scheduler=scheduler, **options)
    )
