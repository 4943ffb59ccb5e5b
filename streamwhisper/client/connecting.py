"""Connecting to a server, and what to say when that fails."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.protocol import State

from streamwhisper.errors import ConnectionLostError, ServerError

__all__ = ["DEFAULT_URL", "Credentials", "close", "dial", "lost", "trust_anything"]

DEFAULT_URL = "ws://127.0.0.1:8765/v1/stream"

_CANNOT_CONNECT = (OSError, InvalidHandshake, InvalidURI, ConnectionClosed)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows a server, and wants to be shown.

    Attributes:
        token: the key that the server wants.
        tls: what is trusted at a ``wss://`` address; None: what the system trusts.
    """

    token: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None


def trust_anything() -> ssl.SSLContext:
    """TLS with whoever answers: encrypted, but it is not known with whom. For self-signed ones."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def dial(url: str, open_timeout: float, credentials: Credentials) -> ClientConnection:
    """A WebSocket connection to `url`, within `open_timeout` seconds.

    Raises:
        ConnectionLostError: nobody answers, or not with a WebSocket.
        ServerError: a server that takes nobody in at present.
    """
    try:
        return await connect(url, **_websocket_options(url, open_timeout, credentials))
    except _CANNOT_CONNECT as error:
        raise _cannot_connect(url, error) from error


async def close(websocket: ClientConnection) -> None:
    """Close a connection that may be closed already."""
    # To close or to send where the server has closed in the middle of a large write makes
    # asyncio's transport fail: it was let go already, and is aborted once more.
    if websocket.state is not State.CLOSED:
        await websocket.close()


def _websocket_options(url: str, open_timeout: float, credentials: Credentials) -> dict[str, Any]:
    secure: dict[str, Any] = {}
    if credentials.token is not None:
        secure["additional_headers"] = {"Authorization": f"Bearer {credentials.token}"}
    if credentials.tls is not None and url.startswith("wss:"):
        secure["ssl"] = credentials.tls
    return {
        **secure,
        "open_timeout": open_timeout,
        "compression": None,  # audio hardly shrinks
        # What is unread is text, a few kilobytes a minute. With a limit, a client that sends a
        # whole file before it reads would stop the server, which would stop the client.
        "max_queue": None,
        "proxy": _proxy(url),
    }


def _proxy(url: str) -> Literal[True] | None:
    """Whether to ask the environment for a proxy: not on the way to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return None if ip_address(host).is_loopback else True
    except ValueError:
        return None if host == "localhost" else True


def _cannot_connect(url: str, error: Exception) -> Exception:
    if isinstance(error, InvalidURI):
        return ConnectionLostError(f"{error}; expected an address such as {DEFAULT_URL}")
    if isinstance(error, InvalidStatus):
        return _refused(url, error)
    if isinstance(error, InvalidHandshake | ConnectionClosed):
        return ConnectionLostError(
            f"{url} does not speak WebSocket ({error}); is it a streamwhisper server?"
        )
    reason = str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionLostError(
            f"{url} shows a certificate that is not trusted here: {reason}. If it is self-signed, "
            "compare its fingerprint with the one that the server prints; then trust it by "
            "`tls=` with an ssl.SSLContext that has it, or give up on knowing by --insecure"
        )
    return ConnectionLostError(
        f"cannot connect to {url}: {reason}. Is a server running there? Try: streamwhisper serve"
    )


def _refused(url: str, error: InvalidStatus) -> Exception:
    response = error.response
    body = bytes(response.body or b"").decode(errors="replace").strip()
    try:
        answer = json.loads(body)
        wait = answer.get("retry_after")
        return ServerError(
            str(answer["code"]),
            str(answer["message"]),
            fatal=True,
            retry_after=None if wait is None else float(wait),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        said = f"{response.status_code} {response.reason_phrase}".strip()
        return ConnectionLostError(f"{url} answered HTTP {said}: {body[:200]}")


def lost(url: str, error: ConnectionClosed) -> ConnectionLostError:
    """The error for a connection that was closed in mid-session."""
    return ConnectionLostError(
        f"the connection to {url} was lost before the session was done: {error}. What is "
        "committed stays; open another session for the audio after it."
    )
