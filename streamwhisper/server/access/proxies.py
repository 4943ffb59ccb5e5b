"""Proxies of one's own before a server, and whom they speak for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Network", "client_address", "parse_network"]

Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """An address, or all of a network.

    Raises:
        ValueError: it is neither.
    """
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no address and no network ({error}); expected such as 127.0.0.1 or "
            "10.0.0.0/8"
        ) from error


def client_address(peer: str, forwarded: Iterable[str], proxies: Sequence[Network]) -> str:
    """Who asks: the last address on the way that is no proxy of ours, for others can lie.

    Args:
        peer: the address at the other end of the connection.
        forwarded: the headers ``X-Forwarded-For``, to which each proxy adds who asked it.
        proxies: those that are believed.
    """
    hops = [hop.strip() for hop in ",".join(forwarded).split(",") if hop.strip()]
    while hops and _within(peer, proxies):
        peer = hops.pop()
    return peer


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped  # a server that listens on :: sees IPv4 so
    return any(found in network for network in networks)
