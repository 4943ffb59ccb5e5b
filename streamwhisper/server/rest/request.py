"""What a request asks for, and what a dialect of REST makes of requests and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Protocol

from starlette.requests import Request
from starlette.responses import Response

from streamwhisper.audio.formats import AudioFormat
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.recognizer import WindowRecognizer

__all__ = ["BadField", "RestDialect", "TranscriptionRequest", "headers_of"]


class BadField(HandshakeRejected):
    """A field or a parameter that cannot be served.

    Attributes:
        field: its name.
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
    """A recording, and what is to be made of it.

    Attributes:
        sound: the upload, from its first byte on; whoever has the order closes it.
        format: of raw samples; None for a container.
        options: how it is transcribed.
        render: the answer to it.
        stream: the answer bit by bit, from the parts of the transcript as they come, or at last
            from what went wrong; None: it is answered at the end.
    """

    sound: BinaryIO
    format: AudioFormat | None
    options: TranscriptionOptions
    render: Callable[[Transcript], Response]
    stream: Callable[[AsyncIterator[Transcript | HandshakeRejected]], Response] | None = None


class RestDialect(Protocol):
    """One request's side of a conversation."""

    async def read(self, request: Request, recognizer: WindowRecognizer) -> TranscriptionRequest:
        """Receive a request.

        Raises:
            Refusal: it cannot be served.
            ClientDisconnect: the client is gone.
        """
        ...

    def refuse(self, refusal: HandshakeRejected) -> Response:
        """The answer to a request that is not served, in the form that its client expects."""
        ...


def headers_of(refusal: HandshakeRejected) -> dict[str, str]:
    """What the headers of a refusal say beside its body."""
    headers = refusal.response().headers
    return {name: headers[name] for name in ("Retry-After", "WWW-Authenticate") if name in headers}
