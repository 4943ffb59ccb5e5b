"""What a client asks for when it starts: whether this server can give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError, RecognitionError
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.session.language import LanguageDetection
from streamwhisper.whisper.languages import language_code

__all__ = ["check_start", "check_vocabulary", "decoder_for"]

_MAX_WORDS = 1000
_MAX_CHARACTERS = 100


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


def check_vocabulary(words: Sequence[str]) -> None:
    """See that a vocabulary is not too big.

    Raises:
        ProtocolError: it is.
    """
    longest = max(map(len, words), default=0)
    if len(words) > _MAX_WORDS or longest > _MAX_CHARACTERS:
        raise ProtocolError(
            "vocabulary_limit",
            f"a vocabulary of {len(words)} entries, the longest with {longest} characters; "
            f"expected at most {_MAX_WORDS} entries of at most {_MAX_CHARACTERS} characters. "
            "List what is likely to be said and likely to be misheard.",
        )


def check_start(
    start: Start, info: ModelInfo, usual: str | LanguageDetection
) -> str | LanguageDetection:
    """The session's language, or how it is found.

    Args:
        usual: what is done where the start names neither a language nor several.

    Raises:
        ProtocolError: this server cannot start such a session.
    """
    check_vocabulary(start.vocabulary)
    if start.model not in (None, info.name):
        raise ProtocolError(
            "unknown_model",
            f'model "{start.model}" is not served here; this server serves "{info.name}". '
            'Leave "model" out, or start a server with the other model.',
        )
    try:
        info.check_task(start.task)
    except RecognitionError as error:
        raise ProtocolError("unsupported_task", str(error)) from None
    try:
        language = _language(start, usual)
        info.check_languages((language,) if isinstance(language, str) else language.candidates)
    except RecognitionError as error:
        raise ProtocolError("unsupported_language", str(error)) from None
    return language


def _language(start: Start, usual: str | LanguageDetection) -> str | LanguageDetection:
    given = None if start.language == "auto" else start.language
    if given and start.languages:
        raise RecognitionError(
            f'both "language" ("{given}") and "languages" are given; "languages" are those that '
            'may be spoken where "language" is null or "auto"'
        )
    if given is not None:
        return language_code(given)
    if not start.languages and start.language is None:
        return usual
    detection = usual if isinstance(usual, LanguageDetection) else LanguageDetection()
    return replace(detection, candidates=tuple(dict.fromkeys(map(language_code, start.languages))))
