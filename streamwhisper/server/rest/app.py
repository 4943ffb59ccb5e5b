"""ASGI application of the REST interfaces: its routes and pages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.metrics import METRICS_CONTENT_TYPE
from streamwhisper.server.rest.deepgram import DeepgramRestDialect
from streamwhisper.server.rest.openai import (
    OpenAiRestDialect,
    check_model,
    error_record,
    known_models,
    model_record,
)
from streamwhisper.server.rest.operation import Operation
from streamwhisper.server.rest.request import headers_of
from streamwhisper.server.rest.service import Service
from streamwhisper.server.rest.short_lived import ShortLivedTokens
from streamwhisper.server.websocket.http_endpoints import HttpEndpoints

__all__ = ["rest_app"]


def rest_app(service: Service, endpoints: HttpEndpoints, origins: Sequence[str]) -> Starlette:
    """Return the ASGI application of a server.

    Args:
        service: authentication and transcription.
        endpoints: health, readiness and metrics of the server.
        origins: web origins that may send requests (CORS).
    """
    pages = _Pages(service, endpoints)
    tokens = ShortLivedTokens(service)
    transcribe, translate = (
        partial(OpenAiRestDialect, task) for task in ("transcribe", "translate")
    )
    operations = {
        "/v1/audio/transcriptions": Operation("transcriptions", service, transcribe),
        "/v1/audio/translations": Operation("translations", service, translate),
        "/v1/listen": Operation("listen", service, DeepgramRestDialect),
    }
    routes = [
        *(Route(path, operation, methods=["POST"]) for path, operation in operations.items()),
        Route("/v1/realtime/client_secrets", tokens.client_secret, methods=["POST"]),
        Route(
            "/v1/realtime/transcription_sessions", tokens.transcription_session, methods=["POST"]
        ),
        Route("/v1/realtime/sessions", tokens.conversation, methods=["POST"]),
        Route("/v1/auth/grant", tokens.grant, methods=["POST"]),
        Route("/v1/models", pages.models),
        Route("/v1/models/{name:path}", pages.model),
        Route("/healthz", pages.health),
        Route("/readyz", pages.readiness),
        Route("/metrics", pages.metrics),
    ]
    cors = Middleware(
        CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"]
    )
    return Starlette(
        routes=routes,
        middleware=[cors] if origins else [],
        exception_handlers={HandshakeRejected: pages.refused, HTTPException: pages.not_found},
    )


class _Pages:
    """Pages without an upload: models, health, readiness, metrics and errors."""

    def __init__(self, service: Service, endpoints: HttpEndpoints) -> None:
        self._service = service
        self._endpoints = endpoints
        self._since = int(time.time())

    async def health(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readiness(self, request: Request) -> Response:
        found = self._endpoints.readiness()
        return PlainTextResponse(found.body, found.status_code)

    async def metrics(self, request: Request) -> Response:
        self._service.authenticate(request, lasting=True)
        return Response(self._service.metrics.render(), media_type=METRICS_CONTENT_TYPE)

    async def models(self, request: Request) -> Response:
        names = await self._model_names(request)
        records = [model_record(name, self._since) for name in names]
        return JSONResponse({"object": "list", "data": records})

    async def model(self, request: Request) -> Response:
        await self._model_names(request)
        name = request.path_params["name"]
        check_model(name, self._service.info)
        return JSONResponse(model_record(name, self._since))

    async def _model_names(self, request: Request) -> list[str]:
        self._service.authenticate(request)
        await self._service.wait()
        return known_models(self._service.info)

    def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HandshakeRejected)
        self._service.metrics.count_error(error.code)
        return JSONResponse(error_record(error), error.status.value, headers_of(error))

    def not_found(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        wrong = error.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        target = f"{request.method} {request.url.path[:100]}"
        message = (
            f"{target} does not exist; POST a recording to /v1/audio/transcriptions, "
            "/v1/audio/translations or /v1/listen. Live audio goes to the WebSocket port"
        )
        code = "method_not_allowed" if wrong else "not_found"
        refusal = HandshakeRejected(HTTPStatus(error.status_code), code, message)
        return JSONResponse(error_record(refusal), error.status_code, headers=error.headers)
