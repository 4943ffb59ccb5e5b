"""Sessions driven in step, and recognizers that count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.events import Committed, Event
from streamwhisper.recognition import (
    Hypothesis,
    HypothesisWord,
    ModelInfo,
    RecognitionRequest,
    Recognizer,
)
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

Samples = NDArray[np.float32]
RATE = 16000
FIXED = SessionOptions(endpoint=EndpointOptions(kind="fixed"))
SENTENCE = SessionOptions(endpoint=EndpointOptions(kind="sentence"))
TRAILING = "librispeech/61-70970-0037"
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


class Counting:
    """Writes a word for each half second of the window: a clock that shows what was covered."""

    info = ModelInfo("counting", 80, multilingual=False)

    def __init__(self, silent_after: int | None = None, tail: str = "") -> None:
        self.silent_after = silent_after
        self.tail = tail  # of every word

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: RecognitionRequest) -> Hypothesis:
        count, held = request.mel.shape[1] // 50, len(request.prefix)
        if self.silent_after is not None and held >= self.silent_after:
            count = 0
        words = tuple(
            HypothesisWord(f" w{index}{self.tail}", (index,), index / 2, index / 2 + 0.5, -0.1)
            for index in range(held, count)
        )
        return Hypothesis(words, "en", "end_of_text", 0.0, -0.1)


def new_session(recognizer: Recognizer, options: SessionOptions | None = None) -> Session:
    return Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), options)


def pump(session: Session, recognizer: Recognizer, *, catch_up: bool = False) -> list[Event]:
    while request := session.next_request(catch_up=catch_up):
        session.receive_hypothesis(recognizer.recognize([request])[0])
    return session.events()


def hear(
    recognizer: Recognizer,
    samples: Samples,
    cuts: Sequence[int] = (),
    options: SessionOptions | None = None,
) -> list[Event]:
    """All events of a session that gets `samples`, cut into chunks at `cuts` (bytes)."""
    session = new_session(recognizer, options)
    data, events, start = samples.tobytes(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        session.receive_audio(data[start:cut])
        events += pump(session, recognizer)
        start = cut
    session.end()
    events += pump(session, recognizer)
    assert session.done
    return events


def transcript(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed))


def closed(
    recognizer: Recognizer, samples: Samples, options: SessionOptions, silence: float
) -> tuple[float, str]:
    """How long after `samples` the utterance was final, in seconds of `silence`, and its text."""
    session = new_session(recognizer, options)
    sound = np.concatenate([samples, np.zeros(round(silence * RATE), np.float32)])
    events: list[Event] = []
    for start in range(0, len(sound), 512):
        session.receive_audio(sound[start : start + 512].tobytes())
        events += pump(session, recognizer)
        if any(isinstance(event, Committed) and event.final for event in events):
            return session.audio_seconds - len(samples) / RATE, transcript(events)
    raise AssertionError(f"the utterance did not end: {transcript(events)!r}")
