"""Checks of a session's start: audio format, vocabulary, model, task and language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError, RecognitionError
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects.container_input import DECODED
from streamwhisper.session.language import LanguageDetection

__all__ = ["check_start", "check_vocabulary", "decoder_for"]

_MAX_WORDS = 1000
_MAX_CHARACTERS = 100


def decoder_for(start: Start) -> AudioDecoder:
    """Return the decoder of the raw audio that `start` declares, or that its container yields.

    Raises:
        ProtocolError: the format is not supported.
    """
    if start.encoding == "container":
        return AudioDecoder(DECODED)
    try:
        return AudioDecoder(AudioFormat(start.encoding, start.sample_rate, start.channels))
    except AudioFormatError as error:
        raise ProtocolError("audio_format", str(error)) from None


def check_vocabulary(words: Sequence[str]) -> None:
    """Check the size of a vocabulary.

    Raises:
        ProtocolError: the vocabulary is too large.
    """
    longest = max(map(len, words), default=0)
    if len(words) > _MAX_WORDS or longest > _MAX_CHARACTERS:
        raise ProtocolError(
            "vocabulary_limit",
            f"a vocabulary of {len(words)} entries, the longest with {longest} characters; "
            f"expected at most {_MAX_WORDS} entries of at most {_MAX_CHARACTERS} characters. "
            "List words that are likely to occur and to be misrecognized.",
        )


def check_start(
    start: Start, info: ModelInfo, defaults: str | LanguageDetection
) -> str | LanguageDetection:
    """Return the session's language, or the options of its detection.

    Args:
        start: the client's request.
        info: the served model.
        defaults: the server's language, if the start names none.

    Raises:
        ProtocolError: the server does not support the request.
    """
    check_vocabulary(start.vocabulary)
    if start.model not in (None, info.name):
        raise ProtocolError(
            "unknown_model",
            f'model "{start.model}" is not available; this server serves "{info.name}". '
            'Leave "model" out, or start a server with the other model.',
        )
    try:
        info.check_task(start.task)
    except RecognitionError as error:
        raise ProtocolError("unsupported_task", str(error)) from None
    try:
        return _language(start, info, defaults)
    except RecognitionError as error:
        raise ProtocolError("unsupported_language", str(error)) from None


def _language(
    start: Start, info: ModelInfo, defaults: str | LanguageDetection
) -> str | LanguageDetection:
    given = None if start.language is None else info.language(start.language)
    if given is not None and start.languages:
        raise RecognitionError(
            f'both "language" ("{given}") and "languages" are given; "languages" are '
            'candidates if "language" is null or "auto"'
        )
    if given is not None:
        return str(given)
    if not start.languages and not start.language:
        return defaults
    detection = defaults if isinstance(defaults, LanguageDetection) else LanguageDetection()
    found = [language for value in start.languages if (language := info.language(value))]
    return replace(detection, candidates=tuple(dict.fromkeys(map(str, found))))
