"""Real-time streaming dictation: sound goes in, text comes out while the person still speaks.

The names below are imported when they are first used, so that ``import streamwhisper`` costs
nothing and needs neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from streamwhisper.moved import install as _install
from streamwhisper.version import __version__

if TYPE_CHECKING:
    from streamwhisper.client import StreamClient, SyncStreamClient, connect
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer
    from streamwhisper.errors import StreamWhisperError
    from streamwhisper.session.options import SessionOptions
    from streamwhisper.session.session import Session
    from streamwhisper.transcript import Transcript
    from streamwhisper.transcription.options import TranscriptionOptions
    from streamwhisper.transcription.transcribe import (
        detect_language,
        load_model,
        transcribe,
        transcribe_all,
    )

# Where each public name lives.
_HOMES = {
    "LocalOptions": "streamwhisper.engine.local",
    "LocalRecognizer": "streamwhisper.engine.local",
    "Session": "streamwhisper.session.session",
    "SessionOptions": "streamwhisper.session.options",
    "StreamClient": "streamwhisper.client",
    "StreamWhisperError": "streamwhisper.errors",
    "SyncStreamClient": "streamwhisper.client",
    "Transcript": "streamwhisper.transcript",
    "TranscriptionOptions": "streamwhisper.transcription.options",
    "connect": "streamwhisper.client",
    "detect_language": "streamwhisper.transcription.transcribe",
    "load_model": "streamwhisper.transcription.transcribe",
    "transcribe": "streamwhisper.transcription.transcribe",
    "transcribe_all": "streamwhisper.transcription.transcribe",
}

__all__ = [
    "LocalOptions",
    "LocalRecognizer",
    "Session",
    "SessionOptions",
    "StreamClient",
    "StreamWhisperError",
    "SyncStreamClient",
    "Transcript",
    "TranscriptionOptions",
    "__version__",
    "connect",
    "detect_language",
    "load_model",
    "transcribe",
    "transcribe_all",
]


_install()


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
