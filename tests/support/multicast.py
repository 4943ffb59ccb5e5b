"""Whether this machine supports multicast."""

from __future__ import annotations

import socket


def multicast_works() -> bool:
    """Whether this machine lets one join a group on its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        group = socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1")
        try:
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        except OSError:
            return False
    return True
