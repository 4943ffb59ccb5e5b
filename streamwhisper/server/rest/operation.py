"""REST operation: receives a recording, waits for its turn and sends the transcript."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, closing
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from streamwhisper.errors import AudioFormatError, RecognitionError
from streamwhisper.server.access.policy import Client
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.logs import figures
from streamwhisper.server.rest.body import Body
from streamwhisper.server.rest.request import RestDialect, TranscriptionRequest, headers_of
from streamwhisper.server.rest.service import Service
from streamwhisper.server.rest.transcriber import Part, race
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.parts import joined

__all__ = ["Operation"]

log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""Status in the log and the metrics of a client that disconnected before the answer."""


class Operation:
    """ASGI application of one operation."""

    def __init__(
        self, name: str, service: Service, new_dialect: Callable[[str], RestDialect]
    ) -> None:
        """Create an operation.

        Args:
            name: name in the log and the metrics.
            service: authentication and transcription.
            new_dialect: creates the dialect of a request with this ID.
        """
        self._name = name
        self._service = service
        self._speak = new_dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises nothing but a cancellation."""
        await _Exchange(self._name, self._service, self._speak, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        operation: str,
        service: Service,
        new_dialect: Callable[[str], RestDialect],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._operation = operation
        self._service = service
        self._id = str(uuid.uuid4())
        self._dialect = new_dialect(self._id)
        self._scope = scope
        self._request = Request(scope, receive)
        self._body = Body(self._request, service.options)
        self._send_message = send
        self._status = 0
        self._answered = False  # completely
        self._client: Client | None = None
        self._audio_seconds = 0.0

    async def run(self) -> None:
        """Serve the request."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            await self._serve()
        except ClientDisconnect:
            if not self._answered:
                self._status = CLIENT_LEFT
        except Exception as error:  # outermost loop of a request
            await self._send_refusal(self._refusal(error))
        finally:
            self._record(clock() - began)

    async def _serve(self) -> None:
        service = self._service
        self._client = client = service.authenticate(self._request)
        transcriber = await service.admit(client)
        with service.hold_slot(client):
            upload = Request(self._scope, self._body.receive)
            with service.count_upload(client):
                request = await race(
                    self._dialect.read(upload, transcriber.recognizer), service.stopped()
                )
            with closing(request.audio):
                parts = transcriber.parts(request, service.max_seconds(client))
                await race(self._answer(request, parts), self._body.left())

    async def _answer(self, request: TranscriptionRequest, parts: AsyncGenerator[Part]) -> None:
        async with aclosing(parts):
            channel, first = await anext(parts)  # an error before it has its own status
            self._audio_seconds = first.duration
            if request.stream is not None:
                async with aclosing(self._streamed(first, parts)) as streamed:
                    await self._send(request.stream(streamed))
                return
            by_channel = {channel: [first]}
            async for channel, part in parts:
                by_channel.setdefault(channel, []).append(part)
            await self._send(request.render([joined(own) for own in by_channel.values()]))

    async def _streamed(
        self, first: Transcript, others: AsyncIterator[Part]
    ) -> AsyncGenerator[Transcript | HandshakeRejected]:
        """Yield the parts of the transcript; an error after the first one ends them."""
        yield first
        try:
            async for _, part in others:
                yield part
        except Exception as error:  # reported to the client
            refusal = self._refusal(error)
            self._log_refusal(refusal)
            yield refusal

    def _refusal(self, error: Exception) -> HandshakeRejected:
        """Return the rejection that reports an error to the client."""
        if isinstance(error, HandshakeRejected):
            return error
        if isinstance(error, AudioFormatError):
            return HandshakeRejected(HTTPStatus.BAD_REQUEST, "invalid_audio", str(error))
        if isinstance(error, RecognitionError):
            return HandshakeRejected(HTTPStatus.BAD_REQUEST, "unsupported", str(error))
        log.error("request %s: failed", self._id, exc_info=error)
        return HandshakeRejected(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            f"internal error; see request {self._id} in the server's log",
        )

    def _log_refusal(self, refusal: HandshakeRejected) -> None:
        self._service.metrics.count_error(refusal.code)
        values = figures(address=self._service.address(self._request), status=refusal.status.value)
        log.info("refused %s: %s", self._operation, refusal.code, extra=values)

    async def _send_refusal(self, refusal: HandshakeRejected) -> None:
        self._log_refusal(refusal)
        await self._body.discard()
        response = self._dialect.refuse(refusal)
        response.headers.update(headers_of(refusal))
        await self._send(response)

    async def _send(self, response: Response) -> None:
        self._status = response.status_code
        response.headers["Cache-Control"] = "no-store"
        # `_serve` watches for the disconnect, so the response need not.
        await response(self._scope, _never_receive, self._forward)

    async def _forward(self, message: Message) -> None:
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        self._answered = self._answered or ends
        await self._send_message(message)

    def _record(self, seconds: float) -> None:
        metrics, client = self._service.metrics, self._client
        metrics.rest_requests.labels(self._operation, str(self._status)).inc()
        metrics.rest_seconds.labels(self._operation).observe(seconds)
        metrics.audio_seconds.inc(self._audio_seconds)
        log.info(
            "request %s: %s, %d",
            self._id,
            self._operation,
            self._status,
            extra=figures(
                request=self._id,
                operation=self._operation,
                status=self._status,
                address=client.address if client is not None else None,
                key=client.key if client is not None else None,
                seconds=round(seconds, 3),
                audio_seconds=round(self._audio_seconds, 3),
            ),
        )


async def _never_receive() -> Message:
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never
