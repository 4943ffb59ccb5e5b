"""Wyoming's dialogue on the server's side: events to calls on sessions, their events to answers.

One utterance after the other, each a session of its own: ``transcribe`` (which may be missing),
``audio-start``, ``audio-chunk``s, ``audio-stop``; text comes as it is committed, and the whole of
it at the end. Events that nobody knows are left out, as the protocol wants it. A mistake ends the
utterance: what was heard is told, then the error, and the connection is over.
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

__all__ = ["MAX_TEXT", "SILENCE_SECONDS", "WyomingDialect"]

MAX_TEXT = 256 * 1024
"""Characters of one transcript: hours of speech. It must be kept until its end."""

SILENCE_SECONDS = 15.0
"""After which a command whose end is the server's to say is over without a word. Home Assistant
waits as long."""

_MAX_UNSENT = 64 * 1024  # characters


class WyomingDialect:
    """One connection's side of a conversation, as `Dialect` is; it has a session while it hears.

    Attributes:
        events: how many have come.
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
            info: the model that is served.
            options: of sessions, save what the client may choose.
            limits: of the size of events.
            new_name: a name for each session, for the log.
            open_session: opens the sessions.
            on_error: told of every error that is sent.
            endpointing: whether the server says when a command is over.
        """
        self._info = info
        # Nobody reads partials, and many would pile up where nobody reads at all.
        self._transcription = self._usual = Transcription(
            replace(options, partials=False), endpointing=endpointing
        )
        self._new_name = new_name
        self._open_session = open_session
        self._on_error = on_error
        self._reader = EventReader(limits.max_text_bytes, limits.max_message_bytes)
        self._in_chunk = False  # the payload that comes is sound
        self._deaf = False  # what was to be heard is told: the sound up to its stop is left out
        self._format: AudioFormat | None = None
        self._session: ObservedSession | None = None
        self._name = ""
        self._ending = False  # no sound is taken in until the transcript is told
        self._last: tuple[ErrorMessage | None, Close] | None = None  # after this utterance
        self._closing: Close | None = None
        self._text = ""
        self._told = 0  # characters of it, in chunks
        self._telling = False  # the transcript has begun
        self._language: str | None = None
        self._open = 0  # utterances that have begun and are not committed whole
        self._unsent: list[str] = []
        self._unsent_size = 0  # characters
        self.events = 0

    @property
    def name(self) -> str:
        """What the present session is called in the log, or the last one."""
        return self._name

    @property
    def session(self) -> ObservedSession | None:
        """What listens; None between two utterances."""
        return self._session

    @property
    def can_receive(self) -> bool:
        """Whether more can be taken in; while it is False, what comes must wait."""
        if self._closing is not None:
            return True
        room = self._session is None or self._session.can_receive
        return room and not self._waits

    @property
    def closing(self) -> Close | None:
        """Once set: send what is outgoing, then close."""
        return self._closing

    def receive(self, frame: bytes) -> None:
        """Take in bytes of the wire; bad ones are answered."""
        self._reader.feed(frame)
        self._proceed()

    def retire(self, error: ErrorMessage | None, close: Close) -> None:
        """Take no other utterance; at the end of this one, send `error` and close."""
        if self._last is None and self._closing is None:
            self._last = error, close
            if self._session is None:
                self._leave()

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Take no more sound, tell what was heard; then send `error`, and close."""
        self.retire(error, close)
        self._end()

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        if self._closing is None:
            self._tell_chunk()
            self._last = error, close
            self._leave()

    def outgoing(self) -> list[str]:
        """The events to be sent; each is returned once.

        All text that was committed since the last call is one chunk: whoever asks seldom, for its
        client does not read, has no more to send.
        """
        self.collect()
        self._tell_chunk()
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        self._proceed()
        return unsent

    def collect(self) -> None:
        """Take in what the session says; at its end the next utterance may begin."""
        session = self._session
        if session is None or self._closing is not None:
            return
        over = False
        for event in session.events():
            match event:
                case Committed(text=text, language=language, final=final):
                    self._text += text if self._text else text.lstrip()
                    self._language = language or self._language
                    self._open -= final
                    over = final and bool(self._text) and self._transcription.endpointing
                case SpeechStarted():
                    self._open += 1
                case Done():
                    over = True
            if over:
                break
        if over or self._nobody_speaks(session):
            self._deaf = not self._ending
            self._conclude()
            self._proceed()
            return
        if len(self._text) > MAX_TEXT:
            self._reject(
                "transcript_too_long",
                f"a transcript of {len(self._text)} characters; the most is {MAX_TEXT}. Send "
                '"audio-stop" at the end of each command.',
            )

    def release(self) -> None:
        """Close the session, if there is one."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _nobody_speaks(self, session: ObservedSession) -> bool:
        """Whether a command whose end is the server's to say has not begun for too long."""
        waited = session.covered_seconds > SILENCE_SECONDS and not self._open
        return waited and self._transcription.endpointing and not self._text

    # What comes in.

    @property
    def _waits(self) -> bool:
        """Whether what has come has to wait: for a transcript, or for answers to be sent."""
        return self._ending or self._unsent_size > _MAX_UNSENT

    def _proceed(self) -> None:
        try:
            while self._closing is None and not self._waits:
                match self._reader.next():
                    case None:
                        return
                    case bytes() as sound:
                        if self._in_chunk and self._session is not None:
                            self._session.receive_audio(sound)
                    case WyomingEvent() as event:
                        self.events += 1
                        self._in_chunk = False
                        if event.type in FIELDS:
                            self._listen(event)
        except (ProtocolError, AudioFormatError) as error:
            self._reject(getattr(error, "code", "audio_format"), str(error))
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)

    def _listen(self, event: WyomingEvent) -> None:
        match event.type:
            case "describe":
                usual = self._usual
                known = describe(self._info, usual.options.language, endpointing=usual.endpointing)
                self._say("info", known)
            case "select-program":
                self._select(read_fields(event)["name"])
            case "transcribe":
                self._between(event)
                self._transcription = Transcription.read(event, self._info, self._usual)
            case "audio-start":
                self._between(event)
                self._deaf = False
                self._start(audio_format(event))
            case "audio-chunk":
                self._in_chunk = not self._deaf
                if self._in_chunk:
                    self._start_or_go_on(audio_format(event))
            case "audio-stop":
                self._stop()
            case "ping":
                self._say("pong", read_fields(event))

    def _between(self, event: WyomingEvent) -> None:
        if self._session is not None:
            raise ProtocolError(
                "out_of_order",
                f'"{event.type}" came while sound is being heard; send "audio-stop" first.',
            )

    def _select(self, name: str | None) -> None:
        if name != PROGRAM:
            raise ProtocolError(
                "unknown_program", f'there is no program "{name}" here; this one is "{PROGRAM}".'
            )

    def _start(self, format: AudioFormat | None) -> None:
        options = self._transcription.options
        language = options.language if isinstance(options.language, str) else None
        start = Start(language=language, vocabulary=options.vocabulary)
        self._format = format or AudioFormat()
        self._name = self._new_name()
        decoder = AudioDecoder(self._format)
        self._session = self._open_session(self._name, start, decoder, options)
        self._text, self._told, self._telling = "", 0, False
        self._language, self._open = language, 0

    def _start_or_go_on(self, format: AudioFormat | None) -> None:
        if self._session is None:
            self._start(format)
        elif format is not None and format != self._format:
            raise ProtocolError(
                "audio_format",
                f"an audio-chunk of {format} in a stream that began as {self._format}; send "
                '"audio-stop" and begin another stream for it.',
            )

    def _stop(self) -> None:
        if self._session is not None:
            self._end()
        elif not self._deaf:  # of no sound at all the transcript is awaited as well
            self._start(None)
            self._end()
        self._deaf = False

    # What goes out.

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

    def _conclude(self) -> None:
        """Tell the transcript; the session is over."""
        self._tell_chunk()
        self._begin_telling()
        self._say("transcript", {"text": self._text, **self._about()})
        self._say("transcript-stop", {})
        self.release()
        self._ending = self._telling = False
        self._text, self._told = "", 0
        if self._last is not None:
            self._leave()

    def _tell_chunk(self) -> None:
        if self._told < len(self._text) and self._closing is None:
            self._begin_telling()
            self._say("transcript-chunk", {"text": self._text[self._told :]})
            self._told = len(self._text)

    def _begin_telling(self) -> None:
        if not self._telling:
            self._telling = True
            self._say("transcript-start", self._about())

    def _about(self) -> dict[str, Any]:
        about = {"language": self._language, "context": self._transcription.context}
        return {name: value for name, value in about.items() if value is not None}

    def _reject(self, code: str, message: str) -> None:
        self.finish(ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code))

    def _leave(self) -> None:
        assert self._last is not None
        error, self._closing = self._last
        if error is not None:
            self._on_error(error.code)
            self._say("error", {"text": error.message, "code": error.code})

    def _say(self, type: str, data: Mapping[str, Any]) -> None:
        event = encode_event(type, data)
        self._unsent.append(event)
        self._unsent_size += len(event)
