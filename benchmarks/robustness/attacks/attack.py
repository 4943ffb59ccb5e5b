"""An attack: what a hostile client does to a server until it is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

__all__ = ["Attack", "Run", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A server under attack, on loopback.

    Attributes:
        port: port of the WebSocket server.
        rest_port: port of the REST interfaces.
        token: an access token of the server.
    """

    port: int
    rest_port: int
    token: str


Run = Callable[[Target], Coroutine[Any, Any, None]]
"""Attacks a server until it is cancelled; it may also return when it has done its worst."""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack.

    Attributes:
        name: describes the attack in the results and in ``--only``.
        run: what the client does.
        arguments: further arguments of ``streamwhisper serve``.
        open_files: soft and hard limit of the server's open files; None: those of this process.
    """

    name: str
    run: Run
    arguments: tuple[str, ...] = ()
    open_files: int | None = None
