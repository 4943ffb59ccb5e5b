"""Connecting to a server, and the errors for a failed connection."""

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

__all__ = [
    "DEFAULT_URL",
    "Credentials",
    "can_be_tampered_with",
    "close",
    "dial",
    "lost",
    "trust_anything",
]

DEFAULT_URL = "ws://127.0.0.1:8765/v1/stream"

_CANNOT_CONNECT = (OSError, InvalidHandshake, InvalidURI, ConnectionClosed)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Access token of a client, and the certificates it trusts.

    Attributes:
        token: access token for the server.
        tls: TLS context for ``wss://``; None trusts what the system trusts.
    """

    token: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None


def trust_anything() -> ssl.SSLContext:
    """Return a TLS context that accepts any certificate: encrypted, but not authenticated."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def can_be_tampered_with(url: str) -> bool:
    """Return whether other machines can read and change what a server at `url` sends."""
    return urlsplit(url).scheme != "wss" and not _is_local(url)


async def dial(url: str, open_timeout: float, credentials: Credentials) -> ClientConnection:
    """Open a WebSocket connection to `url` within `open_timeout` seconds.

    Raises:
        ConnectionLostError: the server cannot be reached or does not speak WebSocket.
        ServerError: the server accepts no session at present.
    """
    try:
        return await connect(url, **_websocket_options(url, open_timeout, credentials))
    except _CANNOT_CONNECT as error:
        raise _cannot_connect(url, error) from error


async def close(websocket: ClientConnection) -> None:
    """Close a connection, which may be closed already."""
    # Closing or sending after the server has closed during a large write makes asyncio's
    # transport fail: it was released already and is aborted a second time.
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
        # Unread data is text, a few kilobytes per minute. With a limit, a client that sends a
        # whole file before it reads would block the server, which would block the client.
        "max_queue": None,
        "proxy": _proxy(url),
    }


def _proxy(url: str) -> Literal[True] | None:
    """Return whether to use the environment's proxy: True, or None for this machine itself."""
    return None if _is_local(url) else True


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _cannot_connect(url: str, error: Exception) -> Exception:
    if isinstance(error, InvalidURI):
        return ConnectionLostError(f"{error}; expected an address, e.g. {DEFAULT_URL}")
    if isinstance(error, InvalidStatus):
        return _rejected(url, error)
    if isinstance(error, InvalidHandshake | ConnectionClosed):
        return ConnectionLostError(
            f"{url} does not speak WebSocket ({error}); is it a streamwhisper server?"
        )
    reason = str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionLostError(
            f"the certificate of {url} is not trusted: {reason}. If it is self-signed, compare its "
            "fingerprint with the one that the server prints, then pass an ssl.SSLContext with "
            "this certificate as `tls=`, or accept any certificate with --insecure"
        )
    return ConnectionLostError(
        f"cannot connect to {url}: {reason}. Is a server running there? Try: streamwhisper serve"
    )


def _rejected(url: str, error: InvalidStatus) -> Exception:
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
        status = f"{response.status_code} {response.reason_phrase}".strip()
        return ConnectionLostError(f"{url} answered HTTP {status}: {body[:200]}")


def lost(url: str, error: ConnectionClosed) -> ConnectionLostError:
    """Return the error for a connection that was closed during a session."""
    return ConnectionLostError(
        f"the connection to {url} was lost before the session was done: {error}. Committed "
        "text stays valid; open another session for the audio after it."
    )
