"""Native protocol conversations without a socket."""

from __future__ import annotations

from typing import Any

from streamwhisper.protocol import ServerMessage, Start, encode_client_message, parse_server_message
from streamwhisper.recognition import ModelInfo, Recognizer
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.session.options import SessionOptions
from tests.support.decoding import decoding
from tests.support.sessions import session_factory

ENGLISH = ModelInfo("tiny.en", 80, multilingual=False)
START = '{"type": "start"}'
END = '{"type": "end"}'
SECOND = bytes(2 * 16000)  # of silence


class Conversation:
    """One connection's dialect, driven in step, without a socket."""

    def __init__(self, info: ModelInfo = ENGLISH, recognizer: Recognizer | None = None) -> None:
        self.dialect = NativeDialect(info, SessionOptions(), "session-1", session_factory(info))
        self.recognizer = recognizer
        self.seq = 0

    def say(self, *frames: str | bytes) -> list[ServerMessage]:
        """Hand frames in, do all that comes of them, and read what is sent back."""
        for frame in frames:
            self.dialect.receive(frame)
            for _ in decoding(self.dialect):
                self.listen()
            self.listen()
        return self.heard()

    def listen(self) -> None:
        session = self.dialect.session
        while session is not None and (request := session.next_request()) is not None:
            assert self.recognizer is not None
            session.receive_hypothesis(self.recognizer.recognize([request])[0])

    def heard(self) -> list[ServerMessage]:
        messages = []
        for text in self.dialect.outgoing():
            seq, message = parse_server_message(text)
            self.seq += 1
            assert seq == self.seq
            messages.append(message)
        return messages


def start(**fields: Any) -> str:
    return encode_client_message(Start(**fields))
