"""Server side of the native protocol, without I/O.

An error before the start is fatal. After the start, errors are reported and the session continues.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.formats import AudioDecoder
from streamwhisper.errors import AudioFormatError, ProtocolError
from streamwhisper.events import Committed, Done, Event, Flushed, Partial
from streamwhisper.protocol import (
    End,
    ErrorMessage,
    Flush,
    Ping,
    Pong,
    Ready,
    ServerMessage,
    Start,
    VocabularyMessage,
    parse_client_message,
)
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, Close, OnError
from streamwhisper.server.dialects.outbox import Outbox
from streamwhisper.server.dialects.progress import ProgressReporter
from streamwhisper.server.dialects.start import check_start, check_vocabulary, decoder_for
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["NativeDialect"]

_MAX_FLUSHES = 64
_CONTAINER_RATE = SAMPLE_RATE  # a container's own rate is not known at the start
_TAKEN_OVER = ErrorMessage(
    "taken_over",
    "another connection has resumed this session with its token; open a new session if that "
    "was not you.",
    fatal=True,
)


class NativeDialect:
    """Dialect of one native session, version 1; see `Dialect` and `Resumable`."""

    def __init__(
        self,
        info: ModelInfo,
        options: SessionOptions,
        session_id: str,
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
    ) -> None:
        """Wait for a start.

        Args:
            info: the served model.
            options: default options of the session.
            session_id: identifier of the session for the client and in the log.
            open_session: opens a session.
            on_error: called with the code of every error that is sent.
        """
        self._info = info
        self._options = options
        self._session_id = session_id
        self._open_session = open_session
        self._token = secrets.token_urlsafe(32)
        self._claim: Start | None = None
        self._start = Start()
        self._session: ObservedSession | None = None
        self._decoder: AudioDecoder | ContainerDecoder | None = None
        self._closing: Close | None = None
        self._ending: tuple[ErrorMessage | None, Close] | None = None
        self._warned_after_end = False
        self._flushes = 0  # unanswered
        self._on_error = on_error
        self._outbox = Outbox()
        self._bytes = 0
        self._messages = 0  # text frames since the start
        self._progress = ProgressReporter()

    @property
    def session(self) -> ObservedSession | None:
        """The session; None until the client has started it."""
        return self._session

    @property
    def sessions(self) -> tuple[ObservedSession, ...]:
        """The session, if started, as `Dialect` declares it."""
        return () if self._session is None else (self._session,)

    @property
    def can_receive(self) -> bool:
        """False while audio must wait; after the end, audio is discarded and need not wait."""
        return self._session is None or self._ending is not None or self._session.can_receive

    @property
    def closing(self) -> Close | None:
        """Close frame to send after the outgoing frames; None while the connection is open."""
        return self._closing

    def receive(self, frame: str | bytes) -> None:
        """Handle a frame; errors are reported to the client."""
        if self._closing is not None:
            return
        self._report()
        if isinstance(frame, bytes):
            self._receive_audio(frame)
            return
        self._messages += self._session is not None
        try:
            match parse_client_message(frame):
                case Start() as start:
                    self._open(start)
                case Ping(id):
                    self._send(Pong(id))
                case Flush(id):
                    self._flush(id)
                case VocabularyMessage(words):
                    check_vocabulary(words)
                    self._active_session("vocabulary").set_vocabulary(words)
                case End():
                    self._active_session("end")
                    self.finish(None, Close(NORMAL))
        except ProtocolError as error:
            self._reject(error.code, str(error))
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)

    def record_wait(self, seconds: float) -> None:
        """Add seconds that the session has waited for the recognizer."""
        self._progress.record_wait(seconds)

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Commit all text, send `error` or done, and close."""
        if self._ending is not None or self._closing is not None:
            return
        self._ending = error, close
        if self._session is None:
            if error is not None:
                self._send(error)
            self._closing = close
            return
        try:
            self._session.end(cut=close.code == GOING_AWAY)
        except AudioFormatError as bad_end:
            if error is None:
                self._send(ErrorMessage("audio_format", str(bad_end), fatal=False))

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        if self._closing is None:
            self._send(error)
            self._closing = close

    def outgoing(self) -> list[str]:
        """Return the text frames to send; each is returned once."""
        self._report()
        self._collect_events()
        return self._outbox.take()

    def release(self) -> None:
        """Close the session and the decoder."""
        self._collect_events()
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    # Resumption.

    @property
    def resumable(self) -> NativeDialect:
        """This dialect: its session can move to another connection."""
        return self

    @property
    def name(self) -> str:
        """Identifier of the session in the log."""
        return self._session_id

    @property
    def token(self) -> str:
        """Secret of the session's client."""
        return self._token

    @property
    def claim(self) -> Start | None:
        """The start of a client that resumes a session; None otherwise."""
        return self._claim

    def rejoin(self, claim: Start) -> bool:
        """Continue in another connection; return False if missed frames are no longer kept."""
        self._report()
        self._collect_events()
        return self._outbox.rewind(claim.last_seq, self._ready())

    def left_behind(self) -> NativeDialect:
        """Return the dialect of the connection that the session leaves."""
        left = NativeDialect(
            self._info, self._options, self._session_id, self._open_session, self._on_error
        )
        left._outbox.seq = self._outbox.seq
        left.fail(_TAKEN_OVER, Close(CLIENT_FAULT, _TAKEN_OVER.code))
        return left

    def _open(self, start: Start) -> None:
        if self._session is not None:
            raise ProtocolError(
                "already_started",
                'received a second "start"; the session continues unchanged. Open another '
                "connection for another session.",
            )
        if start.resume is not None:
            self._claim = start
            return
        language = check_start(start, self._info, self._options.language)
        self._decoder = decoder_for(start)
        options = replace(
            self._options,
            language=language,
            task=start.task,
            partials=start.partials,
            vocabulary=start.vocabulary or self._options.vocabulary,
        )
        self._session = self._open_session(self._session_id, start, self._decoder, options)
        self._start = start
        self._send(self._ready())

    def _ready(self) -> Ready:
        return Ready(
            session=self._session_id,
            resume_token=self._token,
            model=self._info.name,
            sample_rate=self._sample_rate,
            samples=self._samples,
            bytes=self._bytes,
            messages=self._messages,
        )

    def _flush(self, id: str | None) -> None:
        session = self._active_session("flush")
        if self._flushes >= _MAX_FLUSHES:
            raise ProtocolError(
                "too_many_flushes",
                f"{self._flushes} flushes are unanswered, so this one (id {id!r}) was ignored; "
                "wait for their answers.",
            )
        self._flushes += 1
        session.flush(id)

    def _receive_audio(self, data: bytes) -> None:
        if self._ending is not None:
            if not self._warned_after_end:
                self._warned_after_end = True
                self._reject(
                    "audio_after_end",
                    f"{len(data)} bytes of audio came after the end of the session; this and "
                    "later audio is discarded. Open another connection to continue.",
                )
            return
        try:
            session = self._active_session(f"{len(data)} bytes of audio")
            session.receive_audio(data)
        except ProtocolError as error:
            self._reject(error.code, str(error))
        except AudioFormatError as error:
            self.finish(
                ErrorMessage("audio_format", str(error), fatal=True),
                Close(CLIENT_FAULT, "audio_format"),
            )
        else:
            self._bytes += len(data)

    def _report(self) -> None:
        """Send acknowledgement and status, about once per second of audio.

        Reporting at the arrival of audio would overstate the lag, so the report is sent before the
        next frame is received, or with the outgoing frames.
        """
        if self._session is not None and self._ending is None:
            for message in self._progress.report(self._session, self._samples, self._bytes):
                self._send(message)

    @property
    def _sample_rate(self) -> int:
        return _CONTAINER_RATE if self._start.encoding == "container" else self._start.sample_rate

    @property
    def _samples(self) -> int:
        if isinstance(self._decoder, AudioDecoder):
            return self._bytes // self._decoder.format.frame_bytes
        return int(self._session.audio_seconds * _CONTAINER_RATE) if self._session else 0

    def _active_session(self, received: str) -> ObservedSession:
        """Return the session; raise ProtocolError if it is not started or has ended."""
        if self._session is None:
            raise ProtocolError(
                "no_start", f'{received} came before the start; send {{"type": "start"}} first.'
            )
        if self._ending is not None:
            raise ProtocolError(
                "after_end",
                f"{received} came after the end of the session; done follows.",
            )
        return self._session

    def _reject(self, code: str, message: str) -> None:
        fatal = self._session is None
        if fatal:
            self.fail(ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code))
        else:
            self._send(ErrorMessage(code, message, fatal=False))

    def _send(self, message: ServerMessage) -> None:
        self._collect_events()  # earlier events go first
        self._put(message)

    def _put(self, message: ServerMessage) -> None:
        if isinstance(message, ErrorMessage):
            self._on_error(message.code)
        self._outbox.put(message)

    def _collect_events(self) -> None:
        if self._session is None or self._closing is not None:
            return
        for event in self._session.events():
            if isinstance(event, Done):
                error, self._closing = self._ending or (None, Close(NORMAL))
                self._put(event if error is None else error)
            else:
                self._flushes -= isinstance(event, Flushed)
                self._outbox.put(self._requested(event))

    def _requested(self, event: Event) -> Event:
        if not self._start.words and isinstance(event, Committed | Partial):
            return replace(event, words=())
        return event
