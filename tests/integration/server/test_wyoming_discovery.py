"""A server is found in the local network by who looks for it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from streamwhisper.server.wyoming import discovery
from streamwhisper.server.wyoming.discovery import SERVICE, announced, check_zeroconf
from tests.support.multicast import multicast_works


@pytest.fixture(scope="module")
def event_loop_policy() -> Any:
    """The event loop that servers run on."""
    if sys.platform == "win32":
        return asyncio.DefaultEventLoopPolicy()
    import uvloop

    return uvloop.EventLoopPolicy()


@pytest.mark.skipif(not multicast_works(), reason="there is no multicast on loopback")
async def test_a_service_is_found_while_it_runs_and_not_after() -> None:
    found: asyncio.Queue[tuple[str, ServiceStateChange]] = asyncio.Queue()

    def changed(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if name.startswith("streamwhisper"):
            found.put_nowait((name, state_change))

    network = AsyncZeroconf(interfaces=["127.0.0.1"])
    browser = AsyncServiceBrowser(network.zeroconf, SERVICE, handlers=[changed])
    try:
        async with asyncio.timeout(30):
            async with announced("127.0.0.1", 12345):
                name, change = await found.get()
                assert change is ServiceStateChange.Added
                info = AsyncServiceInfo(SERVICE, name)
                assert await info.async_request(network.zeroconf, 3000)
                assert (info.port, info.parsed_addresses()) == (12345, ["127.0.0.1"])
            while change is not ServiceStateChange.Removed:
                _, change = await found.get()
    finally:
        await browser.async_cancel()
        await network.async_close()


def test_without_the_package_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_zeroconf()
    monkeypatch.setattr(discovery, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'streamwhisper\[zeroconf\]'"):
        check_zeroconf()
