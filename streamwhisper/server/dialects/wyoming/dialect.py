"""Server side of the Wyoming protocol, without I/O.

Utterances follow each other, each in a session of its own: ``transcribe`` (optional),
``audio-start``, ``audio-chunk``s, ``audio-stop``. Text is sent as it is committed, and the whole
transcript at the end. Unknown events are ignored. A client error ends the utterance: the transcript
is sent, then the error, and the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError
from streamwhisper.events import Committed, Done, SpeechStarted
from streamwhisper.protocol import ErrorMessage, Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, Close, OnError
from streamwhisper.server.dialects.wyoming.events import EventReader, WyomingEvent, encode_event
from streamwhisper.server.dialects.wyoming.requests import (
    FIELDS,
    PROGRAM,
    Transcription,
    audio_format,
    describe,
    read_fields,
)
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.session.options import SessionOptions
from streamwhisper.typography import without_leading_stops

__all__ = ["MAX_TEXT", "SILENCE_SECONDS", "WyomingDialect"]

MAX_TEXT = 256 * 1024
"""Maximum length of a transcript in characters (hours of speech); it is kept until its end."""

SILENCE_SECONDS = 15.0
"""Seconds of silence after which the server ends a command, as long as Home Assistant waits."""

_MAX_UNSENT = 64 * 1024  # characters


class WyomingDialect:
    """Dialect of one connection; see `Dialect`. It has a session during an utterance.

    Attributes:
        events: number of received events.
    """

    def __init__(
        self,
        info: ModelInfo,
        options: SessionOptions,
        limits: Limits,
        new_name: Callable[[], str],
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
        *,
        endpointing: bool = False,
    ) -> None:
        """Wait for an event.

        Args:
            info: the served model.
            options: default options of the sessions.
            limits: maximum sizes of events.
            new_name: returns a name for each session, for the log.
            open_session: opens a session.
            on_error: called with the code of every error that is sent.
            endpointing: whether the server ends commands by default.
        """
        self._info = info
        # The protocol has no partial text, and partials would pile up.
        self._transcription = self._defaults = Transcription(
            replace(options, partials=False), endpointing=endpointing
        )
        self._new_name = new_name
        self._open_session = open_session
        self._on_error = on_error
        self._reader = EventReader(limits.max_text_bytes, limits.max_message_bytes)
        self._in_chunk = False  # the next payload is audio
        self._discarding = False  # after the transcript, until audio-stop
        self._format: AudioFormat | None = None
        self._session: ObservedSession | None = None
        self._name = ""
        self._ending = False  # until the transcript is sent
        self._last: tuple[ErrorMessage | None, Close] | None = None  # at the end of this utterance
        self._closing: Close | None = None
        self._text = ""
        self._sent = 0  # characters of it
        self._transcript_started = False
        self._language: str | None = None
        self._open_utterances = 0  # begun and not completely committed
        self._unsent: list[str] = []
        self._unsent_size = 0  # characters
        self.events = 0

    @property
    def name(self) -> str:
        """Name of the current or the last session in the log."""
        return self._name

    @property
    def session(self) -> ObservedSession | None:
        """The current session; None between two utterances."""
        return self._session

    @property
    def can_receive(self) -> bool:
        """False while received data must wait."""
        if self._closing is not None:
            return True
        room = self._session is None or self._session.can_receive
        return room and not self._blocked

    @property
    def closing(self) -> Close | None:
        """Close frame to send after the outgoing events; None while the connection is open."""
        return self._closing

    def receive(self, frame: bytes) -> None:
        """Handle received bytes; errors are reported to the client."""
        self._reader.feed(frame)
        self._read_events()

    def retire(self, error: ErrorMessage | None, close: Close) -> None:
        """Accept no other utterance; at the end of this one, send `error` and close."""
        if self._last is None and self._closing is None:
            self._last = error, close
            if self._session is None:
                self._close()

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Accept no more audio; send the transcript and `error`, and close."""
        self.retire(error, close)
        self._end()

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        if self._closing is None:
            self._send_chunk()
            self._last = error, close
            self._close()

    def outgoing(self) -> list[str]:
        """Return the events to send; each is returned once.

        Text that was committed since the last call is one chunk, so slow clients get fewer events.
        """
        self.collect()
        self._send_chunk()
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        self._read_events()
        return unsent

    def collect(self) -> None:
        """Process the session's events; at its end, the next utterance may begin."""
        session = self._session
        if session is None or self._closing is not None:
            return
        over = False
        for event in session.events():
            match event:
                case Committed(text=text, language=language, final=final):
                    self._text += text if self._text else without_leading_stops(text)
                    self._language = language or self._language
                    self._open_utterances -= final
                    over = final and bool(self._text) and self._transcription.endpointing
                case SpeechStarted():
                    self._open_utterances += 1
                case Done():
                    over = True
            if over:
                break
        if over or self._timed_out(session):
            self._discarding = not self._ending
            self._send_transcript()
            self._read_events()
            return
        if len(self._text) > MAX_TEXT:
            self._reject(
                "transcript_too_long",
                f"the transcript has {len(self._text)} characters; expected at most {MAX_TEXT}. "
                'Send "audio-stop" at the end of each command.',
            )

    def release(self) -> None:
        """Close the session, if any."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _timed_out(self, session: ObservedSession) -> bool:
        """Return whether the server ends the command because there was no speech."""
        silent = session.covered_seconds > SILENCE_SECONDS and not self._open_utterances
        return silent and self._transcription.endpointing and not self._text

    # Incoming events.

    @property
    def _blocked(self) -> bool:
        """True while events must wait: for a transcript, or for answers to be sent."""
        return self._ending or self._unsent_size > _MAX_UNSENT

    def _read_events(self) -> None:
        try:
            while self._closing is None and not self._blocked:
                match self._reader.next():
                    case None:
                        return
                    case bytes() as audio:
                        if self._in_chunk and self._session is not None:
                            self._session.receive_audio(audio)
                    case WyomingEvent() as event:
                        self.events += 1
                        self._in_chunk = False
                        if event.type in FIELDS:
                            self._handle(event)
        except (ProtocolError, AudioFormatError) as error:
            self._reject(getattr(error, "code", "audio_format"), str(error))
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)

    def _handle(self, event: WyomingEvent) -> None:
        match event.type:
            case "describe":
                defaults = self._defaults
                data = describe(
                    self._info, defaults.options.language, endpointing=defaults.endpointing
                )
                self._send("info", data)
            case "select-program":
                self._select(read_fields(event)["name"])
            case "transcribe":
                self._require_idle(event)
                self._transcription = Transcription.read(event, self._info, self._defaults)
            case "audio-start":
                self._require_idle(event)
                self._discarding = False
                self._start(audio_format(event))
            case "audio-chunk":
                self._in_chunk = not self._discarding
                if self._in_chunk:
                    self._start_or_continue(audio_format(event))
            case "audio-stop":
                self._stop()
            case "ping":
                self._send("pong", read_fields(event))

    def _require_idle(self, event: WyomingEvent) -> None:
        if self._session is not None:
            raise ProtocolError(
                "out_of_order",
                f'"{event.type}" came during a stream; send "audio-stop" first.',
            )

    def _select(self, name: str | None) -> None:
        if name != PROGRAM:
            raise ProtocolError(
                "unknown_program", f'unknown program "{name}"; expected "{PROGRAM}".'
            )

    def _start(self, format: AudioFormat | None) -> None:
        options = self._transcription.options
        language = options.language_code
        start = Start(language=language, vocabulary=options.vocabulary)
        self._format = format or AudioFormat()
        self._name = self._new_name()
        decoder = AudioDecoder(self._format)
        self._session = self._open_session(self._name, start, decoder, options)
        self._text, self._sent, self._transcript_started = "", 0, False
        self._language, self._open_utterances = language, 0

    def _start_or_continue(self, format: AudioFormat | None) -> None:
        if self._session is None:
            self._start(format)
        elif format is not None and format != self._format:
            raise ProtocolError(
                "audio_format",
                f"received an audio-chunk of {format} in a stream of {self._format}; send "
                '"audio-stop" and begin another stream.',
            )

    def _stop(self) -> None:
        if self._session is not None:
            self._end()
        elif not self._discarding:  # without audio, the client expects a transcript, too
            self._start(None)
            self._end()
        self._discarding = False

    # Outgoing events.

    def _end(self) -> None:
        if self._session is not None and not self._ending:
            self._ending = True
            try:
                self._session.end()
            except AudioFormatError as error:
                self.retire(
                    ErrorMessage("audio_format", str(error), fatal=True),
                    Close(CLIENT_FAULT, "audio_format"),
                )

    def _send_transcript(self) -> None:
        """Send the transcript and close the session."""
        self._send_chunk()
        self._start_transcript()
        self._send("transcript", {"text": self._text, **self._about()})
        self._send("transcript-stop", {})
        self.release()
        self._ending = self._transcript_started = False
        self._text, self._sent = "", 0
        if self._last is not None:
            self._close()

    def _send_chunk(self) -> None:
        if self._sent < len(self._text) and self._closing is None:
            self._start_transcript()
            self._send("transcript-chunk", {"text": self._text[self._sent :]})
            self._sent = len(self._text)

    def _start_transcript(self) -> None:
        if not self._transcript_started:
            self._transcript_started = True
            self._send("transcript-start", self._about())

    def _about(self) -> dict[str, Any]:
        about = {"language": self._language, "context": self._transcription.context}
        return {name: value for name, value in about.items() if value is not None}

    def _reject(self, code: str, message: str) -> None:
        self.finish(ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code))

    def _close(self) -> None:
        assert self._last is not None
        error, self._closing = self._last
        if error is not None:
            self._on_error(error.code)
            self._send("error", {"text": error.message, "code": error.code})

    def _send(self, type: str, data: Mapping[str, Any]) -> None:
        event = encode_event(type, data)
        self._unsent.append(event)
        self._unsent_size += len(event)
