"""What ``serve`` says once it takes sessions in: where it is, for programs and for people."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import typer

__all__ = ["announce", "open_page", "page_at"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # listened on, and where that is for itself


def announce(url: str, certificate: Path | None) -> None:
    """Print the addresses of the stream and of its page of captions, in the network as well.

    Args:
        url: of the stream.
        certificate: a file, whose fingerprint is printed.
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
    """The address of the page of captions of the server with this stream, for its own machine."""
    parts = urlsplit(url)
    host = _EVERYWHERE.get(parts.hostname or "", parts.netloc.rpartition(":")[0])
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{host}:{parts.port}/"


def open_page(page: str) -> threading.Thread:
    """Show a page in the browser of whoever is here; nobody need wait for the thread."""

    def show() -> None:
        if not webbrowser.open(page):
            typer.echo(f"No browser is found here; open {page} in one.", err=True)

    thread = threading.Thread(target=show, name="browser", daemon=True)
    thread.start()
    return thread
