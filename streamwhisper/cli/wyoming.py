"""Flags of ``serve`` for voice assistants that speak Wyoming."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from streamwhisper.cli.flags import option

if TYPE_CHECKING:
    from streamwhisper.server.wyoming.port import WyomingOptions

__all__ = ["Port", "SaysTheEnd", "Zeroconf", "wyoming_options"]

wyoming_option = partial(option, rich_help_panel="Voice assistants (Wyoming)")

Port = Annotated[
    int | None,
    wyoming_option(
        "--wyoming-port",
        min=0,
        max=65535,
        help="Speak Wyoming there, for Home Assistant, which looks at 10300; it has no keys.",
    ),
]
SaysTheEnd = Annotated[
    bool,
    wyoming_option(
        "--wyoming-endpoint", help="Say by what was said when a command is over, and end it."
    ),
]
Zeroconf = Annotated[bool, wyoming_option("--zeroconf", help="Announce it in the local network.")]


def wyoming_options(
    port: int | None, *, endpointing: bool, zeroconf: bool
) -> WyomingOptions | None:
    """Whether and how Wyoming is spoken.

    Raises:
        ValueError: flags that do not fit, or a package is missing.
    """
    from streamwhisper.server.wyoming.discovery import check_zeroconf
    from streamwhisper.server.wyoming.port import WyomingOptions

    if port is None:
        if endpointing or zeroconf:
            raise ValueError("--wyoming-endpoint and --zeroconf need --wyoming-port, such as 10300")
        return None
    if zeroconf:
        check_zeroconf()
    return WyomingOptions(port, endpointing, zeroconf)
