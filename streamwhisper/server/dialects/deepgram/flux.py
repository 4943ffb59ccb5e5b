"""Deepgram's Flux, as it is spoken at ``/v2/listen``: turns of a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialect import NORMAL, Close, OnError
from streamwhisper.server.dialects.deepgram.dialect import DeepgramDialect
from streamwhisper.server.dialects.deepgram.flux_query import FluxOptions, read_change
from streamwhisper.server.dialects.deepgram.messages import Message, StreamMetadata
from streamwhisper.server.dialects.deepgram.turns import Turns
from streamwhisper.server.publishing.observers import SessionFactory
from streamwhisper.session.options import SessionOptions

__all__ = ["FluxDialect"]

_MAX_FORCED = 64
_BAD_CONFIGURE = "INVALID_CONFIGURE"
_EXPECTED = 'a JSON object whose "type" is CloseStream, ForceEndTurn or Configure'


class FluxDialect(DeepgramDialect[Turns]):
    """Turns, each told again until it is over; see `Turns`."""

    def __init__(
        self,
        stream: StreamMetadata,
        info: ModelInfo,
        options: SessionOptions,
        wanted: FluxOptions,
        *,
        session_id: str,
        open_session: SessionFactory,
        on_error: OnError = lambda code: None,
    ) -> None:
        """Begin to listen; the arguments are those of `ListenDialect`."""
        super().__init__(wanted.sound, on_error)
        self._stream = stream
        self._keyterms = wanted.vocabulary
        self._sequence = 0
        options = replace(
            wanted.thresholds.applied(options),
            language=options.language if wanted.language is None else wanted.language,
            vocabulary=wanted.vocabulary or options.vocabulary,
        )
        self._put({"type": "Connected"})
        self._listen(
            options,
            session_id,
            open_session,
            lambda place, session: Turns(session, wanted.wording, wanted.thresholds),
        )

    def outgoing(self) -> list[str]:
        """The text frames to be sent, numbered; each is returned once."""
        self._collect()
        said, self._said = self._said, []
        return [self._numbered(message) for message in said]

    def _numbered(self, message: Message) -> str:
        number, self._sequence = self._sequence, self._sequence + 1
        about = {"request_id": self._stream.request_id, "sequence_id": number}
        return json.dumps({**message, **about}, ensure_ascii=False, separators=(",", ":"))

    def _obey(self, text: str) -> None:
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        match said.get("type") if isinstance(said, dict) else None:
            case "CloseStream":
                self.finish(None, Close(NORMAL))
            case "ForceEndTurn":
                if self._ending is None:
                    self._end_turn()
            case "Configure":
                self._configure(said)
            case "KeepAlive":
                pass
            case _:
                self._complain("BAD_MESSAGE", f"{text[:100]!r} came; expected {_EXPECTED}")

    def _end_turn(self) -> None:
        for turns in self.listeners:
            if turns.forced < _MAX_FORCED:
                turns.end_turn()
            else:
                self._complain(
                    "TOO_MANY_MESSAGES",
                    f"{turns.forced} times a turn was ended that is not told yet; wait for that.",
                )

    def _configure(self, said: Mapping[str, Any]) -> None:
        try:
            change = read_change(said)
            for turns in self.listeners:
                turns.thresholds = change.applied(turns.thresholds)
        except ValueError as error:  # also of the vocabulary
            self._on_error(_BAD_CONFIGURE)
            failed = {"code": _BAD_CONFIGURE, "description": str(error)}
            self._put({"type": "ConfigureFailure", **failed})
            return
        for turns in self.listeners:
            if change.numerals is not None:
                turns.wording = replace(turns.wording, numerals=change.numerals)
            if change.keyterms is not None:
                self._keyterms = change.keyterms
                turns.session.set_vocabulary(change.keyterms)
            about = {"thresholds": asdict(turns.thresholds), "keyterms": list(self._keyterms)}
            self._put({"type": "ConfigureSuccess", **about})

    def _error(self, code: str, description: str, message: str) -> Message:
        return {"type": "Error", "code": code, "description": description}

    def _warning(self, code: str, description: str, message: str) -> Message:
        return {"type": "Warning", "code": code, "description": description}

    def _farewell(self) -> Sequence[Message]:
        return []
