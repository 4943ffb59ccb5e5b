"""Deepgram's live transcription, as it is spoken at ``/v1/listen``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.errors import ProtocolError
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialect import NORMAL, Close, OnError
from streamwhisper.server.dialects.deepgram import messages
from streamwhisper.server.dialects.deepgram.channel import Channel
from streamwhisper.server.dialects.deepgram.commands import (
    CloseStream,
    Configure,
    Finalize,
    KeepAlive,
    read_command,
)
from streamwhisper.server.dialects.deepgram.dialect import DeepgramDialect
from streamwhisper.server.dialects.deepgram.formatting import FEATURES
from streamwhisper.server.dialects.deepgram.messages import Message, StreamMetadata
from streamwhisper.server.dialects.deepgram.query import ListenOptions
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.server.publishing.observers import SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["PATIENCE", "ListenDialect"]

PATIENCE = 10.0
"""Seconds without any message after which a stream is over."""

_MAX_FINALIZES = 64  # that wait to be answered


class ListenDialect(DeepgramDialect[Channel]):
    """Text in spans that are told again until they stand; see `Channel`."""

    def __init__(
        self,
        stream: StreamMetadata,
        info: ModelInfo,
        options: SessionOptions,
        wanted: ListenOptions,
        *,
        session_id: str,
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
    ) -> None:
        """Begin to listen.

        Args:
            stream: what every message says.
            info: the model that is served.
            options: of the sessions, save what the client may choose.
            wanted: what the client has chosen.
            session_id: names the session in the log; where there are several, with their numbers.
            open_session: opens the sessions.
            on_error: told of every error that is sent.
        """
        super().__init__(wanted.sound, on_error)
        self._stream = stream
        self._wanted = wanted
        options = replace(
            wanted.turns.applied(options),
            language=options.language if wanted.language is None else wanted.language,
            vocabulary=wanted.vocabulary or options.vocabulary,
        )
        self._listen(
            options,
            session_id,
            open_session,
            lambda place, session: Channel(stream, place, session, wanted.turns, wanted.wording),
        )

    def _obey(self, text: str) -> None:
        try:
            command = read_command(text)
        except ValueError as error:
            self._complain("SchemaError", str(error), text[:200])
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

    def _finalize(self, number: int | None) -> None:
        if self._ending is not None:
            return  # all of it is on its way
        chosen = self.listeners if number is None else self.listeners[number : number + 1]
        if not chosen or (number is not None and number < 0):
            self._complain(
                "SchemaError",
                f"channel is {number}; expected 0 to {len(self.listeners) - 1}, or no channel",
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
        for channel in self.listeners:
            channel.wording = channel.wording.turned(command.features)
            if command.keyterms is not None:
                channel.session.set_vocabulary(command.keyterms)
        self._put(messages.configured(self._stream, command.keyterms))

    def _error(self, code: str, description: str, message: str) -> Message:
        return messages.error(code, description, message)

    def _farewell(self) -> Sequence[Message]:
        seconds = self._sound.seconds
        if seconds is None:
            seconds = max((s.audio_seconds for s in self.sessions), default=0.0)
        channels = self._wanted.sound.channels
        return [messages.metadata(self._stream, self._hash.hexdigest(), seconds, channels)]
