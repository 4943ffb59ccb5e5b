"""One operation: a recording comes in, waits for its turn, and its transcript goes out."""

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
from streamwhisper.server.rest.transcriber import race
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.parts import joined

__all__ = ["Operation"]

log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""In the log and the metrics: nobody is there to be answered."""


class Operation:
    """An ASGI application that serves one operation."""

    def __init__(self, name: str, service: Service, speak: Callable[[str], RestDialect]) -> None:
        """Serve an operation.

        Args:
            name: for the log and the metrics.
            speak: begins to speak a dialect, for a request of this id.
        """
        self._name = name
        self._service = service
        self._speak = speak

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises nothing but a cancellation."""
        await _Exchange(self._name, self._service, self._speak, scope, receive, send).run()


class _Exchange:
    """A request, and its answer."""

    def __init__(
        self,
        operation: str,
        service: Service,
        speak: Callable[[str], RestDialect],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._operation = operation
        self._service = service
        self._id = str(uuid.uuid4())
        self._dialect = speak(self._id)
        self._scope = scope
        self._request = Request(scope, receive)
        self._body = Body(self._request, service.options)
        self._send_message = send
        self._status = 0
        self._answered = False  # to the end
        self._visitor: Client | None = None
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
            await self._refuse(self._refusal(error))
        finally:
            self._record(clock() - began)

    async def _serve(self) -> None:
        service = self._service
        self._visitor = visitor = service.visitor(self._request)
        transcriber = await service.admit(visitor)
        with service.place(visitor):
            request = Request(self._scope, self._body.receive)
            order = await race(
                self._dialect.read(request, transcriber.recognizer), service.stopped()
            )
            with closing(order.sound):
                parts = transcriber.parts(order, service.longest(visitor))
                await race(self._answer(order, parts), self._body.left())

    async def _answer(self, order: TranscriptionRequest, parts: AsyncGenerator[Transcript]) -> None:
        async with aclosing(parts):
            first = await anext(parts)  # so that what is wrong is said before the answer begins
            self._audio_seconds = first.duration
            if order.stream is not None:
                async with aclosing(self._told(first, parts)) as told:
                    await self._send(order.stream(told))
                return
            others = [part async for part in parts]
            await self._send(order.render(joined([first, *others])))

    async def _told(
        self, first: Transcript, others: AsyncIterator[Transcript]
    ) -> AsyncGenerator[Transcript | HandshakeRejected]:
        """The parts, and what goes wrong once the answer has begun."""
        yield first
        try:
            async for part in others:
                yield part
        except Exception as error:  # the client is told
            refusal = self._refusal(error)
            self._note(refusal)
            yield refusal

    def _refusal(self, error: Exception) -> HandshakeRejected:
        """What the client is told of an error."""
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
            f"an internal error; the server's log has it under request {self._id}",
        )

    def _note(self, refusal: HandshakeRejected) -> None:
        self._service.metrics.count_error(refusal.code)
        values = figures(address=self._service.address(self._request), status=refusal.status.value)
        log.info("refused %s: %s", self._operation, refusal.code, extra=values)

    async def _refuse(self, refusal: HandshakeRejected) -> None:
        self._note(refusal)
        await self._body.discard()
        response = self._dialect.refuse(refusal)
        response.headers.update(headers_of(refusal))
        await self._send(response)

    async def _send(self, response: Response) -> None:
        self._status = response.status_code
        response.headers["Cache-Control"] = "no-store"
        # Who watches the client is told when it leaves; the response need not.
        await response(self._scope, _silence, self._pass_on)

    async def _pass_on(self, message: Message) -> None:
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        self._answered = self._answered or ends
        await self._send_message(message)

    def _record(self, seconds: float) -> None:
        metrics, visitor = self._service.metrics, self._visitor
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
                address=visitor.address if visitor is not None else None,
                key=visitor.key if visitor is not None else None,
                seconds=round(seconds, 3),
                audio_seconds=round(self._audio_seconds, 3),
            ),
        )


async def _silence() -> Message:
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never
