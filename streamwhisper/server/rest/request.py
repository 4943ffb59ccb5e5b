"""Transcription request, and the interface of REST dialects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, Protocol

from starlette.requests import Request
from starlette.responses import Response

from streamwhisper.audio.formats import AudioFormat
from streamwhisper.audio.opening import Selection
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.recognizer import WindowRecognizer

__all__ = ["BadField", "RestDialect", "TranscriptionRequest", "headers_of"]


class BadField(HandshakeRejected):
    """Rejection of a request with an invalid field or parameter.

    Attributes:
        field: name of the field.
    """

    def __init__(
        self,
        field: str,
        message: str,
        *,
        code: str = "invalid_value",
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
    ) -> None:
        super().__init__(status, code, message)
        self.field = field


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionRequest:
    """Recording with its options and the format of its answer.

    Attributes:
        audio: the upload, from its first byte; the caller closes it.
        format: format of raw samples; None for a container.
        options: options of the transcription.
        render: creates the answer from the whole transcripts: that of the recording, or one of each
            channel.
        stream: creates a streamed answer from the parts of the transcript as they arrive; an error
            ends them as a rejection. None: the answer is sent at the end.
        selection: track and channel to transcribe.
        multichannel: whether each channel is transcribed separately.
    """

    audio: BinaryIO
    format: AudioFormat | None
    options: TranscriptionOptions
    render: Callable[[Sequence[Transcript]], Response]
    stream: Callable[[AsyncIterator[Transcript | HandshakeRejected]], Response] | None = None
    selection: Selection = field(default_factory=Selection)
    multichannel: bool = False


class RestDialect(Protocol):
    """Dialect of one request: reads it and formats the answers."""

    async def read(self, request: Request, recognizer: WindowRecognizer) -> TranscriptionRequest:
        """Receive a request.

        Raises:
            HandshakeRejected: the request is invalid or not supported.
            ClientDisconnect: the client has disconnected.
        """
        ...

    def refuse(self, refusal: HandshakeRejected) -> Response:
        """Return the answer to a rejected request in the client's format."""
        ...


def headers_of(refusal: HandshakeRejected) -> dict[str, str]:
    """Return the headers of a rejection."""
    headers = refusal.response().headers
    return {name: headers[name] for name in ("Retry-After", "WWW-Authenticate") if name in headers}
