"""Who may come in, and whether there is a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address, ip_network

from websockets.http11 import Request

from streamwhisper.server.access.keys import Key, find_key, presented_keys
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.origins import check_origin, host_admitted, origin_admitted
from streamwhisper.server.access.proxies import Network, client_address
from streamwhisper.server.access.rejection import HandshakeRejected

__all__ = ["AccessOptions", "AccessPolicy", "Client"]


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Who may come in.

    Attributes:
        keys: clients need one of them; where there are none, everybody may come.
        origins: web pages of other hosts that may use the server; ``*``: all.
        allowance: what a client without a key is granted.
        proxies: of one's own before the server, which are believed when they say in
            ``X-Forwarded-For`` who asks.

    Raises:
        ValueError: something that is no origin.
    """

    keys: tuple[Key, ...] = ()
    origins: tuple[str, ...] = ()
    allowance: Quota = field(default_factory=Quota)
    proxies: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "origins", tuple(check_origin(origin) for origin in self.origins))


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may come in.

    Attributes:
        address: where they are.
        allowance: what they are granted.
        key: the name of their key.
        rooms: those in which they may publish; None: any.
    """

    address: str = ""
    allowance: Quota = field(default_factory=Quota)
    key: str | None = None
    rooms: tuple[str, ...] | None = None

    @property
    def owner(self) -> tuple[str | None, str]:
        """Who it is, as well as can be known: a key's holder, or somebody at an address."""
        return (None, self.address) if self.key is None else (self.key, "")


class AccessPolicy:
    """Lets clients in, and counts the sessions that are open."""

    def __init__(self, options: AccessOptions, limits: Limits, *, loopback: bool) -> None:
        """Guard a server.

        Args:
            loopback: whether it listens for this machine alone, and so goes by its names alone.
        """
        self._options = options
        self._limits = limits
        self._loopback = loopback
        self._by_key: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self.open_sessions = 0
        self.shutting_down = False

    def check_page(self, request: Request) -> None:
        """Refuse web pages of others.

        Raises:
            Refusal: the request comes from one.
        """
        host, origin = request.headers.get("Host"), request.headers.get("Origin")
        allowed = self._options.origins
        if self._loopback and not host_admitted(host, allowed):
            raise HandshakeRejected(
                HTTPStatus.FORBIDDEN,
                "forbidden_host",
                f"the request is for the host {_cut(host)}, but this server listens on this "
                "machine alone and goes by its names, such as localhost; behind a proxy, start "
                "it with --origin and the address that is public",
            )
        if not origin_admitted(origin, host, allowed):
            raise HandshakeRejected(
                HTTPStatus.FORBIDDEN,
                "forbidden_origin",
                f"web pages of {_cut(origin)} may not use this server ({_cut(host)}); open a page "
                "of the server itself, or have it started with --origin for the other one",
            )

    def address(self, request: Request, peer: str) -> str:
        """Where a request comes from; `peer` is at the other end of its connection."""
        forwarded = request.headers.get_all("X-Forwarded-For")
        return client_address(peer, forwarded, self._options.proxies)

    def visitor(self, request: Request, peer: str) -> Client:
        """Who asks.

        Args:
            peer: the address at the other end of the connection.

        Raises:
            Refusal: they have no key.
        """
        options = self._options
        address = self.address(request, peer)
        if not options.keys:
            return Client(address, options.allowance)
        presented = list(presented_keys(request))
        for secret in presented:
            if (key := find_key(options.keys, secret)) is not None:
                return Client(address, key.allowance, key.name, key.rooms)
        raise HandshakeRejected(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "the key that came with the request is none of this server's; ask its operator for one"
            if presented
            else 'this server wants a key: send it as "Authorization: Bearer KEY", as ?token=KEY, '
            'or with the WebSocket subprotocols "streamwhisper" and "bearer.KEY"',
        )

    def neighbour(self, address: str) -> Client:
        """Who comes by a protocol that knows no keys."""
        return Client(address, self._options.allowance)

    def check_running(self) -> None:
        """Refuse everybody once the server stops.

        Raises:
            Refusal: it does.
        """
        if self.shutting_down:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "shutting_down",
                "the server is shutting down; try another one, or later",
            )

    def check_room(self, visitor: Client | None = None, places: int = 1) -> None:
        """Refuse who finds no place at present; None: whoever may come next.

        Args:
            places: how many sessions are to be in one connection.

        Raises:
            Refusal: there are not so many.
        """
        limits, more = self._limits, places - 1
        self.check_running()
        if self.open_sessions + more >= limits.max_sessions:
            raise _full(HTTPStatus.SERVICE_UNAVAILABLE, limits.max_sessions, "of this server")
        if visitor is None:
            return
        most = visitor.allowance.sessions
        by_key = 0 if visitor.key is None else self._by_key[visitor.key] + more
        if visitor.key is not None and most is not None and by_key >= most:
            raise _full(HTTPStatus.TOO_MANY_REQUESTS, most, "of this key")
        most = limits.max_sessions_per_address
        if most is not None and self._by_network[_network(visitor.address)] + more >= most:
            raise _full(HTTPStatus.TOO_MANY_REQUESTS, most, "of this address")

    @contextmanager
    def session(self, visitor: Client, places: int = 1) -> Iterator[None]:
        """Holds so many places while its body runs."""
        counts = [(self._by_network, _network(visitor.address))]
        if visitor.key is not None:
            counts.append((self._by_key, visitor.key))
        self.open_sessions += places
        for count, name in counts:
            count[name] += places
        try:
            yield
        finally:
            self.open_sessions -= places
            for count, name in counts:
                count[name] -= places
                if not count[name]:
                    del count[name]


def _full(status: HTTPStatus, most: int, whose: str) -> HandshakeRejected:
    return HandshakeRejected(
        status,
        "too_many_sessions",
        f"all {most} sessions {whose} are taken; try again in a few seconds, or have the server "
        "started with a higher limit",
    )


def _network(address: str) -> str:
    """What one household or machine has: an address, or of IPv6 a /64."""
    try:
        if ip_address(address).version == 6:
            return str(ip_network((address, 64), strict=False))
    except ValueError:
        pass
    return address


def _cut(header: str | None) -> str:
    """What a client says, in a message to it."""
    return repr(header)[:200]
