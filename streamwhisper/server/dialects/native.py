"""Server side of the native protocol, without I/O.

An error before the start is fatal. After the start, errors are reported and the session continues.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.steps import StepDecoder
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
from streamwhisper.server.dialects.container_input import ContainerInput
from streamwhisper.server.dialects.flush_limit import FlushLimit
from streamwhisper.server.dialects.outbox import Outbox
from streamwhisper.server.dialects.progress import ProgressReporter
from streamwhisper.server.dialects.start import check_start, check_vocabulary, decoder_for
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.server.sessions import close_errors
from streamwhisper.session.options import SessionOptions

__all__ = ["NativeDialect"]


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
        self._container: ContainerInput | None = None  # for audio that is not raw
        self._closing: Close | None = None
        self._ending: tuple[ErrorMessage | None, Close] | None = None
        self._warned_after_end = False
        self._flushes = FlushLimit()
        self._on_error = on_error
        self._outbox = Outbox()
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
        if self._ending is not None and self.backlog is None:
            return True
        return self._session is None or self._session.can_receive

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
        self._report()
        if isinstance(frame, bytes):
            self._receive_audio(frame)
            return
        self._progress.messages += self._session is not None
        try:
            match parse_client_message(frame):
                case Start() as start:
                    self._open(start)
                case Ping(id):
                    self._send(Pong(id))
                case Flush(id):
                    session = self._active_session("flush")
                    self._flushes.add(id)
                    session.flush(id)
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
        if self._container is None:
            self._end_session()
        else:
            self._container.finish(error)

    def advance(self) -> None:
        """Pass the next step of a container's audio to the session."""
        if self._container is not None:
            self._container.advance()

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
        if self._container is not None:
            self._container.close()
            self._container = None

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
        left.fail(*close_errors.taken_over())
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
        decoder = decoder_for(start)
        options = replace(
            self._options,
            language=language,
            task=start.task,
            partials=start.partials,
            vocabulary=start.vocabulary or self._options.vocabulary,
        )
        session = self._open_session(self._session_id, start, decoder, options)
        self._session, self._start = session, start
        self._progress.start(start, decoder.format.frame_bytes)
        if start.encoding == "container":
            self._container = ContainerInput(
                ContainerDecoder(),
                on_audio=session.receive_audio,
                on_error=self._reject_audio,
                on_end=self._end_session,
            )
        self._send(self._ready())

    def _ready(self) -> Ready:
        return Ready(
            session=self._session_id,
            resume_token=self._token,
            model=self._info.name,
            sample_rate=self._progress.sample_rate,
            samples=self._progress.samples(self._session),
            bytes=self._progress.bytes,
            messages=self._progress.messages,
        )

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
            (self._container.give if self._container else session.receive_audio)(data)
        except ProtocolError as error:
            self._reject(error.code, str(error))
        except AudioFormatError as error:
            self._reject_audio(str(error))
        else:
            self._progress.bytes += len(data)

    def _reject_audio(self, message: str) -> None:
        """End the session because of audio that cannot be decoded; after its end, report it."""
        if self._ending is None:
            error = ErrorMessage("audio_format", message, fatal=True)
            self.finish(error, Close(CLIENT_FAULT, error.code))
        elif self._ending[0] is None:
            self._send(ErrorMessage("audio_format", message, fatal=False))

    def _end_session(self) -> None:
        assert self._session is not None
        assert self._ending is not None
        try:
            self._session.end(cut=self._ending[1].code == GOING_AWAY)
        except AudioFormatError as bad_end:
            self._reject_audio(str(bad_end))

    def _report(self) -> None:
        """Send acknowledgement and status, about once per second of audio.

        Reporting at the arrival of audio would overstate the lag, so the report is sent before the
        next frame is received, or with the outgoing frames.
        """
        if self._session is not None and self._ending is None:
            for message in self._progress.report(self._session):
                self._send(message)

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
        if self._session is None:
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
                if isinstance(event, Flushed):
                    self._flushes.answer()
                self._outbox.put(self._requested(event))

    def _requested(self, event: Event) -> Event:
        if not self._start.words and isinstance(event, Committed | Partial):
            return replace(event, words=())
        return event
