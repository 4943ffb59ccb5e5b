"""Requests for short-lived tokens, as OpenAI's and Deepgram's clients send them.

A backend with an access token requests one and passes it to a web page, which opens one session
with it. So the access token never leaves the backend.
"""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.policy import Client
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.access.short_lived import MAX_SETTINGS_BYTES
from streamwhisper.server.dialects.openai_realtime.client_events import InvalidRequest
from streamwhisper.server.dialects.openai_realtime.session_options import session_options
from streamwhisper.server.dialects.openai_realtime.settings import (
    changed,
    from_beta,
    initial_session,
    to_beta,
)
from streamwhisper.server.rest.body import Body
from streamwhisper.server.rest.request import BadField
from streamwhisper.server.rest.service import Service
from streamwhisper.session.options import SessionOptions
from streamwhisper.validation import FieldError, read

__all__ = ["ShortLivedTokens"]

Json = dict[str, Any]

_MAX_BODY = 64 * 1024
_SECRET = Annotated[int, msgspec.Meta(ge=10, le=7200)]
_GRANT = Annotated[int, msgspec.Meta(ge=1, le=3600)]
_BETA_SECONDS, _SECRET_SECONDS, _GRANT_SECONDS = 60, 600, 30


class ShortLivedTokens:
    """Pages that issue short-lived tokens."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def client_secret(self, request: Request) -> Response:
        """Answer OpenAI's ``POST /v1/realtime/client_secrets``."""
        client, body = await self._read(request)
        seconds = _seconds(body, "expires_after") or _SECRET_SECONDS
        wanted = _field("session", body.get("session") or {}, Json)
        session = self._session(wanted)
        token, expires = self._service.issue(client, seconds, wanted)
        return JSONResponse({"value": token, "expires_at": expires, "session": session})

    async def transcription_session(self, request: Request) -> Response:
        """Answer ``POST /v1/realtime/transcription_sessions`` of OpenAI's beta."""
        client, body = await self._read(request)
        secret = _field("client_secret", body.pop("client_secret", None) or {}, Json)
        seconds = _seconds(secret, "expires_after") or _seconds(secret, "expires_at")
        try:
            wanted = from_beta(body)
        except InvalidRequest as error:
            raise _bad_field(error) from None
        session = self._session(wanted)
        token, expires = self._service.issue(client, seconds or _BETA_SECONDS, wanted)
        secret = {"value": token, "expires_at": expires}
        return JSONResponse({**to_beta(session), "client_secret": secret})

    async def conversation(self, request: Request) -> Response:
        """Reject ``POST /v1/realtime/sessions`` of OpenAI's beta: a conversation."""
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "unsupported",
            "this server only transcribes; POST to /v1/realtime/client_secrets with session.type "
            '"transcription", or to /v1/realtime/transcription_sessions',
        )

    async def grant(self, request: Request) -> Response:
        """Answer Deepgram's ``POST /v1/auth/grant``."""
        client, body = await self._read(request)
        given = body.get("ttl_seconds")
        seconds = _GRANT_SECONDS if given is None else _field("ttl_seconds", given, _GRANT)
        token, _ = self._service.issue(client, seconds)
        return JSONResponse({"access_token": token, "expires_in": seconds})

    async def _read(self, request: Request) -> tuple[Client, Json]:
        """Return the client and the JSON object of a request; an empty body is an empty object."""
        client = self._service.authenticate(request, lasting=True)
        await self._service.wait()
        body = Body(request, self._service.options)
        text = b""
        async for piece in Request(request.scope, body.receive).stream():
            text += piece
            if len(text) > _MAX_BODY:
                raise HandshakeRejected(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "body_too_large",
                    f"the request has more than {_MAX_BODY} bytes; expected a small JSON object",
                )
        try:
            found = json.loads(text or b"{}")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise HandshakeRejected(
                HTTPStatus.BAD_REQUEST, "invalid_json", "the body is not a JSON object"
            )
        return client, found

    def _session(self, wanted: Json) -> Json:
        """Return the session that a token will open.

        Raises:
            BadField: a setting is invalid, or the model does not support it.
        """
        info: ModelInfo = self._service.info
        if len(json.dumps(wanted)) > MAX_SETTINGS_BYTES:
            raise BadField(
                "session",
                f"session has more than {MAX_SETTINGS_BYTES} bytes, which does not fit into a "
                "token; send the rest with session.update",
            )
        try:
            session = changed(initial_session(f"sess_{uuid.uuid4().hex[:12]}", info.name), wanted)
            session_options(session, SessionOptions(), info)
        except InvalidRequest as error:
            raise _bad_field(error) from None
        return session


def _bad_field(error: InvalidRequest) -> BadField:
    return BadField(error.param or "session", str(error), code=error.code)


def _seconds(body: Json, name: str) -> int | None:
    after = _field(name, body.get(name) or {}, Json)
    given = after.get("seconds")
    return None if given is None else _field(f"{name}.seconds", given, _SECRET)


def _field(name: str, value: object, hint: Any) -> Any:
    try:
        return read(value, hint)
    except FieldError as error:
        raise BadField(name, f"{name} {error}") from None
