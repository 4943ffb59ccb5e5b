"""Flags of ``serve`` for voice assistants that speak Wyoming."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from streamwhisper.cli.flags import option

if TYPE_CHECKING:
    from streamwhisper.server.wyoming.options import WyomingOptions

__all__ = ["WyomingFlags"]

_wyoming = partial(option, rich_help_panel="Voice assistants (Wyoming)")


@dataclass(frozen=True, slots=True)
class WyomingFlags:
    """Flags for the Wyoming port."""

    wyoming_port: Annotated[
        int | None,
        _wyoming(
            "--wyoming-port",
            min=0,
            max=65535,
            help="Serve Wyoming on this port; Home Assistant expects 10300. Wyoming has no "
            "access tokens.",
        ),
    ] = None
    wyoming_endpoint: Annotated[
        bool,
        _wyoming(
            "--wyoming-endpoint",
            help="Detect the end of a spoken command, so that the client need not send it.",
        ),
    ] = False
    zeroconf: Annotated[
        bool, _wyoming("--zeroconf", help="Announce the port on the local network.")
    ] = False

    def wyoming_options(self) -> WyomingOptions | None:
        """Return the port's options; None: no port.

        Raises:
            ValueError: flags that do not fit, or a missing package.
        """
        from streamwhisper.server.wyoming.discovery import check_zeroconf
        from streamwhisper.server.wyoming.options import WyomingOptions

        if self.wyoming_port is None:
            if self.wyoming_endpoint or self.zeroconf:
                raise ValueError(
                    "--wyoming-endpoint and --zeroconf need --wyoming-port, e.g. 10300"
                )
            return None
        if self.zeroconf:
            check_zeroconf()
        return WyomingOptions(self.wyoming_port, self.wyoming_endpoint, self.zeroconf)
