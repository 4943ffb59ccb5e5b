"""Telling the local network of a service, so that nobody need type its address (RFC 6763)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from streamwhisper.server.access.tls import lan_address

__all__ = ["SERVICE", "announced", "check_zeroconf"]

SERVICE = "_wyoming._tcp.local."
"""What Home Assistant looks for."""


def check_zeroconf() -> None:
    """See that what announces is installed.

    Raises:
        ValueError: it is not.
    """
    if find_spec("zeroconf") is None:
        raise ValueError(
            "to announce the server in the local network needs the package zeroconf; try: "
            "pip install 'streamwhisper[zeroconf]'"
        )


@asynccontextmanager
async def announced(host: str, port: int) -> AsyncIterator[None]:
    """Announce a service while the body runs.

    Args:
        host: what it listens on; a service for this machine alone is announced to it alone.

    Raises:
        OSError: there is no network to announce it in.
    """
    from zeroconf import Error, InterfaceChoice, ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    everywhere = host in ("", "0.0.0.0", "::")
    address = lan_address() if everywhere else socket.gethostbyname(host)
    if address is None:
        raise OSError("there is no local network to announce the server in; leave --zeroconf out")
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
