"""Short-lived access tokens: a backend requests one, and a web page opens one session with it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.rejection import HandshakeRejected

__all__ = ["MAX_SETTINGS_BYTES", "Grant", "TokenIssuer"]

MAX_SETTINGS_BYTES = 2048
"""Maximum size of the settings in a token, which must fit into a header."""
_PREFIX = "ek_"
_LONGEST = 8192  # characters of a token
_GRACE = 60.0  # seconds from the handshake to the session


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to open one session.

    Attributes:
        key: name of the key that it was issued for.
        expires: Unix time until which the session must start.
        id: identifies the token.
        settings: settings of a Realtime session; empty: the client's own.
    """

    key: str
    expires: float
    id: str
    settings: Mapping[str, Any] = field(default_factory=dict)


class TokenIssuer:
    """Issues short-lived tokens and accepts each of them once.

    Tokens are signed with a secret that is derived from the long-lived access token of their key.
    So all servers with that key accept them, and a token ends with its key. Of a key whose SHA-256
    alone is known, only the server that issued the token accepts it.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Create an issuer; `clock` returns the Unix time."""
        self._clock = clock
        self._own = secrets.token_bytes(32)
        self._used: dict[str, float] = {}  # expiry by id

    def issue(
        self, key: Key, seconds: float, settings: Mapping[str, Any] | None = None
    ) -> tuple[str, int]:
        """Return a token that opens a session within `seconds`, and the Unix time of its expiry."""
        expires, id = int(self._clock() + seconds), secrets.token_urlsafe(12)
        content = _encode(json.dumps([key.name, expires, id, settings or {}]).encode())
        return f"{_PREFIX}{content}.{_encode(self._signature(key, content))}", expires

    def find(
        self, keys: Iterable[Key], token: str, *, late: float = 0.0
    ) -> tuple[Key, Grant] | None:
        """Return the key and the content of a short-lived token; None: it is none of these keys.

        Args:
            keys: keys of the server.
            token: the token.
            late: seconds after its expiry in which it is accepted, up to a minute.

        Raises:
            HandshakeRejected: the token has expired, or has opened a session.
        """
        if not token.startswith(_PREFIX) or len(token) > _LONGEST:
            return None
        content, _, signature = token.removeprefix(_PREFIX).partition(".")
        for key in keys:
            expected = _encode(self._signature(key, content))
            if hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
                grant = Grant(*json.loads(base64.urlsafe_b64decode(f"{content}==")))
                if grant.key == key.name:
                    self._check(grant, late)
                    return key, grant
        return None

    def redeem(self, grant: Grant) -> None:
        """Mark a token as used.

        Raises:
            HandshakeRejected: the token has opened a session.
        """
        self._check(grant, late=float("inf"))
        now = self._clock()
        # Once it has expired, it is rejected anyway.
        self._used = {id: expires for id, expires in self._used.items() if expires > now}
        self._used[grant.id] = grant.expires + _GRACE

    def _check(self, grant: Grant, late: float) -> None:
        if grant.id in self._used:
            raise _rejected("This short-lived token has opened its session. Request another one.")
        if self._clock() > grant.expires + late:
            raise _rejected("This short-lived token has expired. Request another one.")

    def _signature(self, key: Key, content: str) -> bytes:
        secret = key.signing or self._own + key.digest
        return hmac.digest(secret, content.encode(errors="replace"), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _rejected(message: str) -> HandshakeRejected:
    return HandshakeRejected(HTTPStatus.UNAUTHORIZED, "unauthorized", message)
