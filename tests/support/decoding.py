"""Drives the decoding of a dialect's containers, as a connection does."""

from __future__ import annotations

from collections.abc import Iterator

from streamwhisper.server.dialect import Dialect

__all__ = ["decoding"]


def decoding(dialect: Dialect) -> Iterator[None]:
    """Yield after each step of a container's audio, until all received bytes are decoded."""
    while (backlog := dialect.backlog) is not None:
        backlog.wait()
        dialect.advance()
        yield
