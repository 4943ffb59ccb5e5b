"""The native protocol on the server's side: messages to calls on a `Session`, events to messages.

No sockets and no clock: frames go in, text frames come out. A mistake before the session has
started is fatal. After that it is answered and the session goes on, for its text is worth more.
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
    parse_client_message,
)
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, Close, OnError
from streamwhisper.server.dialects.outbox import Outbox
from streamwhisper.server.dialects.start import check_start, check_vocabulary, decoder_for
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["NativeDialect"]

_STATUS_SECONDS = 1.0
_MAX_FLUSHES = 64
_CONTAINER_RATE = SAMPLE_RATE  # a container has no rate that is known from the start
_TAKEN_OVER = ErrorMessage(
    "taken_over",
    "another connection has resumed this session with its token, and goes on with it; "
    "open a session of your own if that was not you.",
    fatal=True,
)


class NativeDialect:
    """One session that speaks the native protocol, version 1; see `Dialect` and `Resumable`."""

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
            info: the model that is served.
            options: of the session, save what the client may choose.
            session_id: names the session to the client and in the log.
            open_session: opens the session.
            on_error: told of every error that is sent.
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
        self._told_after_end = False
        self._flushes = 0  # not answered yet
        self._on_error = on_error
        self._outbox = Outbox()
        self._bytes = 0
        self._messages = 0  # text frames since the start
        self._waited = 0.0  # for the recognizer, in seconds, since the last status
        self._status_at = 0.0

    @property
    def session(self) -> ObservedSession | None:
        """What listens; None until the client has started it."""
        return self._session

    @property
    def sessions(self) -> tuple[ObservedSession, ...]:
        """Likewise, as `Dialect` has it."""
        return () if self._session is None else (self._session,)

    @property
    def can_receive(self) -> bool:
        """Whether audio can be taken in; audio that will be refused need not wait."""
        return self._session is None or self._ending is not None or self._session.can_receive

    @property
    def closing(self) -> Close | None:
        """Once set: send what is outgoing, then close."""
        return self._closing

    def receive(self, frame: str | bytes) -> None:
        """Take in a text or a binary frame; bad input is answered."""
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
                    self._say(Pong(id))
                case Flush(id):
                    self._flush(id)
                case VocabularyMessage(words):
                    check_vocabulary(words)
                    self._listening("vocabulary").set_vocabulary(words)
                case End():
                    self._listening("end")
                    self.finish(None, Close(NORMAL))
        except ProtocolError as error:
            self._reject(error.code, str(error))
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)

    def record_wait(self, seconds: float) -> None:
        """The session has waited so long for an answer of the recognizer."""
        self._waited += seconds

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Commit everything, then send `error` or done, and close."""
        if self._ending is not None or self._closing is not None:
            return
        self._ending = error, close
        if self._session is None:
            if error is not None:
                self._say(error)
            self._closing = close
            return
        try:
            self._session.end(cut=close.code == GOING_AWAY)
        except AudioFormatError as bad_end:
            if error is None:
                self._say(ErrorMessage("audio_format", str(bad_end), fatal=False))

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        if self._closing is None:
            self._say(error)
            self._closing = close

    def outgoing(self) -> list[str]:
        """The text frames to be sent; each is returned once."""
        self._report()
        self._collect_events()
        return self._outbox.take()

    def release(self) -> None:
        """Close the session and its decoder's thread."""
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
        """What the session is called in the log."""
        return self._session_id

    @property
    def token(self) -> str:
        """Known to the session's client alone."""
        return self._token

    @property
    def claim(self) -> Start | None:
        """What the client said if it wants a session of before."""
        return self._claim

    def rejoin(self, claim: Start) -> bool:
        """Go on in another connection; False if what the client has not seen is not kept."""
        self._report()
        self._collect_events()
        return self._outbox.rewind(claim.last_seq, self._ready())

    def left_behind(self) -> NativeDialect:
        """What the old connection speaks from now on."""
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
                'a second "start" in one connection; the session goes on as it was started. '
                "Open another connection for another session.",
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
        self._say(self._ready())

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
        session = self._listening("flush")
        if self._flushes >= _MAX_FLUSHES:
            raise ProtocolError(
                "too_many_flushes",
                f"{self._flushes} flushes wait to be answered already, so this one (id {id!r}) is "
                "left out; wait for their answers.",
            )
        self._flushes += 1
        session.flush(id)

    def _receive_audio(self, data: bytes) -> None:
        if self._ending is not None:
            if not self._told_after_end:
                self._told_after_end = True
                self._reject(
                    "audio_after_end",
                    f"{len(data)} bytes of audio came after the session's end and are not heard, "
                    "nor are those that follow; open another connection to go on.",
                )
            return
        try:
            session = self._listening(f"{len(data)} bytes of audio")
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
        """Say how far the audio is taken in, and how well the session keeps up.

        Not as soon as audio comes, for then it would seem to lag, but when what could be done
        about it is done: before more comes or what came of it is sent.
        """
        session = self._session
        if session is None or self._ending is not None:
            return
        received = session.audio_seconds
        if (elapsed := received - self._status_at) < _STATUS_SECONDS:
            return
        self._say(Ack(self._samples, self._bytes))
        self._say(
            Status(
                lag_ms=round(1000 * (received - session.covered_seconds)),
                real_time_factor=self._waited / elapsed,
                audio_seconds=received,
            )
        )
        self._status_at = received
        self._waited = 0.0

    @property
    def _sample_rate(self) -> int:
        return _CONTAINER_RATE if self._start.encoding == "container" else self._start.sample_rate

    @property
    def _samples(self) -> int:
        if isinstance(self._decoder, AudioDecoder):
            return self._bytes // self._decoder.format.frame_bytes
        return int(self._session.audio_seconds * _CONTAINER_RATE) if self._session else 0

    def _listening(self, what: str) -> ObservedSession:
        """The session, when it can take `what`."""
        if self._session is None:
            raise ProtocolError(
                "no_start", f'{what} came before the start; send {{"type": "start"}} first.'
            )
        if self._ending is not None:
            raise ProtocolError(
                "after_end",
                f"{what} came after the session's end; everything is being committed, "
                "and done follows.",
            )
        return self._session

    def _reject(self, code: str, message: str) -> None:
        fatal = self._session is None
        if fatal:
            self.fail(ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code))
        else:
            self._say(ErrorMessage(code, message, fatal=False))

    def _say(self, message: ServerMessage) -> None:
        self._collect_events()  # what has happened before comes first
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
                self._outbox.put(self._dress(event))

    def _dress(self, event: Event) -> Event:
        if not self._start.words and isinstance(event, Committed | Partial):
            return replace(event, words=())
        return event
