"""A client's side of the native protocol, over all connections it takes; without sockets.

What is to be sent goes in by `send` and `say` and comes out by `take`; what a server said goes in
by `hear`. When the connection is lost, `opening` says how to begin the next one, and `opened` reads
the answer.
"""

from __future__ import annotations

from dataclasses import replace

from streamwhisper.audio.formats import ENCODINGS
from streamwhisper.client.continuity import Continuity
from streamwhisper.client.reconnection import Reconnection
from streamwhisper.client.replay_buffer import Command, ReplayBuffer
from streamwhisper.errors import ConnectionLostError, ProtocolError, ServerError
from streamwhisper.events import Committed, Done, Event, Flushed, Partial
from streamwhisper.protocol import (
    Ack,
    End,
    ErrorMessage,
    Flush,
    Ping,
    Pong,
    Ready,
    ServerMessage,
    Start,
    Status,
    VocabularyMessage,
    Watching,
    encode_client_message,
    parse_server_message,
)

__all__ = ["ClientProtocol", "StreamEvent"]

StreamEvent = Event | Ack | Status | Pong | ErrorMessage
"""What a stream yields; an `ErrorMessage` here is not fatal."""

_ROUNDING = 0.05  # seconds by which a server may count otherwise, for it resamples
_CONTAINER_RATE = 64_000  # bytes a second: far more than speech takes in any compressed format


class ClientProtocol:
    """What a client and a server have said to each other.

    Attributes:
        ready: what the server said when the session was opened or resumed last.
        last_seq: the number of the newest message from it.
    """

    def __init__(self, start: Start, options: Reconnection) -> None:
        """Begin a conversation that `start` opens."""
        self.ready: Ready | None = None
        self.last_seq = 0
        self._start = start
        self._ended = False
        self._events = Continuity()
        self._frame_bytes = ENCODINGS.get(start.encoding, 0) * max(1, start.channels)
        rate = self._frame_bytes * max(1, start.sample_rate)
        self._journal = ReplayBuffer(
            round(options.max_unacknowledged * rate) if rate else None,
            round(options.max_replay * (rate or _CONTAINER_RATE)),
        )

    @property
    def full(self) -> bool:
        """Whether the server has to acknowledge audio before more is sent."""
        return self._journal.full

    def send(self, audio: bytes) -> None:
        """Audio that is to be sent."""
        self._journal.write(audio)

    def say(self, command: Command) -> None:
        """A command that is to be sent."""
        if isinstance(command, VocabularyMessage):  # of another session, if it comes to that
            self._start = replace(self._start, vocabulary=command.words)
        self._ended = self._ended or isinstance(command, End)
        self._journal.say(command)

    def take(self) -> str | bytes | None:
        """The frame that is to be sent next; None if that was all."""
        item = self._journal.take()
        return item if item is None or isinstance(item, bytes) else encode_client_message(item)

    def opening(self) -> str:
        """The first frame of a connection: it starts the session, or resumes it."""
        # Words are always asked for: they tell what was said before from what is new.
        start = replace(self._start, words=True)
        if self.ready is not None:
            start = replace(start, resume=self.ready.resume_token, last_seq=self.last_seq)
        return encode_client_message(start)

    def opened(self, frame: str) -> None:
        """Read the server's answer to the opening.

        Raises:
            ServerError: it does not take the session.
            ProtocolError: it does not speak this protocol, or contradicts itself.
        """
        seq, message = parse_server_message(frame)
        if isinstance(message, ErrorMessage):
            raise _server_error(message)
        if not isinstance(message, Ready):
            raise ProtocolError(
                "no_ready",
                f"the server answered the start with {type(message).__name__}; expected Ready. "
                "Is it a streamwhisper server?",
            )
        self.ready = message
        self._journal.resume(message.bytes, message.messages)
        self.last_seq = max(self.last_seq, seq)

    def outlives(self, done: Done) -> bool:
        """Whether there is more to say than what the server has heard, which is done."""
        if not self._ended or self._journal.unsent:
            return True
        end = self._journal.end / max(1, self._frame_bytes) / self._start.sample_rate
        return self._frame_bytes > 0 and end > done.audio_seconds + _ROUNDING

    def start_again(self) -> None:
        """The server has lost the session: the next opening starts another one.

        Raises:
            ConnectionLostError: it cannot be continued there.
        """
        if not self._frame_bytes:
            raise ConnectionLostError(
                "the server was stopped or has lost the session, and a container cannot be "
                "continued from its middle by another one. What is committed stays; open another "
                "session for the rest, or send raw audio, such as pcm_s16le, which can be."
            )
        position = self._journal.restart()
        self._events.begin_again(position / self._frame_bytes / self._start.sample_rate)
        self.ready, self.last_seq = None, 0
        self._start = replace(self._start, continued=True)

    def hear(self, frame: str) -> list[StreamEvent]:
        """What is to be told because of a frame from the server; nothing is told twice.

        Raises:
            ServerError: a fatal error.
            ProtocolError: it is not this protocol.
        """
        seq, message = parse_server_message(frame)
        if isinstance(message, ErrorMessage) and message.fatal:
            raise _server_error(message)
        if seq <= self.last_seq:
            return []
        self.last_seq = seq
        return self._told(message)

    def _told(self, message: ServerMessage) -> list[StreamEvent]:
        journal, began = self._journal, self._journal.begin
        match message:
            case Ready() | Watching():
                raise ProtocolError(
                    "out_of_place", f"{type(message).__name__} came in the middle of a session"
                )
            case Ack(samples, count):
                count = count or samples * self._frame_bytes
                journal.acknowledge(count)
                if not self._frame_bytes:
                    journal.settle(count)
                    return [message]
                return [Ack(samples + began // self._frame_bytes, count + began)]
            case Status(lag_ms, _, audio_seconds):
                self._events.rest(audio_seconds, lag_ms / 1000)
                self._settle()
                seconds = began / self._frame_bytes / self._start.sample_rate if began else 0.0
                return [replace(message, audio_seconds=audio_seconds + seconds)]
            case Pong(id):
                journal.answer(Ping(id))
                return [message]
            case ErrorMessage(code):
                if code == "too_many_flushes":
                    journal.refuse_flush()
                return [message]
        if isinstance(message, Flushed):
            journal.answer(Flush(message.id))
        events = [self._dressed(event) for event in self._events.hear(message)]
        self._settle()
        return list(events)

    def _settle(self) -> None:
        if self._frame_bytes:
            samples = int(self._events.settled * self._start.sample_rate)
            self._journal.settle(samples * self._frame_bytes)

    def _dressed(self, event: Event) -> Event:
        if not self._start.words and isinstance(event, Committed | Partial):
            return replace(event, words=())
        return event


def _server_error(said: ErrorMessage) -> ServerError:
    return ServerError(said.code, said.message, fatal=said.fatal, retry_after=said.retry_after)
