"""QR codes of room addresses on this server, for the phones of an audience."""

from __future__ import annotations

import io
from functools import lru_cache
from urllib.parse import urlsplit

import segno

from streamwhisper.server.publishing.rooms import is_room

__all__ = ["is_room_link", "qr_code"]

_MAX_LENGTH = 300  # characters of an address; a symbol of 300 still scans from a screen
_WATCH = "/watch/"


def is_room_link(url: str, hosts: set[str]) -> bool:
    """Return whether an address is the page of a room on this server.

    Args:
        url: an absolute address; a proxy may have added a prefix to its path.
        hosts: names of this server, with their ports, e.g. ``captions.example:8765``.
    """
    if len(url) > _MAX_LENGTH or not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    before, watch, room = parts.path.rpartition(_WATCH)
    plain = not (parts.query or parts.fragment or parts.username or "?" in url or "#" in url)
    return (
        parts.scheme in ("http", "https")
        and parts.netloc.lower() in {host.lower() for host in hosts}
        and plain
        and bool(watch)
        and "//" not in before
        and is_room(room)
    )


@lru_cache(maxsize=64)
def qr_code(text: str) -> bytes:
    """Return the QR code of a text as an SVG image, black on white with a quiet zone."""
    image = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(image, kind="svg", scale=8, border=4, light="#fff", title="QR code", omitsize=True)
    return image.getvalue()
