"""One connection of the Realtime dialect, driven in step, without a socket."""

from __future__ import annotations

import base64
import json
from typing import Any

from streamwhisper.recognition import ModelInfo, Recognizer
from streamwhisper.server.dialects.openai_realtime.client_events import unwrap_audio
from streamwhisper.server.dialects.openai_realtime.dialect import RealtimeDialect
from streamwhisper.session.options import SessionOptions
from tests.support.sessions import session_factory

Event = dict[str, Any]

TRANSCRIPTION = "conversation.item.input_audio_transcription"
COMMIT = {"type": "input_audio_buffer.commit"}
CLEAR = {"type": "input_audio_buffer.clear"}
ENGLISH = ModelInfo("tiny.en", 80, multilingual=False)


def append(sound: bytes) -> Event:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(sound).decode()}


def update(**settings: Any) -> Event:
    """A `session.update` of what stands under ``audio.input``."""
    return {
        "type": "session.update",
        "session": {"type": "transcription", "audio": {"input": settings}},
    }


def pcm(rate: int) -> Event:
    return {"type": "audio/pcm", "rate": rate}


class Talk:
    """What a client sends and is told; everything that can be done is done at once."""

    def __init__(
        self,
        recognizer: Recognizer | None = None,
        options: SessionOptions | None = None,
        **how: Any,
    ) -> None:
        info = ENGLISH if recognizer is None else recognizer.info
        self.recognizer = recognizer
        how = {"open_session": session_factory(info), **how}
        self.dialect = RealtimeDialect(info, options or SessionOptions(), "s1", **how)
        self.events: list[Event] = []

    def send(self, *events: Event | str | bytes) -> list[Event]:
        """Hand events in, do all that comes of them, and read what is sent back."""
        heard = self.heard()
        for event in events:
            frame = json.dumps(event) if isinstance(event, dict) else event
            self.dialect.receive(unwrap_audio(frame))
            self.listen()
            heard += self.heard()
        return heard

    def listen(self, most: int | None = None) -> None:
        """Have the session's requests answered, up to so many."""
        sessions = self.dialect.sessions
        session = sessions[0] if sessions else None
        while session is not None and most != 0:
            request = session.next_request()
            if request is None:
                return
            assert self.recognizer is not None
            session.receive_hypothesis(self.recognizer.recognize([request])[0])
            most = None if most is None else most - 1

    def heard(self) -> list[Event]:
        events = [json.loads(frame) for frame in self.dialect.outgoing()]
        self.events += events
        return events


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def of(events: list[Event], type: str) -> list[Event]:
    return [event for event in events if event["type"] == type]


def completed(events: list[Event]) -> list[Event]:
    return of(events, f"{TRANSCRIPTION}.completed")


def check(events: list[Event]) -> None:
    """What holds for every stream of events."""
    ids = [event["event_id"] for event in events]
    assert len(ids) == len(set(ids))
    previous, texts, committed, done = None, {}, [], {}
    for event in events:
        item = event.get("item_id")
        if event["type"] == "input_audio_buffer.committed":
            assert event["previous_item_id"] == previous
            assert item not in committed
            previous = item
            committed.append(item)
        elif event["type"].startswith("conversation.item.added"):
            assert event["item"]["id"] == previous
        elif event["type"] == f"{TRANSCRIPTION}.delta":
            assert event["delta"]
            assert item not in done
            texts[item] = texts.get(item, "") + event["delta"]
        elif event["type"] == f"{TRANSCRIPTION}.completed":
            assert item in committed
            assert item not in done
            done[item] = event["transcript"]
            assert event["transcript"] == texts.get(item, "")
            assert event["usage"]["type"] == "duration"
            assert event["usage"]["seconds"] >= 0
