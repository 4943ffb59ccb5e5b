"""Addresses that ``serve`` prints once it accepts sessions, and the browser it opens."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import typer

__all__ = ["announce", "open_page", "page_at"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # every interface -> this machine


def announce(url: str, certificate: Path | None) -> None:
    """Print the addresses of the stream and of the captions page, also on the local network.

    Args:
        url: address of the stream.
        certificate: PEM file whose fingerprint is printed.
    """
    from streamwhisper.server.access.tls import fingerprint, lan_address

    parts = urlsplit(url)
    typer.echo(f"Listening on {url}")
    typer.echo(f"Captions in a browser: {page_at(url)}")
    if parts.hostname in _EVERYWHERE and (address := lan_address()):
        there = f"{parts.scheme}://{address}:{parts.port}{parts.path}"
        typer.echo(f"In the local network: {there}, in a browser {page_at(there)}")
    if certificate is not None:
        typer.echo(f"SHA-256 fingerprint of the certificate: {fingerprint(certificate)}")


def page_at(url: str) -> str:
    """Return the address of the captions page of the server whose stream is at `url`."""
    parts = urlsplit(url)
    host = _EVERYWHERE.get(parts.hostname or "", parts.netloc.rpartition(":")[0])
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{host}:{parts.port}/"


def open_page(page: str) -> threading.Thread:
    """Open a page in a browser, on a daemon thread."""

    def show() -> None:
        if not webbrowser.open(page):
            typer.echo(f"No browser found. Open {page} in one.", err=True)

    thread = threading.Thread(target=show, name="browser", daemon=True)
    thread.start()
    return thread
