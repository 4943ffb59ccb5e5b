"""What Deepgram's protocols have in common on the server's side, without sockets and clocks.

A connection listens from its first moment on. Mistakes of a client that leave its sound as it is
are answered, and the stream goes on.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from streamwhisper.errors import AudioFormatError
from streamwhisper.protocol import ErrorMessage, Start
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, SERVER_FAULT, Close, OnError
from streamwhisper.server.dialects.deepgram.audio import StreamAudio, StreamAudioOptions
from streamwhisper.server.dialects.deepgram.messages import Message, Place, encode
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["ChannelListener", "DeepgramDialect"]

_CLOSES = {
    "audio_format": Close(CLIENT_FAULT, "DATA-0000"),
    "idle_timeout": Close(SERVER_FAULT, "NET-0001"),
}
"""By the code of the error; others keep their close."""


class ChannelListener(Protocol):
    """What listens to one channel, and says what it hears."""

    @property
    def session(self) -> ObservedSession:
        """The session that does."""
        ...

    @property
    def done(self) -> bool:
        """Whether all is said."""
        ...

    def collect(self) -> Iterator[Message]:
        """What there is to say since the last call."""
        ...

    def release(self) -> None:
        """Nobody listens any more."""
        ...


L = TypeVar("L", bound=ChannelListener)


class DeepgramDialect(ABC, Generic[L]):
    """One connection; see `Dialect`.

    Attributes:
        listeners: one, or one for each channel.
    """

    resumable = None  # the protocol cannot resume a session

    def __init__(self, sound: StreamAudioOptions, on_error: OnError) -> None:
        """Await sound of this kind; `on_error` is told of every error that is sent."""
        self.listeners: list[L] = []
        self._sound = StreamAudio(sound)
        self._hash = hashlib.sha256()
        self._on_error = on_error
        self._said: list[Message] = []
        self._closing: Close | None = None
        self._ending: tuple[ErrorMessage | None, Close] | None = None
        self._told_after_end = False

    def _listen(
        self,
        options: SessionOptions,
        session_id: str,
        open_session: SessionFactory,
        begin: Callable[[Place, ObservedSession], L],
    ) -> None:
        """Begin to listen.

        Args:
            options: of the sessions.
            session_id: names the session in the log; where there are several, with their numbers.
            open_session: opens the sessions.
            begin: makes a listener.
        """
        language = options.language if isinstance(options.language, str) else None
        start = Start(language=language, vocabulary=options.vocabulary)
        count = len(self._sound.decoders)
        try:
            for number, decoder in enumerate(self._sound.decoders):
                name = session_id if count == 1 else f"{session_id}-{number}"
                session = open_session(name, start, decoder, options)
                self.listeners.append(begin((number, count), session))
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)

    @abstractmethod
    def _obey(self, text: str) -> None:
        """Take in a text frame."""

    @abstractmethod
    def _error(self, code: str, description: str, message: str) -> Message:
        """What says that something went wrong.

        Args:
            code: short name for programs.
            description: what was seen, what was expected and what to try.
            message: the client's own, where that was wrong; else the description once more.
        """

    def _warning(self, code: str, description: str, message: str) -> Message:
        """Likewise, where the stream goes on."""
        return self._error(code, description, message)

    @abstractmethod
    def _farewell(self) -> Sequence[Message]:
        """What is said when a stream has ended in order."""

    @property
    def sessions(self) -> Sequence[ObservedSession]:
        """What listens: one session, or one for each channel."""
        return [listener.session for listener in self.listeners]

    @property
    def can_receive(self) -> bool:
        """Whether audio can be taken in; audio that will be refused need not wait."""
        return self._ending is not None or all(s.can_receive for s in self.sessions)

    @property
    def closing(self) -> Close | None:
        """Once set: send what is outgoing, then close."""
        return self._closing

    def receive(self, frame: str | bytes) -> None:
        """Take in a text or a binary frame; bad input is answered."""
        if self._closing is not None:
            return
        if isinstance(frame, bytes):
            self._receive_audio(frame)
        else:
            self._obey(frame)

    def record_wait(self, seconds: float) -> None:
        """Nobody asks for it."""

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Commit everything, then send `error` or the farewell, and close."""
        if self._ending is not None or self._closing is not None:
            return
        self._ending = error, close
        cut = close.code == GOING_AWAY
        ends: list[Callable[[], None]] = [self._feed_rest]
        ends += [partial(session.end, cut=cut) for session in self.sessions]
        for end in ends:
            try:
                end()
            except AudioFormatError as bad_end:
                if error is None:
                    self._complain("DATA-0000", str(bad_end))

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        self._collect()  # what has happened before comes first
        if self._closing is None:
            self._give_up(error, close)

    def outgoing(self) -> list[str]:
        """The text frames to be sent; each is returned once."""
        self._collect()
        said, self._said = self._said, []
        return [encode(message) for message in said]

    def release(self) -> None:
        """Close the sessions and what decodes their audio."""
        self._collect()
        for listener in self.listeners:
            listener.release()
        self.listeners = []
        self._sound.close()

    def _receive_audio(self, data: bytes) -> None:
        if self._ending is not None:
            error, _ = self._ending
            if error is None and not self._told_after_end:
                self._told_after_end = True
                self._complain(
                    "AudioAfterEnd",
                    f"{len(data)} bytes of audio came after the stream's end and are not heard, "
                    "nor are those that follow; open another connection to go on.",
                )
            return
        try:
            self._feed(self._sound.split(data))
        except AudioFormatError as error:
            fault = ErrorMessage("audio_format", str(error), fatal=True)
            self.finish(fault, Close(CLIENT_FAULT, fault.code))
        else:
            self._hash.update(data)

    def _feed(self, parts: Sequence[bytes]) -> None:
        for session, part in zip(self.sessions, parts, strict=True):
            session.receive_audio(part)

    def _feed_rest(self) -> None:
        if rest := self._sound.finish():
            self._feed(rest)

    def _complain(self, code: str, description: str, message: str | None = None) -> None:
        """Answer a mistake that leaves the stream as it is."""
        self._on_error(code)
        self._put(self._warning(code, description, message or description))

    def _put(self, message: Message) -> None:
        self._collect()  # what has happened before comes first
        self._said.append(message)

    def _give_up(self, error: ErrorMessage, close: Close) -> None:
        self._closing = close = _CLOSES.get(error.code, close)
        self._on_error(error.code)
        self._said.append(self._error(close.reason, error.message, error.message))

    def _collect(self) -> None:
        if self._closing is not None:
            return
        for listener in self.listeners:
            self._said += listener.collect()
        if self._ending is not None and all(listener.done for listener in self.listeners):
            error, close = self._ending
            if error is not None:
                self._give_up(error, close)
            else:
                self._said += self._farewell()
                self._closing = close
