"""Authentication, origin checks and session quotas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any

from websockets.http11 import Request

from streamwhisper.server.access.keys import Key, find_key, presented_keys
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.origins import (
    check_origin,
    could_be_rebound,
    host_admitted,
    origin_admitted,
)
from streamwhisper.server.access.proxies import Network, client_address, plain_address
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.access.short_lived import Grant, TokenIssuer

__all__ = ["AccessOptions", "AccessPolicy", "Client", "network_of"]


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Access rules: tokens, origins, quotas and trusted proxies.

    Attributes:
        keys: accepted access tokens; empty: clients need none.
        origins: origins of web pages on other hosts that may use the server; ``*``: all.
        quota: quota of clients without a key.
        proxies: addresses of trusted proxies, whose ``X-Forwarded-For`` names the client.

    Raises:
        ValueError: an entry of `origins` is not an origin.
    """

    keys: tuple[Key, ...] = ()
    origins: tuple[str, ...] = ()
    quota: Quota = field(default_factory=Quota)
    proxies: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "origins", tuple(check_origin(origin) for origin in self.origins))


@dataclass(frozen=True, slots=True)
class Client:
    """An authenticated client.

    Attributes:
        address: IP address.
        quota: limits of the client's sessions.
        key: name of the client's key; None: the server has no keys.
        rooms: rooms in which the client may publish; None: all.
        grant: content of the client's short-lived token; None: its token is a lasting one.
    """

    address: str = ""
    quota: Quota = field(default_factory=Quota)
    key: str | None = None
    rooms: tuple[str, ...] | None = None
    grant: Grant | None = None

    @property
    def owner(self) -> tuple[str | None, str]:
        """Identity of the client: its key, or its address if it has no key."""
        return (None, self.address) if self.key is None else (self.key, "")


