"""Trusted proxies, and the client address that they forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Network", "client_address", "parse_network", "plain_address"]

Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """Parse an IP address or a network.

    Raises:
        ValueError: the text is neither.
    """
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an IP address or network ({error}); expected e.g. 127.0.0.1 or "
            "10.0.0.0/8"
        ) from error


def client_address(peer: str, forwarded: Iterable[str], proxies: Sequence[Network]) -> str:
    """Return the client's address: the last one on the way that is not a trusted proxy.

    Addresses before it can be forged.

    Args:
        peer: address at the other end of the connection.
        forwarded: ``X-Forwarded-For`` headers, to which each proxy appends the address of its peer.
        proxies: addresses of trusted proxies.
    """
    hops = [hop.strip() for hop in ",".join(forwarded).split(",") if hop.strip()]
    while hops and _within(peer, proxies):
        peer = hops.pop()
    return plain_address(peer)


def plain_address(address: str) -> str:
    """Return an IP address without a mapping: a server that listens on :: sees IPv4 mapped."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return address if mapped is None else str(mapped)


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ip_address(plain_address(address))
    except ValueError:
        return False
    return any(found in network for network in networks)
