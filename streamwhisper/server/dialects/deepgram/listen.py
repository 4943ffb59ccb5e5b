"""Deepgram's live transcription (``/v1/listen``)."""

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
"""Seconds without a message after which a stream is closed."""

_MAX_FINALIZES = 64  # unanswered


class ListenDialect(DeepgramDialect[Channel]):
    """Dialect of live transcription: spans, each repeated until it is final; see `Channel`."""

    def __init__(
        self,
        stream: StreamMetadata,
        info: ModelInfo,
        options: SessionOptions,
        requested: ListenOptions,
        *,
        session_id: str,
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
    ) -> None:
        """Open the sessions.

        Args:
            stream: fields of every message.
            info: the served model.
            options: default options of the sessions.
            requested: options of the query.
            session_id: identifier of the session in the log; several sessions append their numbers.
            open_session: opens a session.
            on_error: called with the code of every error that is sent.
        """
        super().__init__(requested.audio, on_error)
        self._stream = stream
        self._requested = requested
        options = replace(
            requested.turns.applied(options),
            language=options.language if requested.language is None else requested.language,
            vocabulary=requested.vocabulary or options.vocabulary,
        )
        self._open_sessions(
            options,
            session_id,
            open_session,
            lambda place, session: Channel(
                stream, place, session, requested.turns, requested.formatting
            ),
        )

    def _receive_text(self, text: str) -> None:
        try:
            command = read_command(text)
        except ValueError as error:
            self._warn("SchemaError", str(error), text[:200])
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
            return  # the end commits everything
        chosen = self.listeners if number is None else self.listeners[number : number + 1]
        if not chosen or (number is not None and number < 0):
            self._warn(
                "SchemaError",
                f"channel is {number}; expected 0 to {len(self.listeners) - 1}, or no channel",
            )
            return
        for channel in chosen:
            if channel.finalizing < _MAX_FINALIZES:
                channel.finalize()
            else:
                self._warn(
                    "TooManyFinalizes",
                    f"{channel.finalizing} Finalize messages are unanswered; this one was "
                    "ignored. Wait for their results.",
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
            self._send(messages.not_configured(self._stream, code, wrong))
            return
        for channel in self.listeners:
            channel.formatting = channel.formatting.turned(command.features)
            if command.keyterms is not None:
                channel.session.set_vocabulary(command.keyterms)
        self._send(messages.configured(self._stream, command.keyterms))

    def _error(self, code: str, description: str, message: str) -> Message:
        return messages.error(code, description, message)

    def _last_messages(self) -> Sequence[Message]:
        seconds = self._audio.seconds
        if seconds is None:
            seconds = max((s.audio_seconds for s in self.sessions), default=0.0)
        channels = self._requested.audio.channels
        return [messages.metadata(self._stream, self._hash.hexdigest(), seconds, channels)]
