"""Access tokens: the server's keys, where a request carries one, and the key file."""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from websockets.http11 import Request

from streamwhisper.server.access.limits import Quota
from streamwhisper.server.publishing.rooms import ROOM_NAME, is_room
from streamwhisper.validation import FieldError, did_you_mean, read

__all__ = ["SCHEMES", "SUBPROTOCOL", "Key", "find_key", "presented_keys", "read_keys"]

SUBPROTOCOL = "streamwhisper"
"""Subprotocol of the native protocol; browsers offer it beside the one that carries their token."""

SCHEMES = frozenset({"token", "bearer"})
"""Schemes of a token: in the header, and as the subprotocol before the one that is the token."""

_PREFIXES = ("bearer.", "openai-insecure-api-key.")  # of subprotocols that carry a token
_SECRET = re.compile(r"[!-~]+")  # printable, without spaces: what fits into a header
_SIGNING = b"streamwhisper: sign short-lived tokens"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_QUOTA = {field.name.replace("_", "-"): field.name for field in fields(Quota)}
_FIELDS = ("name", "key", "sha256", "rooms", *_QUOTA)


@dataclass(frozen=True, slots=True)
class Key:
    """A key; only the SHA-256 of its access token is stored.

    Attributes:
        name: identifies the key in the log.
        digest: SHA-256 of the access token.
        quota: limits of the key's sessions.
        rooms: rooms in which its holder may publish; None: all. Viewers need no key.
        signing: secret that signs short-lived tokens; empty: the access token is not known.
    """

    name: str
    digest: bytes = field(repr=False)
    quota: Quota = field(default_factory=Quota)
    rooms: tuple[str, ...] | None = None
    signing: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def of(cls, name: str, secret: str, quota: Quota | None = None) -> Key:
        """Return the key of an access token.

        Raises:
            ValueError: the token is empty, or does not fit into an HTTP header.
        """
        if not _SECRET.fullmatch(secret):
            raise ValueError(
                f"the key {name!r} is empty, or contains spaces or non-ASCII characters; create "
                'one with: python -c "import secrets; print(secrets.token_urlsafe())"'
            )
        signing = hmac.digest(secret.encode(), _SIGNING, hashlib.sha256)
        return cls(name, _digest(secret), quota or Quota(), signing=signing)


def find_key(keys: Iterable[Key], secret: str) -> Key | None:
    """Return the key of an access token; all keys are compared, each in constant time."""
    digest = _digest(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def presented_keys(request: Request) -> Iterator[str]:
    """Yield the access tokens of a request: of its headers, ``?token=`` and subprotocols."""
    for header in request.headers.get_all("Authorization"):
        scheme, _, secret = header.partition(" ")
        if scheme.lower() in SCHEMES and secret:
            yield secret.strip()
    yield from parse_qs(request.path.partition("?")[2]).get("token", [])
    offered = [
        protocol.strip()
        for header in request.headers.get_all("Sec-WebSocket-Protocol")
        for protocol in header.split(",")
    ]
    for before, protocol in zip(["", *offered], offered, strict=False):
        prefix = next(filter(protocol.startswith, _PREFIXES), None)
        if prefix is not None:
            yield protocol.removeprefix(prefix)
        elif before.lower() in SCHEMES:
            yield protocol


def read_keys(file: Path, quota: Quota) -> tuple[Key, ...]:
    """Read the keys of a TOML file; `quota` applies where a key has no limits of its own.

    ::

        [[key]]
        name = "stage"
        key = "…"              # or sha256 = "…", in hexadecimal
        sessions = 2           # this and the following: see `Quota`
        audio-rate = 4
        audio-burst = 60
        session-seconds = 7200

    Raises:
        OSError: the file cannot be read.
        ValueError: the file does not contain valid keys.
    """
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        tables = found.pop("key", None)
        if found or not isinstance(tables, list):
            raise ValueError(f"expected tables [[key]], found {', '.join(found) or 'none'}")
        keys = tuple(_read_key(table, quota) for table in tables)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    names = [key.name for key in keys]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{file}: several keys have the name {min(twice)!r}; each needs its own")
    return keys


def _read_key(table: dict[str, Any], quota: Quota) -> Key:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"a key has the name {name!r}; expected text, which identifies it in the log"
        )
    for field_name in table:
        if field_name not in _FIELDS:
            near = did_you_mean(field_name, _FIELDS)
            raise ValueError(f"key {name!r}: unknown {field_name!r}; {near}")
    secret, sha256 = table.get("key"), table.get("sha256")
    if (secret is None) == (sha256 is None):
        raise ValueError(f"key {name!r}: expected either key or sha256")
    granted = {
        _QUOTA[limit]: _read_field(name, limit, value, int | float)
        for limit, value in table.items()
        if limit in _QUOTA
    }
    try:
        quota = replace(quota, **granted)
    except ValueError as error:
        raise ValueError(f"key {name!r}: {error}") from error
    rooms = _read_rooms(name, table.get("rooms"))
    if secret is not None:
        return replace(Key.of(name, str(secret), quota), rooms=rooms)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"key {name!r}: sha256 is not 64 hexadecimal digits")
    return Key(name, bytes.fromhex(sha256), quota, rooms)


def _read_rooms(name: str, rooms: Any) -> tuple[str, ...] | None:
    if rooms is None:
        return None
    names: tuple[str, ...] = _read_field(name, "rooms", rooms, tuple[str, ...])
    if wrong := [room for room in names if not is_room(room)]:
        raise ValueError(f"key {name!r}: {wrong[0]!r} is not a room name; expected {ROOM_NAME}")
    return names


def _read_field(key: str, field_name: str, value: object, hint: Any) -> Any:
    try:
        return read(value, hint)
    except FieldError as error:
        raise ValueError(f"key {key!r}: {field_name} {error}") from None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
