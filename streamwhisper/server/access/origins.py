"""Which web pages may use the server: a browser says where a page comes from, and whom it asks.

Any page that somebody opens could otherwise use a server that their browser can reach, such as
one on their own machine. A page of an attacker can even have its own name lead there ("DNS
rebinding"); then its origin fits the host, but the host is not one that the server goes by.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["check_origin", "host_admitted", "is_loopback", "origin_admitted"]

_PORTS = {"http": 80, "https": 443}

Place = tuple[str, int | None]  # host and port


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def origin_admitted(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a page may open streams.

    Args:
        origin: where the page comes from, such as ``https://captions.example``; None: it is
            not a browser who asks.
        host: the server's name as the request has it, and perhaps its port.
        allowed: origins of other hosts that may, too; ``*``: all.
    """
    if origin is None or "*" in allowed or origin in allowed:
        return True
    page = _place(origin)
    scheme = origin.partition(":")[0]
    return page is not None and host is not None and page == _place(f"{scheme}://{host}")


def host_admitted(host: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a server that listens on loopback goes by this name (``Host``)."""
    if host is None or "*" in allowed:
        return True
    place = _place(f"http://{host}")
    if place is None:
        return False
    return is_loopback(place[0]) or place[0] in {urlsplit(origin).hostname for origin in allowed}


def check_origin(origin: str) -> str:
    """An origin for the list of those allowed, as browsers write it.

    Raises:
        ValueError: it is none.
    """
    if origin in ("*", "null"):
        return origin
    wrong = ValueError(
        f"{origin!r} is no origin; expected such as https://captions.example, or * for all"
    )
    if _place(origin) is None:
        raise wrong
    parts = urlsplit(origin)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _place(origin: str) -> Place | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.hostname, port or _PORTS[parts.scheme]
