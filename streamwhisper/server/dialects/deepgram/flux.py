"""Deepgram Flux (``/v2/listen``): turns of a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialect import NORMAL, Close, OnError
from streamwhisper.server.dialects.deepgram.dialect import DeepgramDialect
from streamwhisper.server.dialects.deepgram.flux_query import FluxOptions, read_change
from streamwhisper.server.dialects.deepgram.messages import Message, StreamMetadata, encode
from streamwhisper.server.dialects.deepgram.turns import Turns
from streamwhisper.server.publishing.observers import SessionFactory
from streamwhisper.session.options import SessionOptions
from streamwhisper.validation import shown

__all__ = ["FluxDialect"]

_MAX_FORCED = 64
_BAD_CONFIGURE = "INVALID_CONFIGURE"
_EXPECTED = 'a JSON object whose "type" is CloseStream, ForceEndTurn or Configure'


class FluxDialect(DeepgramDialect[Turns]):
    """Dialect of Flux: turns, each repeated until it ends; see `Turns`."""

    def __init__(
        self,
        stream: StreamMetadata,
        info: ModelInfo,
        options: SessionOptions,
        requested: FluxOptions,
        *,
        session_id: str,
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
    ) -> None:
        """Open the session; the arguments are those of `ListenDialect`."""
        super().__init__(requested.audio, on_error)
        self._stream = stream
        self._keyterms = requested.vocabulary
        self._sequence = 0
        options = replace(
            requested.thresholds.applied(options),
            language=options.language if requested.language is None else requested.language,
            vocabulary=requested.vocabulary or options.vocabulary,
        )
        self._send({"type": "Connected"})
        self._open_sessions(
            options,
            session_id,
            open_session,
            lambda place, session: Turns(session, requested.formatting, requested.thresholds),
        )

    def outgoing(self) -> list[str]:
        """Return the numbered text frames to send; each is returned once."""
        self._collect()
        unsent, self._unsent = self._unsent, []
        return [self._numbered(message) for message in unsent]

    def _numbered(self, message: Message) -> str:
        number, self._sequence = self._sequence, self._sequence + 1
        about = {"request_id": self._stream.request_id, "sequence_id": number}
        return encode({**message, **about})

    def _receive_text(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        match message.get("type") if isinstance(message, dict) else None:
            case "CloseStream":
                self.finish(None, Close(NORMAL))
            case "ForceEndTurn":
                if self._ending is None:
                    self._end_turn()
            case "Configure":
                self._configure(message)
            case "KeepAlive":
                pass
            case _:
                self._warn("BAD_MESSAGE", f"received {shown(text)}; expected {_EXPECTED}")

    def _end_turn(self) -> None:
        for turns in self.listeners:
            if turns.forced < _MAX_FORCED:
                turns.end_turn()
            else:
                self._warn(
                    "TOO_MANY_MESSAGES",
                    f"{turns.forced} ForceEndTurn messages are unanswered; wait for EndOfTurn.",
                )

    def _configure(self, message: Mapping[str, Any]) -> None:
        try:
            change = read_change(message)
            for turns in self.listeners:
                turns.thresholds = change.applied(turns.thresholds)
        except ValueError as error:  # includes errors of the vocabulary
            self._on_error(_BAD_CONFIGURE)
            failed = {"code": _BAD_CONFIGURE, "description": str(error)}
            self._send({"type": "ConfigureFailure", **failed})
            return
        for turns in self.listeners:
            if change.numerals is not None:
                turns.formatting = replace(turns.formatting, numerals=change.numerals)
            if change.keyterms is not None:
                self._keyterms = change.keyterms
                turns.session.set_vocabulary(change.keyterms)
            about = {"thresholds": asdict(turns.thresholds), "keyterms": list(self._keyterms)}
            self._send({"type": "ConfigureSuccess", **about})

    def _error(self, code: str, description: str, message: str) -> Message:
        return {"type": "Error", "code": code, "description": description}

    def _warning(self, code: str, description: str, message: str) -> Message:
        return {"type": "Warning", "code": code, "description": description}

    def _last_messages(self) -> Sequence[Message]:
        return []
