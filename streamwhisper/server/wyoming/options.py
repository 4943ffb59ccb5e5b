"""Options of the Wyoming port."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WyomingOptions"]


@dataclass(frozen=True, slots=True)
class WyomingOptions:
    """Options of the Wyoming port.

    Attributes:
        port: port to listen on; 0: any free one. Clients look at 10300 first.
        endpointing: whether the server, and not its client, detects the end of a command.
        zeroconf: whether to announce the port in the local network.
    """

    port: int = 10300
    endpointing: bool = False
    zeroconf: bool = False