class AccessPolicy:
    """Authenticates clients, checks origins, and counts open sessions.

    Attributes:
        open_sessions: number of sessions that hold a slot.
        shutting_down: set it to reject every further request.
    """

    def __init__(self, options: AccessOptions, limits: Limits, *, loopback: bool) -> None:
        """Guard a server.

        Args:
            options: which clients may use the server.
            limits: how many sessions may be open.
            loopback: whether the server listens on loopback only; then the ``Host`` header must
                name this machine, too.
        """
        self._options = options
        self._limits = limits
        self._loopback = loopback
        self._issuer = TokenIssuer()
        self._by_key: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self.open_sessions = 0
        self.shutting_down = False

    def check_source(self, request: Request) -> None:
        """Reject requests of web pages that may not use the server.

        Raises:
            HandshakeRejected: the ``Host`` or the ``Origin`` header is not allowed, or there are
                several.
        """
        host, origin = _only(request, "Host"), _only(request, "Origin")
        allowed = self._options.origins
        if self._loopback and not host_admitted(host, allowed):
            raise HandshakeRejected(
                HTTPStatus.FORBIDDEN,
                "forbidden_host",
                f"The request names the host {_excerpt(host)}, but this server listens on loopback "
                "only; expected a name such as localhost. Behind a proxy, start the server with "
                "--origin and its public address.",
            )
        if not origin_admitted(origin, host, allowed):
            raise HandshakeRejected(
                HTTPStatus.FORBIDDEN,
                "forbidden_origin",
                f"Web pages of {_excerpt(origin)} may not use this server ({_excerpt(host)}). "
                "Open a page of the server itself, or start the server with --origin and the "
                "page's origin.",
            )
        known = origin in allowed or host_admitted(host, allowed)
        if not known and could_be_rebound(origin):
            raise HandshakeRejected(
                HTTPStatus.FORBIDDEN,
                "forbidden_host",
                f"The page {_excerpt(origin)} has a public name and is not encrypted, so another "
                "site could pretend to be this server. Use https, the server's address, or start "
                "the server with --origin and this origin.",
            )

    def address(self, request: Request, peer: str) -> str:
        """Return the address of the client; `peer` is the other end of the connection."""
        forwarded = request.headers.get_all("X-Forwarded-For")
        return client_address(peer, forwarded, self._options.proxies)

    def authenticate(
        self, request: Request, peer: str, *, late: float = 0.0, lasting: bool = False
    ) -> Client:
        """Return the client that sent a request.

        Args:
            request: carries the access token.
            peer: address at the other end of the connection.
            late: seconds after its expiry in which a short-lived token is accepted.
            lasting: reject short-lived tokens, which only open sessions.

        Raises:
            HandshakeRejected: the access token is missing or not accepted.
        """
        options = self._options
        address = self.address(request, peer)
        presented = list(presented_keys(request))
        for secret in presented:
            if (key := find_key(options.keys, secret)) is not None:
                return Client(address, key.quota, key.name, key.rooms)
            if found := self._issuer.find(options.keys or (self._anyone,), secret, late=late):
                key, grant = found
                if lasting:
                    raise HandshakeRejected(
                        HTTPStatus.FORBIDDEN,
                        "forbidden",
                        "A short-lived token only opens a session. Use an access token here.",
                    )
                return Client(address, key.quota, key.name or None, key.rooms, grant)
        if not options.keys:
            return Client(address, options.quota)
        raise HandshakeRejected(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "Access token not accepted."
            if presented
            else 'This server needs an access token. Send it as "Authorization: Bearer TOKEN", as '
            '?token=TOKEN, or with the WebSocket subprotocols "streamwhisper" and "bearer.TOKEN".',
        )

    @property
    def _anyone(self) -> Key:
        """Key of all clients of a server without access tokens."""
        return Key("", b"", self._options.quota)

    def issue(
        self, client: Client, seconds: float, settings: Mapping[str, Any] | None = None
    ) -> tuple[str, int]:
        """Return a short-lived token for one session of a client, and its expiry as Unix time.

        Args:
            client: a client with a lasting token.
            seconds: time in which the session must start.
            settings: settings of a Realtime session.
        """
        keys = {key.name: key for key in self._options.keys}
        return self._issuer.issue(keys.get(client.key or "", self._anyone), seconds, settings)

    def redeem(self, client: Client) -> None:
        """Mark a client's short-lived token, if it has one, as used.

        Raises:
            HandshakeRejected: the token has opened a session.
        """
        if client.grant is not None:
            self._issuer.redeem(client.grant)

    def anonymous(self, address: str) -> Client:
        """Return the client at `address`, for protocols without access tokens."""
        return Client(plain_address(address), self._options.quota)

    def check_running(self) -> None:
        """Reject every client while the server shuts down.

        Raises:
            HandshakeRejected: the server is shutting down.
        """
        if self.shutting_down:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "shutting_down",
                "The server is shutting down. Try again later, or use another server.",
            )

    def check_slots(self, client: Client | None = None, slots: int = 1) -> None:
        """Check that enough session slots are free.

        Args:
            client: the client that needs them; None: any client.
            slots: number of sessions that one connection opens.

        Raises:
            HandshakeRejected: too few slots are free, or the server is shutting down.
        """
        limits, more = self._limits, slots - 1
        self.check_running()
        if self.open_sessions + more >= limits.max_sessions:
            raise _full(HTTPStatus.SERVICE_UNAVAILABLE, limits.max_sessions, "of this server")
        if client is None:
            return
        most = client.quota.sessions
        by_key = 0 if client.key is None else self._by_key[client.key] + more
        if client.key is not None and most is not None and by_key >= most:
            raise _full(HTTPStatus.TOO_MANY_REQUESTS, most, "of this key")
        most = limits.max_sessions_per_address
        if most is not None and self._by_network[network_of(client.address)] + more >= most:
            raise _full(HTTPStatus.TOO_MANY_REQUESTS, most, "of this address")

    @contextmanager
    def hold_slots(self, client: Client, slots: int = 1) -> Iterator[None]:
        """Hold session slots while the body runs."""
        counts = [(self._by_network, network_of(client.address))]
        if client.key is not None:
            counts.append((self._by_key, client.key))
        self.open_sessions += slots
        for count, name in counts:
            count[name] += slots
        try:
            yield
        finally:
            self.open_sessions -= slots
            for count, name in counts:
                count[name] -= slots
                if not count[name]:
                    del count[name]


def _full(status: HTTPStatus, most: int, whose: str) -> HandshakeRejected:
    return HandshakeRejected(
        status,
        "too_many_sessions",
        f"All {most} sessions {whose} are in use. Try again in a few seconds, or start the server "
        "with a higher limit.",
    )


def network_of(address: str) -> str:
    """Return the network that counts as one client: the address itself, or the /64 of IPv6."""
    try:
        if ip_address(address).version == 6:
            return str(ip_network((address, 64), strict=False))
    except ValueError:
        pass
    return address


def _only(request: Request, name: str) -> str | None:
    """Return the value of a header that a request may have once."""
    values = request.headers.get_all(name)
    if len(values) > 1:
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "bad_request",
            f"The request has {len(values)} {name} headers; expected at most one.",
        )
    return values[0] if values else None


def _excerpt(header: str | None) -> str:
    """Quote a header in a message; long ones are cut off."""
    return repr(header)[:200]
