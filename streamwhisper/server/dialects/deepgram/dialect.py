"""Deepgram's live transcription on the server's side, without sockets and clocks.

A connection listens from its first moment on. Mistakes of a client that leave its sound as it is
are answered, and the stream goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from streamwhisper.errors import AudioFormatError, ProtocolError
from streamwhisper.protocol import ErrorMessage, Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects import (
    CLIENT_FAULT,
    GOING_AWAY,
    NORMAL,
    SERVER_FAULT,
    Close,
    OnError,
)
from streamwhisper.server.dialects.deepgram import messages
from streamwhisper.server.dialects.deepgram.channel import Channel
from streamwhisper.server.dialects.deepgram.commands import (
    CloseStream,
    Configure,
    Finalize,
    KeepAlive,
    read_command,
)
from streamwhisper.server.dialects.deepgram.messages import Message, Stream
from streamwhisper.server.dialects.deepgram.query import ListenOptions
from streamwhisper.server.dialects.deepgram.sound import Sound
from streamwhisper.server.dialects.deepgram.wording import FEATURES
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.server.dialects.witness import Admit, Overheard, Refused, Witnesses
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["PATIENCE", "DeepgramDialect"]

PATIENCE = 10.0
"""Seconds without any message after which a stream is over."""

_MAX_FINALIZES = 64  # that wait to be answered
_CLOSES = {
    "audio_format": Close(CLIENT_FAULT, "DATA-0000"),
    "idle_timeout": Close(SERVER_FAULT, "NET-0001"),
}
"""By the code of the error; others keep their close."""


class DeepgramDialect:
    """One connection that speaks Deepgram's protocol; see `Dialect`."""

    def __init__(
        self,
        stream: Stream,
        info: ModelInfo,
        options: SessionOptions,
        wanted: ListenOptions,
        *,
        session_id: str = "",
        admit: Admit = lambda *_: Witnesses(),
        on_error: OnError = lambda code: None,
    ) -> None:
        """Begin to listen.

        Args:
            stream: what every message says.
            info: the model that is served.
            options: of the sessions, save what the client may choose.
            wanted: what the client has chosen.
            session_id: names the session in the log; where there are several, with their numbers.
            admit: whether and with which witness a session may start.
            on_error: told of every error that is sent.
        """
        self._stream = stream
        self._wanted = wanted
        self._on_error = on_error
        self._sound = Sound(wanted.sound)
        self._hash = hashlib.sha256()
        self._channels: list[Channel] = []
        self._said: list[Message] = []
        self._closing: Close | None = None
        self._ending: tuple[ErrorMessage | None, Close] | None = None
        self._told_after_end = False
        options = replace(
            wanted.turns.applied(options),
            language=options.language if wanted.language is None else wanted.language,
            vocabulary=wanted.vocabulary or options.vocabulary,
        )
        language = options.language if isinstance(options.language, str) else None
        count = len(self._sound.decoders)
        try:
            for number, decoder in enumerate(self._sound.decoders):
                name = session_id if count == 1 else f"{session_id}-{number}"
                witness = admit(name, Start(language=language, vocabulary=options.vocabulary))
                session = Session(info, Overheard(decoder, witness), options)
                place = number, count
                self._channels.append(
                    Channel(stream, place, session, witness, wanted.turns, wanted.wording)
                )
        except Refused as refused:
            self.fail(refused.error, refused.close)

    @property
    def sessions(self) -> Sequence[Session]:
        """What listens: one session, or one for each channel."""
        return [channel.session for channel in self._channels]

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
            return
        try:
            command = read_command(frame)
        except ValueError as error:
            self._complain("SchemaError", str(error), frame[:200])
            return
        match command:
            case KeepAlive():
                pass
            case Finalize(channel):
                self._finalize(channel)
            case CloseStream():
                self.finish(None, Close(NORMAL))
            case Configure():
                self._configure(command)

    def record_wait(self, seconds: float) -> None:
        """Nobody asks for it."""

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Commit everything, then send `error` or the metadata, and close."""
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
        return [messages.encode(message) for message in said]

    def release(self) -> None:
        """Let go of the sessions, their witnesses, and what decodes their sound."""
        self._collect()
        for channel in self._channels:
            channel.release()
        self._channels = []
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

    def _finalize(self, number: int | None) -> None:
        if self._ending is not None:
            return  # all of it is on its way
        chosen = self._channels if number is None else self._channels[number : number + 1]
        if not chosen or (number is not None and number < 0):
            self._complain(
                "SchemaError",
                f"channel is {number}; expected 0 to {len(self._channels) - 1}, or no channel",
            )
            return
        for channel in chosen:
            if channel.finalizing < _MAX_FINALIZES:
                channel.finalize()
            else:
                self._complain(
                    "TooManyFinalizes",
                    f"{channel.finalizing} wait to be answered already, so this one is left out; "
                    "wait for their results.",
                )

    def _configure(self, command: Configure) -> None:
        wrong, code = command.wrong, "INVALID_CONFIGURE_MESSAGE"
        unknown = [name for name in command.features if name not in FEATURES]
        if unknown:
            wrong = f"unknown features {', '.join(unknown)[:100]}; expected {', '.join(FEATURES)}"
        try:
            check_vocabulary(command.keyterms or ())
        except ProtocolError as error:
            wrong, code = str(error), "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"
        if wrong:
            self._on_error(code)
            self._put(messages.not_configured(self._stream, code, wrong))
            return
        for channel in self._channels:
            channel.wording = channel.wording.turned(command.features)
            if command.keyterms is not None:
                channel.session.set_vocabulary(command.keyterms)
        self._put(messages.configured(self._stream, command.keyterms))

    def _complain(self, variant: str, description: str, message: str | None = None) -> None:
        """Answer a mistake that leaves the stream as it is."""
        self._on_error(variant)
        self._put(messages.error(variant, description, message or description))

    def _put(self, message: Message) -> None:
        self._collect()  # what has happened before comes first
        self._said.append(message)

    def _give_up(self, error: ErrorMessage, close: Close) -> None:
        close = _CLOSES.get(error.code, close)
        self._on_error(error.code)
        self._said.append(messages.error(close.reason, error.message, error.message))
        self._closing = close

    def _collect(self) -> None:
        if self._closing is not None:
            return
        for channel in self._channels:
            self._said += channel.collect()
        if self._ending is not None and all(channel.done for channel in self._channels):
            error, close = self._ending
            if error is not None:
                self._give_up(error, close)
            else:
                self._said.append(self._metadata())
                self._closing = close

    def _metadata(self) -> Message:
        seconds = self._sound.seconds
        if seconds is None:
            seconds = max((s.audio_seconds for s in self.sessions), default=0.0)
        channels = self._wanted.sound.channels
        return messages.metadata(self._stream, self._hash.hexdigest(), seconds, channels)
