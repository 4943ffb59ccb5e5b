"""Announcement of a service in the local network by DNS-SD (RFC 6763)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from streamwhisper.server.access.tls import lan_address

__all__ = ["SERVICE", "announced", "check_zeroconf"]

SERVICE = "_wyoming._tcp.local."
"""Service type that Home Assistant looks for."""


def check_zeroconf() -> None:
    """Check that the package zeroconf is installed.

    Raises:
        ValueError: it is not installed.
    """
    if find_spec("zeroconf") is None:
        raise ValueError(
            "the announcement in the local network needs the package zeroconf; install it with: "
            "pip install 'streamwhisper[zeroconf]'"
        )


@asynccontextmanager
async def announced(host: str, port: int) -> AsyncIterator[None]:
    """Announce a service while the body runs.

    Args:
        host: address the service listens on; one on loopback is announced on loopback only.
        port: port of the service.

    Raises:
        OSError: no local network is available.
    """
    from zeroconf import Error, InterfaceChoice, ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    everywhere = host in ("", "0.0.0.0", "::")
    address = lan_address() if everywhere else socket.gethostbyname(host)
    if address is None:
        raise OSError(
            "no local network is available to announce the server in; leave out --zeroconf"
        )
    name = socket.gethostname().partition(".")[0]
    service = ServiceInfo(
        SERVICE,
        f"streamwhisper on {name}.{SERVICE}",
        port,
        server=f"{name}.local.",
        parsed_addresses=[address],
    )
    network = AsyncZeroconf(interfaces=InterfaceChoice.All if everywhere else [address])
    try:
        try:
            await (await network.async_register_service(service, allow_name_change=True))
        except Error as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        yield
    finally:
        await network.async_unregister_all_services()
        await network.async_close()
