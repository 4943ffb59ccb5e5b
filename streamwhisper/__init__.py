"""Live speech-to-text with Whisper: words appear while the person speaks.

::

    import streamwhisper

    print(streamwhisper.transcribe("talk.mp3", model="base"))

Every name below is imported when it is first used, so ``import streamwhisper`` is instant and
loads neither torch nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from streamwhisper.moved import install as _install
from streamwhisper.version import __version__

if TYPE_CHECKING:
    from streamwhisper.audio.files import AudioInput, read_audio, stream_audio
    from streamwhisper.audio.formats import AudioFormat
    from streamwhisper.checkpoints.hub import HubOptions
    from streamwhisper.client import Reconnection, StreamClient, SyncStreamClient, connect
    from streamwhisper.control_characters import without_controls
    from streamwhisper.dictation.microphone_stream import microphone
    from streamwhisper.engine.loading import load_model
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.engine.options import LocalOptions
    from streamwhisper.errors import (
        AudioFormatError,
        CheckpointError,
        ConnectionLostError,
        ModelDownloadError,
        ModelError,
        ProtocolError,
        RecognitionError,
        ServerError,
        SessionError,
        StreamWhisperError,
        UnknownLanguageError,
        UnknownModelError,
    )
    from streamwhisper.events import (
        Committed,
        Done,
        Event,
        Flushed,
        Partial,
        SpeechEnded,
        SpeechStarted,
        Word,
    )
    from streamwhisper.live.keywords import SessionKeywords
    from streamwhisper.live.listen import listen
    from streamwhisper.live.scheduler import Scheduler, SchedulerOptions
    from streamwhisper.live.stream import LiveStream
    from streamwhisper.protocol import ErrorMessage, Ready, Status
    from streamwhisper.recognition import DecodingOptions, ModelInfo, Recognizer
    from streamwhisper.session.agreement import AgreementOptions
    from streamwhisper.session.endpoint import EndpointOptions
    from streamwhisper.session.language import LanguageDetection
    from streamwhisper.session.options import SessionOptions
    from streamwhisper.session.session import Session
    from streamwhisper.session.window import WindowOptions
    from streamwhisper.subtitles.cue import Cue
    from streamwhisper.subtitles.live_cues import Captions, as_srt, as_vtt
    from streamwhisper.subtitles.writers import SubtitleOptions
    from streamwhisper.transcript import Segment, TimedWord, Transcript
    from streamwhisper.transcription.keywords import TranscriptionKeywords
    from streamwhisper.transcription.options import (
        ChunkOptions,
        PromptOptions,
        TranscriptionOptions,
        WordOptions,
    )
    from streamwhisper.transcription.transcribe import detect_language, transcribe, transcribe_all
    from streamwhisper.vad.gate import GateOptions
    from streamwhisper.whisper.fallback import FallbackOptions
    from streamwhisper.whisper.search import SearchOptions

_NAMES = {
    "streamwhisper.audio.files": "AudioInput read_audio stream_audio",
    "streamwhisper.audio.formats": "AudioFormat",
    "streamwhisper.checkpoints.hub": "HubOptions",
    "streamwhisper.client": "Reconnection StreamClient SyncStreamClient connect",
    "streamwhisper.control_characters": "without_controls",
    "streamwhisper.dictation.microphone_stream": "microphone",
    "streamwhisper.engine.loading": "load_model",
    "streamwhisper.engine.local": "LocalRecognizer",
    "streamwhisper.engine.options": "LocalOptions",
    "streamwhisper.errors": "AudioFormatError CheckpointError "
    "ConnectionLostError ModelDownloadError ModelError "
    "ProtocolError RecognitionError ServerError "
    "SessionError StreamWhisperError UnknownLanguageError UnknownModelError",
    "streamwhisper.events": "Committed Done Event Flushed Partial SpeechEnded SpeechStarted Word",
    "streamwhisper.live.keywords": "SessionKeywords",
    "streamwhisper.live.listen": "listen",
    "streamwhisper.live.scheduler": "Scheduler SchedulerOptions",
    "streamwhisper.live.stream": "LiveStream",
    "streamwhisper.protocol": "ErrorMessage Ready Status",
    "streamwhisper.recognition": "DecodingOptions ModelInfo Recognizer",
    "streamwhisper.session.agreement": "AgreementOptions",
    "streamwhisper.session.endpoint": "EndpointOptions",
    "streamwhisper.session.language": "LanguageDetection",
    "streamwhisper.session.options": "SessionOptions",
    "streamwhisper.session.session": "Session",
    "streamwhisper.session.window": "WindowOptions",
    "streamwhisper.subtitles.cue": "Cue",
    "streamwhisper.subtitles.live_cues": "Captions as_srt as_vtt",
    "streamwhisper.subtitles.writers": "SubtitleOptions",
    "streamwhisper.transcript": "Segment TimedWord Transcript",
    "streamwhisper.transcription.keywords": "TranscriptionKeywords",
    "streamwhisper.transcription.options": "ChunkOptions PromptOptions TranscriptionOptions "
    "WordOptions",
    "streamwhisper.transcription.transcribe": "detect_language transcribe transcribe_all",
    "streamwhisper.vad.gate": "GateOptions",
    "streamwhisper.whisper.fallback": "FallbackOptions",
    "streamwhisper.whisper.search": "SearchOptions",
}
"""The public names of each module."""
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}


__all__ = [
    "AgreementOptions",
    "AudioFormat",
    "AudioFormatError",
    "AudioInput",
    "Captions",
    "CheckpointError",
    "ChunkOptions",
    "Committed",
    "ConnectionLostError",
    "Cue",
    "DecodingOptions",
    "Done",
    "EndpointOptions",
    "ErrorMessage",
    "Event",
    "FallbackOptions",
    "Flushed",
    "GateOptions",
    "HubOptions",
    "LanguageDetection",
    "LiveStream",
    "LocalOptions",
    "LocalRecognizer",
    "ModelDownloadError",
    "ModelError",
    "ModelInfo",
    "Partial",
    "PromptOptions",
    "ProtocolError",
    "Ready",
    "RecognitionError",
    "Recognizer",
    "Reconnection",
    "Scheduler",
    "SchedulerOptions",
    "SearchOptions",
    "Segment",
    "ServerError",
    "Session",
    "SessionError",
    "SessionKeywords",
    "SessionOptions",
    "SpeechEnded",
    "SpeechStarted",
    "Status",
    "StreamClient",
    "StreamWhisperError",
    "SubtitleOptions",
    "SyncStreamClient",
    "TimedWord",
    "Transcript",
    "TranscriptionKeywords",
    "TranscriptionOptions",
    "UnknownLanguageError",
    "UnknownModelError",
    "WindowOptions",
    "Word",
    "WordOptions",
    "__version__",
    "as_srt",
    "as_vtt",
    "connect",
    "detect_language",
    "listen",
    "load_model",
    "microphone",
    "read_audio",
    "stream_audio",
    "transcribe",
    "transcribe_all",
    "without_controls",
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
