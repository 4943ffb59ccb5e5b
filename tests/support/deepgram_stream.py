"""A Deepgram stream driven in step, without a socket, and what its client makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.recognition import Recognizer
from streamwhisper.server.dialects.deepgram.flux import FluxDialect
from streamwhisper.server.dialects.deepgram.flux_query import read_flux
from streamwhisper.server.dialects.deepgram.listen import ListenDialect
from streamwhisper.server.dialects.deepgram.messages import StreamMetadata
from streamwhisper.server.dialects.deepgram.query import read_query
from streamwhisper.session.options import SessionOptions
from tests.support.decoding import decoding
from tests.support.scripted import OPTIONS, RATE, ScriptedRecognizer, script
from tests.support.sessions import session_factory

RAW = {"encoding": ["linear16"], "sample_rate": ["16000"]}
ID = "7c0e9d3c-9a0b-4b55-9b3e-6b3d1f0f6a11"
CLOSE = '{"type": "CloseStream"}'
FINALIZE = '{"type": "Finalize"}'

Message = dict[str, Any]


class Talk:
    """One client's stream."""

    def __init__(
        self,
        recognizer: Recognizer | None = None,
        options: SessionOptions = OPTIONS,
        query: dict[str, list[str]] | None = None,
        **more: str,
    ) -> None:
        self.errors: list[str] = []
        asked = {**(RAW if query is None else query), **{name: [v] for name, v in more.items()}}
        self.recognizer = recognizer or ScriptedRecognizer(script())
        self.dialect = self.begin(asked, options)

    def begin(self, asked: dict[str, list[str]], options: SessionOptions) -> Any:
        return ListenDialect(
            StreamMetadata(ID, self.recognizer.info.name, datetime(2026, 1, 2, tzinfo=UTC)),
            self.recognizer.info,
            options,
            read_query(asked),
            session_id="session-1",
            open_session=session_factory(self.recognizer.info),
            on_error=self.errors.append,
        )

    def say(self, *frames: str | bytes) -> list[Message]:
        """Hand frames in, do all that comes of them, and read what is sent back."""
        said = []
        for frame in frames:
            self.dialect.receive(frame)
            for _ in decoding(self.dialect):
                self.listen()
            self.listen()
            said += self.heard()
        return said

    def stream(self, sound: bytes, chunk: int = 3200) -> list[Message]:
        """Sound in pieces."""
        return self.say(*(sound[at : at + chunk] for at in range(0, len(sound), chunk)))

    def listen(self) -> None:
        for session in self.dialect.sessions:
            while (request := session.next_request()) is not None:
                session.receive_hypothesis(self.recognizer.recognize([request])[0])

    def heard(self) -> list[Message]:
        return [json.loads(frame) for frame in self.dialect.outgoing()]


class FluxTalk(Talk):
    """Likewise, with turns."""

    def begin(self, asked: dict[str, list[str]], options: SessionOptions) -> Any:
        return FluxDialect(
            StreamMetadata(ID, self.recognizer.info.name, datetime(2026, 1, 2, tzinfo=UTC)),
            self.recognizer.info,
            options,
            read_flux(asked),
            session_id="session-1",
            open_session=session_factory(self.recognizer.info),
            on_error=self.errors.append,
        )


def results(said: Sequence[Message], channel: int = 0) -> list[Message]:
    return [m for m in said if m["type"] == "Results" and m["channel_index"][0] == channel]


def finals(said: Sequence[Message], channel: int = 0) -> list[Message]:
    return [result for result in results(said, channel) if result["is_final"]]


def text_of(result: Message) -> str:
    (alternative,) = result["channel"]["alternatives"]
    return str(alternative["transcript"])


def words_of(result: Message) -> list[Message]:
    (alternative,) = result["channel"]["alternatives"]
    return list(alternative["words"])


def transcript(said: Sequence[Message], channel: int = 0) -> str:
    """As Deepgram's clients put it together."""
    return " ".join(text for result in finals(said, channel) if (text := text_of(result)))


SCRIPT = script()
SOUND = SCRIPT.pcm[: 2 * RATE * 20]
TEXT = "".join(
    event.text
    for event in listen(ScriptedRecognizer(SCRIPT), [SCRIPT.sound[: RATE * 20]], OPTIONS)
    if isinstance(event, Committed)
)
