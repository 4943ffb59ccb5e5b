"""Origin and host checks: which web pages may use the server.

Without them, any page that a user opens could use every server that the user's browser can reach,
e.g. one on the same machine. An attacker can even make a domain name resolve to that server ("DNS
rebinding"): then the page's origin matches the host, but the host is not a name of the server.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["check_origin", "could_be_rebound", "host_admitted", "is_loopback", "origin_admitted"]

_PORTS = {"http": 80, "https": 443}
_LOCAL_ENDINGS = ("corp", "home", "home.arpa", "internal", "lan", "local", "localhost", "test")
"""Endings of names that no stranger can register."""

HostPort = tuple[str, int]


def is_loopback(host: str) -> bool:
    """Return whether a host (without its port) is this machine itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def origin_admitted(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """Return whether a web page may use the server.

    Args:
        origin: origin of the page, e.g. ``https://captions.example``; None: the client is not a
            browser.
        host: the ``Host`` header: the server's name, and perhaps its port.
        allowed: origins of pages on other hosts that may use the server; ``*``: all.
    """
    if origin is None or "*" in allowed or origin in allowed:
        return True
    page = _host_port(origin)
    scheme = origin.partition(":")[0]
    return page is not None and host is not None and page == _host_port(f"{scheme}://{host}")


def host_admitted(host: str | None, allowed: tuple[str, ...]) -> bool:
    """Return whether a server that listens on loopback accepts this ``Host`` header."""
    if host is None or "*" in allowed:
        return True
    found = _host_port(f"http://{host}")
    if found is None:
        return False
    return is_loopback(found[0]) or found[0] in {urlsplit(origin).hostname for origin in allowed}


def could_be_rebound(origin: str | None) -> bool:
    """Return whether an attacker may have made this page's own host name resolve to the server.

    That takes a public name without encryption: a browser that reaches another server by an https
    name rejects its certificate. Addresses, names without a dot, names of local networks and the
    machine's own names cannot be an attacker's.
    """
    found = None if origin is None or not origin.startswith("http://") else _host_port(origin)
    if found is None:
        return False
    host = found[0].rstrip(".")
    try:
        ip_address(host)
    except ValueError:
        own = socket.gethostname().lower()
        local = any(host.endswith(f".{ending}") for ending in _LOCAL_ENDINGS)
        return "." in host and not local and host != own
    return False


def check_origin(origin: str) -> str:
    """Return an origin for the list of allowed ones, written as browsers write it.

    Raises:
        ValueError: the text is not an origin.
    """
    if origin in ("*", "null"):
        return origin
    wrong = ValueError(
        f"{origin!r} is not an origin; expected e.g. https://captions.example, or * for all"
    )
    if _host_port(origin) is None:
        raise wrong
    parts = urlsplit(origin)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _host_port(origin: str) -> HostPort | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.hostname, port or _PORTS[parts.scheme]
