"""Session factories for tests that drive a dialect without a server."""

from __future__ import annotations

from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.publishing.observers import ObservedSession, Observers, SessionFactory
from streamwhisper.session.listener import Decoder
from streamwhisper.session.options import SessionOptions

__all__ = ["session_factory"]


def session_factory(info: ModelInfo) -> SessionFactory:
    """Return a factory that admits every session and has no observers."""

    def open_session(
        name: str, start: Start, decoder: Decoder, options: SessionOptions
    ) -> ObservedSession:
        return ObservedSession(info, decoder, options, Observers())

    return open_session
