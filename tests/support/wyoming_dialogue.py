"""Wyoming conversations without a socket."""

from __future__ import annotations

from typing import Any

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.dialects.wyoming.dialect import WyomingDialect
from streamwhisper.server.dialects.wyoming.events import EventReader, WyomingEvent, encode_event
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script
from tests.support.sessions import session_factory

FORMAT = {"rate": 16000, "width": 2, "channels": 1}
SECONDS = 20.0
Answer = tuple[str, dict[str, Any]]


def event(kind: str, payload: bytes = b"", **data: Any) -> bytes:
    head = encode_event(kind, data)
    if payload:
        head = head.replace("{", f'{{"payload_length": {len(payload)}, ', 1)
    return head.encode() + payload


def chunks(pcm: bytes, size: int = 6400, **format: int) -> list[bytes]:
    form = {**FORMAT, **format}
    return [event("audio-chunk", pcm[at : at + size], **form) for at in range(0, len(pcm), size)]


class Conversation:
    """One connection, driven in step."""

    def __init__(self, info: ModelInfo | None = None, **more: Any) -> None:
        self.recognizer = ScriptedRecognizer(script(SECONDS))
        self.errors: list[str] = []
        self.dialect = WyomingDialect(
            info or self.recognizer.info,
            OPTIONS,
            Limits(),
            lambda: "session-1",
            session_factory(info or self.recognizer.info),
            on_error=self.errors.append,
            **more,
        )

    def say(self, *frames: bytes) -> list[Answer]:
        """Hand frames in, do all that comes of them, and read what is sent back."""
        answers = []
        for frame in frames:
            self.dialect.receive(frame)
            answers += self.listen()
        return answers

    def listen(self) -> list[Answer]:
        answers: list[Answer] = []
        while True:
            session = self.dialect.session
            while session is not None and (request := session.next_request()) is not None:
                session.receive_hypothesis(self.recognizer.recognize([request])[0])
                answers += self.heard()
            answers += (new := self.heard())
            if not new:
                return answers

    def heard(self) -> list[Answer]:
        reader = EventReader(1 << 20, 0)
        reader.feed("".join(self.dialect.outgoing()).encode())
        found = []
        while isinstance(item := reader.next(), WyomingEvent):
            found.append((item.type, dict(item.data)))
        return found


def utterance(**transcribe: Any) -> list[bytes]:
    start = event("audio-start", **FORMAT)
    return [event("transcribe", **transcribe), start, *chunks(script(SECONDS).pcm)]


def kinds(answers: list[Answer]) -> list[str]:
    return [kind for kind, _ in answers]


def only(answers: list[Answer], kind: str) -> dict[str, Any]:
    (found,) = [data for name, data in answers if name == kind]
    return found


def joined(answers: list[Answer]) -> str:
    return "".join(data["text"] for kind, data in answers if kind == "transcript-chunk")
