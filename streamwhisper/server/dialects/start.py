"""What a client asks for when it starts: whether this server can give it."""

from __future__ import annotations

from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError, RecognitionError
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.whisper.languages import language_code

__all__ = ["check_start", "decoder_for"]


def decoder_for(start: Start) -> AudioDecoder | ContainerDecoder:
    """What decodes the audio that `start` announces.

    Raises:
        ProtocolError: there is no such format.
    """
    if start.encoding == "container":
        return ContainerDecoder()
    try:
        return AudioDecoder(AudioFormat(start.encoding, start.sample_rate, start.channels))
    except AudioFormatError as error:
        raise ProtocolError("audio_format", str(error)) from None


def check_start(start: Start, info: ModelInfo) -> str | None:
    """The code of the session's language.

    Raises:
        ProtocolError: this server cannot start such a session.
    """
    if start.model not in (None, info.name):
        raise ProtocolError(
            "unknown_model",
            f'model "{start.model}" is not served here; this server serves "{info.name}". '
            'Leave "model" out, or start a server with the other model.',
        )
    try:
        language = None if start.language is None else language_code(start.language)
    except RecognitionError as error:
        raise ProtocolError("unsupported_language", str(error)) from None
    english = f'model "{info.name}" knows English alone'
    if not info.multilingual and language not in (None, "en"):
        raise ProtocolError(
            "unsupported_language",
            f'language is "{start.language}", but {english}; leave "language" out, or use a '
            "server with a multilingual model.",
        )
    if not info.multilingual and start.task != "transcribe":
        raise ProtocolError(
            "unsupported_task",
            f'task is "{start.task}", but {english}; use "transcribe", or a server with a '
            "multilingual model.",
        )
    return language
