"""Deepgram's REST interface for recordings: the body is audio, the query has the options.

Parameters, answers and errors follow the API reference and its Python client.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.rest.deepgram_parameters import DeepgramParameters
from streamwhisper.server.rest.deepgram_results import (
    about_recording,
    format_transcript,
    results_of,
)
from streamwhisper.server.rest.request import TranscriptionRequest
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.recognizer import WindowRecognizer

__all__ = ["DeepgramRestDialect"]

_PIECE = 1024 * 1024  # bytes
_CODES = {
    "unauthorized": "INVALID_AUTH",
    "too_many_sessions": "TOO_MANY_REQUESTS",
    "invalid_audio": "Bad Request",
}


class DeepgramRestDialect:
    """Dialect of one request to Deepgram's interface."""

    def __init__(self, request_id: str) -> None:
        self._id = request_id

    async def read(self, request: Request, recognizer: WindowRecognizer) -> TranscriptionRequest:
        """Receive the audio."""
        given: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            given.setdefault(name, []).append(value)
        parameters = DeepgramParameters.read(given)
        format, options = parameters.audio.format(), parameters.options(recognizer)
        _reject_url(request)
        audio, digest = await _receive(request)

        def answer(transcripts: Sequence[Transcript]) -> Response:
            metadata = {
                "transaction_key": "deprecated",
                "request_id": self._id,
                "sha256": digest,
                "created": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                **about_recording(transcripts, parameters, recognizer.info.name),
            }
            formatted = [format_transcript(own, parameters.formatting) for own in transcripts]
            record = {"metadata": metadata, "results": results_of(formatted, parameters.results)}
            return self._with_id(JSONResponse(record))

        return TranscriptionRequest(
            audio,
            format,
            options,
            answer,
            selection=parameters.audio.selection,
            multichannel=parameters.audio.multichannel,
        )

    def refuse(self, refusal: HandshakeRejected) -> Response:
        """Return Deepgram's error object."""
        record = {
            "err_code": _CODES.get(refusal.code, refusal.code.upper()),
            "err_msg": refusal.message,
            "request_id": self._id,
        }
        return self._with_id(JSONResponse(record, refusal.status.value))

    def _with_id(self, response: Response) -> Response:
        response.headers["dg-request-id"] = self._id
        return response


def _reject_url(request: Request) -> None:
    """Reject a URL in the place of a recording."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "remote_content",
            "the request is JSON, which may contain a URL, but this server fetches nothing; send "
            "the audio itself as the body, as audio/* or application/octet-stream",
        )


async def _receive(request: Request) -> tuple[BinaryIO, str]:
    """Return the body, rewound, and its SHA-256 in hexadecimal."""
    audio = cast("BinaryIO", SpooledTemporaryFile(max_size=_PIECE))  # noqa: SIM115 (returned)
    digest = hashlib.sha256()
    try:
        async for piece in request.stream():
            digest.update(piece)
            audio.write(piece)
        audio.seek(0)
    except BaseException:
        audio.close()
        raise
    return audio, digest.hexdigest()
