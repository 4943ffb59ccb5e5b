"""Server side of a transcription session in OpenAI's Realtime protocol, without I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from websockets.http11 import Response

from streamwhisper.errors import AudioFormatError
from streamwhisper.events import Committed, Done, Flushed, SpeechEnded, SpeechStarted
from streamwhisper.protocol import ErrorMessage
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import HandshakeRejected, SessionRejected
from streamwhisper.server.dialect import CLIENT_FAULT, NORMAL, TOO_BIG, Close, OnError
from streamwhisper.server.dialects.openai_realtime.client_events import (
    CLEAR,
    COMMIT,
    UPDATE,
    UPDATE_BETA,
    InvalidRequest,
    Json,
    check_event,
    read_event,
)
from streamwhisper.server.dialects.openai_realtime.item import ItemOptions
from streamwhisper.server.dialects.openai_realtime.items import Items
from streamwhisper.server.dialects.openai_realtime.session_options import (
    Input,
    audio_format,
    padding,
    session_options,
    start_of,
)
from streamwhisper.server.dialects.openai_realtime.settings import (
    LOGPROBS,
    changed,
    from_beta,
    initial_session,
    is_beta,
    to_beta,
)
from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["RealtimeDialect", "refuse"]

_MIN_COMMIT = 0.1  # seconds of audio
_MAX_UNANSWERED = 64
_NO_INTENT = ErrorMessage(
    "unsupported_intent",
    "this server only transcribes: connect to /v1/realtime?intent=transcription. Conversations "
    "and responses are not supported.",
    fatal=True,
)
_CLIENT_FAULT = Close(CLIENT_FAULT, "invalid_settings")
_UNREPORTED = ("idle_timeout",)
"""Codes that are only in the close frame: after an error, many clients do not reconnect."""
_MESSAGES = {
    "message_too_big": "an event without audio is too large.",
}
"""Messages by error code that replace those of the native protocol."""


class RealtimeDialect:
    """Dialect of one transcription session; see `Dialect`."""

    resumable = None  # the protocol cannot resume a session
    backlog = None  # the audio is raw

    def __init__(
        self,
        info: ModelInfo,
        options: SessionOptions,
        session_id: str,
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
        *,
        transcription: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the session and announce it.

        Args:
            info: the served model.
            options: default options of the session.
            session_id: identifier of the session for the client and in the log.
            open_session: opens a session.
            on_error: called with the code of every error that is sent.
            transcription: whether the client requested transcription; otherwise it is rejected.
            settings: first settings of the session, as in `session.update`.
        """
        self._info = info
        self._defaults = options
        self._on_error = on_error
        self._event_prefix = f"event_{session_id}"
        self._events = 0
        self._frames: list[str] = []
        self._closing: Close | None = None
        self._ending: tuple[ErrorMessage | None, Close] | None = None
        self._session: ObservedSession | None = None
        self._settings = initial_session(f"sess_{session_id}", info.name)
        self._input = Input(audio_format(self._settings))
        self._uncommitted = 0.0  # seconds of audio since the last commit or clear
        self._items = Items(session_id, self._send, self._flush)
        if not transcription:
            self.fail(_NO_INTENT, Close(CLIENT_FAULT, _NO_INTENT.code))
            return
        try:
            self._settings = changed(self._settings, dict(settings or {}))
            initial = session_options(self._settings, options, info)
            self._input.change(audio_format(self._settings))
            start = start_of(self._settings)
            self._session = open_session(session_id, start, self._input, initial)
        except InvalidRequest as error:  # the token is of a server with another model
            self.fail(ErrorMessage(error.code, str(error), fatal=True), _CLIENT_FAULT)
            return
        except SessionRejected as refused:
            self.fail(refused.error, refused.close)
            return
        self._items.configure(self._item_options(self._settings, initial), 0.0)
        self._send("session.created", session=self._settings)

    @property
    def sessions(self) -> Sequence[ObservedSession]:
        """The session; empty if the client was rejected."""
        return [] if self._session is None else [self._session]

    @property
    def can_receive(self) -> bool:
        """False while audio must wait; after the end, audio is discarded and need not wait."""
        return self._session is None or self._ending is not None or self._session.can_receive

    @property
    def closing(self) -> Close | None:
        """Close frame to send after the outgoing frames; None while the connection is open."""
        return self._closing

    def receive(self, frame: str | bytes) -> None:
        """Handle audio (a binary frame) or another event; errors are reported to the client."""
        session = self._session
        # After the end, the close is enough; an error would keep clients from reading the last
        # words.
        if session is None or self._closing is not None or self._ending is not None:
            return
        if isinstance(frame, bytes):
            self._receive_audio(session, frame)
            return
        event: Json = {}
        try:
            event = read_event(frame)
            check_event(event)
            self._collect_events()
            self._handle(session, event)
        except InvalidRequest as error:
            self._send_error("invalid_request_error", error.code, str(error), error.param, event)

    def _receive_audio(self, session: ObservedSession, data: bytes) -> None:
        try:
            session.receive_audio(data)
        except AudioFormatError as error:
            fault = ErrorMessage("audio_format", str(error), fatal=True)
            self.finish(fault, Close(CLIENT_FAULT, fault.code))
            return
        format = self._input.format
        self._uncommitted += len(data) / (format.frame_bytes * format.sample_rate)

    def advance(self) -> None:
        """Do nothing: the audio is raw."""

    def record_wait(self, seconds: float) -> None:
        """Ignore the recognizer's delay; the protocol does not report it."""

    def finish(self, error: ErrorMessage | None, close: Close) -> None:
        """Commit all text, send `error`, and close."""
        if self._ending is not None or self._closing is not None:
            return
        self._ending = error, close
        if self._session is not None:
            self._session.end()
        else:
            self._close(error, close)

    def fail(self, error: ErrorMessage, close: Close) -> None:
        """Send `error` and close at once."""
        if self._closing is None:
            self._collect_events()
            self._items.fail(_error(_kind(close), error.code, error.message))
            self._close(error, close)

    def outgoing(self) -> list[str]:
        """Return the text frames to send; each is returned once."""
        self._collect_events()
        if self._session is not None and self._ending is None:
            self._items.tick(self._session.covered_seconds)
        frames, self._frames = self._frames, []
        return frames

    def release(self) -> None:
        """Close the session."""
        self._collect_events()
        if self._session is not None:
            self._session.close()
            self._session = None

    def _handle(self, session: ObservedSession, event: Json) -> None:
        kind, now = event["type"], session.audio_seconds
        if kind == UPDATE:
            given = event.get("session")
            given = from_beta(given) if is_beta(given) else given
            self._update(session, changed(self._settings, given))
            self._send("session.updated", session=self._settings)
        elif kind == UPDATE_BETA:
            self._update(session, changed(self._settings, from_beta(event.get("session"))))
            self._send("transcription_session.updated", session=to_beta(self._settings))
        elif self._items.unanswered >= _MAX_UNANSWERED:
            raise InvalidRequest(
                "too_many_commits",
                f"{_MAX_UNANSWERED} commits are unanswered; wait for their answers.",
            )
        elif kind == COMMIT:
            self._check_commit()
            self._uncommitted = 0.0
            self._items.commit(now)
        elif kind == CLEAR:
            self._uncommitted = 0.0
            self._items.clear(now)

    def _check_commit(self) -> None:
        """Reject a commit of almost no audio, unless turn detection may have committed it."""
        if self._items.options.detecting or self._uncommitted >= _MIN_COMMIT - 1e-6:
            return
        raise InvalidRequest(
            "input_audio_buffer_commit_empty",
            f"the buffer has {1000 * self._uncommitted:.0f} ms of audio; expected 100 ms or more. "
            "Append audio before a commit.",
        )

    def _update(self, session: ObservedSession, settings: Json) -> None:
        options = session_options(settings, self._defaults, self._info)
        session.configure(options)
        self._settings = settings
        self._input.change(audio_format(settings))
        self._items.configure(self._item_options(settings, options), session.audio_seconds)

    @staticmethod
    def _item_options(settings: Json, options: SessionOptions) -> ItemOptions:
        turns = settings["audio"]["input"]["turn_detection"]
        idle = (turns or {}).get("idle_timeout_ms")
        return ItemOptions(
            turns is not None,
            max(0.0, options.gate.pre_roll - padding(settings, options)),
            None if idle is None else idle / 1000,
            LOGPROBS in settings["include"],
        )

    def _flush(self) -> None:
        if self._session is not None:
            self._session.flush()

    def _collect_events(self) -> None:
        if self._session is None or self._closing is not None:
            return
        for event in self._session.events():
            match event:
                case SpeechStarted(at):
                    self._items.speech_started(at)
                case SpeechEnded(at):
                    self._items.speech_ended(at)
                case Committed():
                    self._items.text(event)
                case Flushed():
                    self._items.flushed()
                case Done():
                    self._items.finish(event.audio_seconds)
                    self._close(*(self._ending or (None, Close(NORMAL))))

    def _close(self, error: ErrorMessage | None, close: Close) -> None:
        if error is not None:
            self._on_error(error.code)
        if error is not None and error.code not in _UNREPORTED:
            message = _MESSAGES.get(error.code, error.message)
            self._send("error", error=_error(_kind(close), error.code, message))
        self._closing = close

    def _send_error(
        self, kind: str, code: str, message: str, param: str | None, event: Json
    ) -> None:
        self._on_error(code)
        self._send("error", error=_error(kind, code, message, param, event.get("event_id")))

    def _send(self, type: str, **fields: object) -> None:
        self._events += 1
        event = {"type": type, "event_id": f"{self._event_prefix}_{self._events}", **fields}
        self._frames.append(json.dumps(event))


def refuse(refusal: HandshakeRejected, request_id: str) -> Response:
    """Return the answer to a rejected handshake."""
    ours = refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind = "server_error" if ours else "invalid_request_error"
    response = refusal.response({"error": _error(kind, refusal.code, refusal.message)})
    response.headers["x-request-id"] = request_id
    return response


def _kind(close: Close) -> str:
    return "invalid_request_error" if close.code in (CLIENT_FAULT, TOO_BIG) else "server_error"


def _error(
    kind: str,
    code: str,
    message: str,
    param: str | None = None,
    event_id: object = None,
) -> Json:
    own = event_id if isinstance(event_id, str) else None
    return {"type": kind, "code": code, "message": message, "param": param, "event_id": own}
