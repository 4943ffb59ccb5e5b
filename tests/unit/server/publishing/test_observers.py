"""Every session of a server is observed, whatever its dialect."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper.events import Done, Event
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.dialect import NORMAL, Close
from streamwhisper.server.dialects.wyoming.dialect import WyomingDialect
from streamwhisper.server.dialects.wyoming.events import encode_event
from streamwhisper.server.publishing.observers import ObservedSession
from streamwhisper.server.sessions import admission
from streamwhisper.server.websocket.routes import ROUTES, Handshake
from streamwhisper.session.listener import Decoder
from streamwhisper.session.options import SessionOptions

INFO = ModelInfo("tiny.en", 80, multilingual=False)
SERVER = Path(admission.__file__).parents[1]
QUERY = {"encoding": ["linear16"], "sample_rate": ["16000"], "intent": ["transcription"]}
SECOND = bytes(2 * 16000)
FIRST_FRAMES = {"/v1/stream": ['{"type": "start"}']}


@dataclass
class Observer:
    """Keeps what it receives."""

    seconds: float = 0.0
    events: list[Event] = field(default_factory=list)
    closed: int = 0

    def on_audio(self, samples: np.ndarray) -> None:
        self.seconds += len(samples) / 16000

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


class Factory:
    """Opens sessions, and remembers them and their observers."""

    def __init__(self) -> None:
        self.sessions: list[ObservedSession] = []
        self.observers: list[Observer] = []

    def __call__(
        self, name: str, start: Start, decoder: Decoder, options: SessionOptions
    ) -> ObservedSession:
        self.observers.append(Observer())
        self.sessions.append(ObservedSession(INFO, decoder, options, self.observers[-1]))
        return self.sessions[-1]


def drive(dialect: Any, session: ObservedSession) -> None:
    while (request := session.next_request()) is not None:
        raise AssertionError(f"silence needs no recognition: {request}")
    dialect.outgoing()


@pytest.mark.parametrize(("path", "channels"), [*((path, 1) for path in ROUTES), ("/v1/listen", 2)])
def test_every_dialect_reports_audio_events_and_the_end_to_observers(
    path: str, channels: int
) -> None:
    route, factory, query = ROUTES[path], Factory(), dict(QUERY)
    if channels == 2:
        query |= {"channels": ["2"], "multichannel": ["true"]}
    route.check(query, INFO)
    assert route.slots(query) == channels
    dialect = route.open_dialect(
        Handshake(INFO, SessionOptions(), "id", "name", query, factory, lambda code: None)
    )
    for frame in FIRST_FRAMES.get(path, []):
        dialect.receive(frame)
    assert list(dialect.sessions) == factory.sessions
    assert len(factory.sessions) == channels
    dialect.receive(SECOND * channels)
    seconds = 2 / 3 if path == "/v1/realtime" else 1.0  # 24 kHz unless the client says otherwise
    dialect.finish(None, Close(NORMAL))
    for session in factory.sessions:
        drive(dialect, session)
    assert dialect.closing is not None
    dialect.release()
    for observer in factory.observers:
        assert observer.seconds == pytest.approx(seconds, abs=0.01)
        assert isinstance(observer.events[-1], Done)
        assert observer.closed == 1


def test_wyoming_reports_audio_events_and_the_end_to_observers() -> None:
    factory = Factory()
    dialect = WyomingDialect(INFO, SessionOptions(), Limits(), lambda: "name", factory)
    fields = {"rate": 16000, "width": 2, "channels": 1}
    dialect.receive(encode_event("audio-start", fields).encode())
    (session,) = factory.sessions
    assert dialect.session is session
    head = f'{{"type": "audio-chunk", "data_length": 0, "payload_length": {len(SECOND)}}}\n'
    dialect.receive(head.encode() + SECOND)
    dialect.receive(encode_event("audio-stop", {}).encode())
    drive(dialect, session)
    (observer,) = factory.observers
    assert observer.seconds == 1.0
    assert isinstance(observer.events[-1], Done)
    assert observer.closed == 1


def calls_of_session_classes() -> Iterator[str]:
    for file in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in ("Session", "ObservedSession"):
                    yield file.relative_to(SERVER).as_posix()


def test_only_the_admission_control_creates_sessions() -> None:
    assert list(calls_of_session_classes()) == ["sessions/admission.py"]
