"""Common server side of Deepgram's protocols, without I/O.

Transcription starts with the connection. A client error that does not affect the audio is reported
and the stream continues.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from streamwhisper.audio.steps import StepDecoder
from streamwhisper.errors import AudioFormatError
from streamwhisper.protocol import ErrorMessage, Start
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, SERVER_FAULT, Close, OnError
from streamwhisper.server.dialects.container_input import ContainerInput
from streamwhisper.server.dialects.deepgram.audio import StreamAudio, StreamAudioOptions
from streamwhisper.server.dialects.deepgram.messages import Message, Place, encode
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["ChannelListener", "DeepgramDialect"]

_CLOSES = {
    "audio_format": Close(CLIENT_FAULT, "DATA-0000"),
    "idle_timeout": Close(SERVER_FAULT, "NET-0001"),
}
"""Close frames by error code; other errors keep their own."""


class ChannelListener(Protocol):
    """Session of one channel, and its messages."""

    @property
    def session(self) -> ObservedSession:
        """The session of the channel."""
        ...

    @property
    def done(self) -> bool:
        """True when all messages were returned."""
        ...

    def collect(self) -> Iterator[Message]:
        """Yield the messages since the last call."""
        ...

    def release(self) -> None:
        """Close the session."""
        ...


L = TypeVar("L", bound=ChannelListener)


class DeepgramDialect(ABC, Generic[L]):
    """Base class of Deepgram's dialects; see `Dialect`.

    Attributes:
        listeners: one for each channel, or one for all.
    """

    resumable = None  # the protocol cannot resume a session

    def __init__(self, audio: StreamAudioOptions, on_error: OnError) -> None:
        """Wait for audio; `on_error` is called with the code of every error that is sent."""
        self.listeners: list[L] = []
        self._audio = StreamAudio(audio)
        self._container: ContainerInput | None = None  # for audio that is not raw
        if self._audio.container is not None:
            self._container = ContainerInput(
                self._audio.container,
                on_audio=self._feed,
                on_error=self._reject_audio,
                on_end=self._end_sessions,
            )
        self._hash = hashlib.sha256()
        self._on_error = on_error
        self._unsent: list[Message] = []
        self._closing: Close | None = None
        self._ending: tuple[ErrorMessage | None, Close] | None = None
        self._warned_after_end = False

    def _open_sessions(
        self,
        options: SessionOptions,
        session_id: str,
        open_session: SessionFactory,
        begin: Callable[[Place, ObservedSession], L],
    ) -> None:
        """Open a session for each channel.

        Args:
            options: options of the sessions.
            session_id: identifier of the session in the log; several sessions append their numbers.
            open_session: opens a session.
            begin: creates a listener.
        """
        language = options.language_code
        start = Start(language=language, vocabulary=options.vocabulary)
        count = len(self._audio.decoders)
        try:
            for number, decoder in enumerate(self._audio.decoders):
                name = session_id if count == 1 else f"{session_id}-{number}"
                session = open_session(name, start, decoder, options)
                self.listeners.append(begin((number, count), session))
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)

    @abstractmethod
    def _receive_text(self, text: str) -> None:
        """Handle a text frame."""

    @abstractmethod
    def _error(self, code: str, description: str, message: str) -> Message:
        """Return an error message.

        Args:
            code: identifier for programs.
            description: what was received, what was expected and what to try.
            message: the invalid text of the client, or otherwise the description.
        """

    def _warning(self, code: str, description: str, message: str) -> Message:
        """Return a message for an error after which the stream continues."""
        return self._error(code, description, message)

    @abstractmethod
    def _last_messages(self) -> Sequence[Message]:
        """Return the messages at the regular end of a stream."""

    @property
    def sessions(self) -> Sequence[ObservedSession]:
        """Sessions of the connection: one for each channel, or one for all."""
        return [listener.session for listener in self.listeners]

    @property
    def can_receive(self) -> bool:
        """False while audio must wait; after the end, audio is discarded and need not wait."""
        if self._ending is not None and self.backlog is None:
            return True
        return all(s.can_receive for s in self.sessions)

    @property
    def backlog(self) -> StepDecoder | None:
        """Decoder of a container whose audio is not taken yet."""
        return None if self._container is None else self._container.backlog

    @property
    def closing(self) -> Close | None:
        """Close frame to send after the outgoing frames; None while the connection is open."""
        return self._closing

    def receive(self, frame: str | bytes) -> None:
        """Handle a frame; errors are reported to the client."""
        if self._closing is not None:
            return
        if isinstance(frame, bytes):
            self._receive_audio(frame)
        else:
            self._receive_text(frame)

    def record_wait(self, seconds: float) -> None:
        """Ignore the recognizer's delay; the protocol does not report it."""

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Commit all text, send `error` or the last messages, and close."""
        if self._ending is not None or self._closing is not None:
            return
        self._ending = error, close
        if self._container is None:
            self._end_sessions()
        else:
            self._container.finish(error)

    def advance(self) -> None:
        """Pass the next step of a container's audio to the sessions."""
        if self._container is not None:
            self._container.advance()

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        self._collect()  # earlier events go first
        if self._closing is None:
            self._close_with(error, close)

    def outgoing(self) -> list[str]:
        """Return the text frames to send; each is returned once."""
        self._collect()
        unsent, self._unsent = self._unsent, []
        return [encode(message) for message in unsent]

    def release(self) -> None:
        """Close the sessions and the decoder."""
        self._collect()
        for listener in self.listeners:
            listener.release()
        self.listeners = []
        if self._container is not None:
            self._container.close()

    def _receive_audio(self, data: bytes) -> None:
        if self._ending is not None:
            error, _ = self._ending
            if error is None and not self._warned_after_end:
                self._warned_after_end = True
                self._warn(
                    "AudioAfterEnd",
                    f"{len(data)} bytes of audio came after the end of the stream; this and "
                    "later audio is discarded. Open another connection to continue.",
                )
            return
        try:
            (self._container.give if self._container else self._feed)(data)
        except AudioFormatError as error:
            self._reject_audio(str(error))
            return
        self._hash.update(data)

    def _feed(self, data: bytes) -> None:
        for session, part in zip(self.sessions, self._audio.split(data), strict=True):
            session.receive_audio(part)

    def _reject_audio(self, message: str) -> None:
        """End the stream because of audio that cannot be decoded; after its end, report it."""
        if self._ending is None:
            fault = ErrorMessage("audio_format", message, fatal=True)
            self.finish(fault, Close(CLIENT_FAULT, fault.code))
        elif self._ending[0] is None:
            self._warn("DATA-0000", message)

    def _end_sessions(self) -> None:
        assert self._ending is not None
        cut = self._ending[1].code == GOING_AWAY
        ends: list[Callable[[], None]] = [self._audio.finish]
        ends += [partial(session.end, cut=cut) for session in self.sessions]
        for end in ends:
            try:
                end()
            except AudioFormatError as bad_end:
                self._reject_audio(str(bad_end))

    def _warn(self, code: str, description: str, message: str | None = None) -> None:
        """Report an error after which the stream continues."""
        self._on_error(code)
        self._send(self._warning(code, description, message or description))

    def _send(self, message: Message) -> None:
        self._collect()  # earlier events go first
        self._unsent.append(message)

    def _close_with(self, error: ErrorMessage, close: Close) -> None:
        self._closing = close = _CLOSES.get(error.code, close)
        self._on_error(error.code)
        self._unsent.append(self._error(close.reason, error.message, error.message))

    def _collect(self) -> None:
        if self._closing is not None:
            return
        for listener in self.listeners:
            self._unsent += listener.collect()
        if self._ending is not None and all(listener.done for listener in self.listeners):
            error, close = self._ending
            if error is not None:
                self._close_with(error, close)
            else:
                self._unsent += self._last_messages()
                self._closing = close
