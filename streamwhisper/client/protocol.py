"""Client side of the native protocol, across reconnections; sans-I/O.

Audio and commands go in through `send` and `command`, and come out as frames through `take`. Frames
from the server go into `receive`. After a lost connection, `opening` returns the first frame of the
next one, and `opened` reads the answer.
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
"""Events that a stream yields; an `ErrorMessage` among them is not fatal."""

_ROUNDING = 0.05  # seconds by which a server that resamples may count differently
_CONTAINER_RATE = 64_000  # bytes per second: far more than compressed speech needs


class ClientProtocol:
    """Protocol state of one client session.

    Attributes:
        ready: the server's answer to the last start or resume.
        last_seq: sequence number of the newest message from the server.
    """

    def __init__(self, start: Start, options: Reconnection) -> None:
        """Begin a session that `start` opens."""
        self.ready: Ready | None = None
        self.last_seq = 0
        self._start = start
        self._ended = False
        self._continuity = Continuity()
        self._frame_bytes = ENCODINGS.get(start.encoding, 0) * max(1, start.channels)
        rate = self._frame_bytes * max(1, start.sample_rate)
        self._replay = ReplayBuffer(
            round(options.max_unacknowledged * rate) if rate else None,
            round(options.max_replay * (rate or _CONTAINER_RATE)),
        )

    @property
    def full(self) -> bool:
        """True if the server has to acknowledge audio before more is sent."""
        return self._replay.full

    def send(self, audio: bytes) -> None:
        """Queue audio."""
        self._replay.write(audio)

    def command(self, command: Command) -> None:
        """Queue a command."""
        if isinstance(command, VocabularyMessage):  # also for a session on another server
            self._start = replace(self._start, vocabulary=command.words)
        self._ended = self._ended or isinstance(command, End)
        self._replay.add(command)

    def take(self) -> str | bytes | None:
        """Return the next frame to send; None when nothing is queued."""
        item = self._replay.take()
        return item if item is None or isinstance(item, bytes) else encode_client_message(item)

    def opening(self) -> str:
        """Return the first frame of a connection, which starts or resumes the session."""
        # Words are always requested: they separate repeated text from new text.
        start = replace(self._start, words=True)
        if self.ready is not None:
            start = replace(start, resume=self.ready.resume_token, last_seq=self.last_seq)
        return encode_client_message(start)

    def opened(self, frame: str) -> None:
        """Read the server's answer to the opening.

        Raises:
            ServerError: the server rejects the session.
            ProtocolError: the answer is not valid in this protocol.
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
        self._replay.resume(message.bytes, message.messages)
        self.last_seq = max(self.last_seq, seq)

    def outlives(self, done: Done) -> bool:
        """Return whether something is left that the server, which is done, has not received."""
        if not self._ended or self._replay.unsent:
            return True
        end = self._replay.end / max(1, self._frame_bytes) / self._start.sample_rate
        return self._frame_bytes > 0 and end > done.audio_seconds + _ROUNDING

    def start_again(self) -> None:
        """Make the next opening start a new session, because the server lost this one.

        Raises:
            ConnectionLostError: the session cannot be continued.
        """
        if not self._frame_bytes:
            raise ConnectionLostError(
                "the server was stopped or has lost the session, and a container cannot be "
                "continued from its middle by another server. Committed text stays valid; open "
                "another session for the rest, or send raw audio (e.g. pcm_s16le)."
            )
        position = self._replay.restart()
        self._continuity.begin_again(position / self._frame_bytes / self._start.sample_rate)
        self.ready, self.last_seq = None, 0
        self._start = replace(self._start, continued=True)

    def receive(self, frame: str) -> list[StreamEvent]:
        """Return the new events in a frame from the server; none is returned twice.

        Raises:
            ServerError: the frame is a fatal error.
            ProtocolError: the frame is not valid in this protocol.
        """
        seq, message = parse_server_message(frame)
        if isinstance(message, ErrorMessage) and message.fatal:
            raise _server_error(message)
        if seq <= self.last_seq:
            return []
        self.last_seq = seq
        return self._events_of(message)

    def _events_of(self, message: ServerMessage) -> list[StreamEvent]:
        replay, began = self._replay, self._replay.begin
        match message:
            case Ready() | Watching():
                raise ProtocolError(
                    "out_of_place", f"received {type(message).__name__} in the middle of a session"
                )
            case Ack(samples, count):
                count = count or samples * self._frame_bytes
                replay.acknowledge(count)
                if not self._frame_bytes:
                    replay.release(count)
                    return [message]
                return [Ack(samples + began // self._frame_bytes, count + began)]
            case Status(lag_ms, _, audio_seconds):
                self._continuity.pass_silence(audio_seconds, lag_ms / 1000)
                self._release()
                seconds = began / self._frame_bytes / self._start.sample_rate if began else 0.0
                return [replace(message, audio_seconds=audio_seconds + seconds)]
            case Pong(id):
                replay.answer(Ping(id))
                return [message]
            case ErrorMessage(code):
                if code == "too_many_flushes":
                    replay.refuse_flush()
                return [message]
        if isinstance(message, Flushed):
            replay.answer(Flush(message.id))
        events = [self._without_words(event) for event in self._continuity.receive(message)]
        self._release()
        return list(events)

    def _release(self) -> None:
        if self._frame_bytes:
            samples = int(self._continuity.released * self._start.sample_rate)
            self._replay.release(samples * self._frame_bytes)

    def _without_words(self, event: Event) -> Event:
        if not self._start.words and isinstance(event, Committed | Partial):
            return replace(event, words=())
        return event


def _server_error(message: ErrorMessage) -> ServerError:
    return ServerError(
        message.code, message.message, fatal=message.fatal, retry_after=message.retry_after
    )
