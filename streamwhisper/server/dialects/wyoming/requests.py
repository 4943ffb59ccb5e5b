"""Requests of Wyoming clients: supported fields, and the session options that they select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from streamwhisper.audio.formats import AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects.start import check_start
from streamwhisper.server.dialects.wyoming.events import WyomingEvent
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from streamwhisper.validation import FieldError, read, shown
from streamwhisper.version import __version__

__all__ = [
    "FIELDS",
    "PROGRAM",
    "SENSITIVITIES",
    "Transcription",
    "audio_format",
    "describe",
    "read_fields",
]

PROGRAM = "streamwhisper"
"""Name of the service in ``info`` events."""

_FORMAT = {"rate": int, "width": int, "channels": int}
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "describe": {},
    "select-program": {"name": str},
    "transcribe": {
        "name": str,
        "language": str,
        "context": dict[str, Any],
        "vad_sensitivity": str,
        "transcript_names": tuple[str, ...],
        "transcript_terms": tuple[str, ...],
    },
    "audio-start": _FORMAT,
    "audio-chunk": _FORMAT,
    "audio-stop": {},
    "ping": {"text": str},
}
"""Supported events, and the types of their fields."""

SENSITIVITIES: Mapping[str, tuple[float, float, float] | None] = {
    "default": None,
    "relaxed": (1.25, 0.9, 2.0),
    "aggressive": (0.45, 0.4, 0.6),
}
"""Seconds of silence that end a command: usual, after a sentence, within a sentence; None: the
session's own.
"""

_WIDTHS = {1: "pcm_u8", 2: "pcm_s16le", 3: "pcm_s24le", 4: "pcm_s32le"}
_ATTRIBUTION = {"name": "OpenAI", "url": "https://github.com/openai/whisper"}


@dataclass(frozen=True, slots=True)
class Transcription:
    """Options of the next utterances.

    Attributes:
        options: options of the session.
        context: value that is returned with the transcript.
        endpointing: whether the first utterance with words ends the command; else the client does.
    """

    options: SessionOptions
    context: Mapping[str, Any] | None = None
    endpointing: bool = False

    @classmethod
    def read(cls, event: WyomingEvent, info: ModelInfo, defaults: Transcription) -> Transcription:
        """Read a ``transcribe`` event; missing fields have the values of `defaults`.

        Raises:
            ProtocolError: a field is invalid or not supported.
        """
        fields = read_fields(event)
        names, terms = fields["transcript_names"] or (), fields["transcript_terms"] or ()
        start = Start(
            language=fields["language"],
            model=fields["name"],
            vocabulary=tuple(dict.fromkeys((*names, *terms))),  # names first
        )
        options = replace(
            defaults.options,
            language=check_start(start, info, defaults.options.language),
            vocabulary=start.vocabulary or defaults.options.vocabulary,
        )
        sensitivity = fields["vad_sensitivity"]
        if sensitivity is None:
            return replace(defaults, options=options, context=fields["context"])
        return cls(_sensitive(options, sensitivity), fields["context"], endpointing=True)


def read_fields(event: WyomingEvent) -> dict[str, Any]:
    """Return the fields of an event by name; None for missing ones.

    Raises:
        ProtocolError: a field has the wrong type (``bad_field``).
    """
    found = {}
    for name, hint in FIELDS[event.type].items():
        value = event.data.get(name)
        try:
            found[name] = None if value is None else read(value, hint)
        except FieldError as error:
            raise ProtocolError(
                "bad_field", f'"{name}" of the "{event.type}" event {error}.'
            ) from None
    return found


def audio_format(event: WyomingEvent) -> AudioFormat | None:
    """Return the audio format that an event declares; None if it declares none.

    Raises:
        ProtocolError: the format is not supported.
    """
    fields = read_fields(event)
    rate, width, channels = (fields[name] for name in _FORMAT)
    if rate is width is channels is None:
        return None
    if width not in _WIDTHS:
        raise ProtocolError(
            "audio_format",
            f'"width" of the "{event.type}" event is {shown(width)}; expected 1, 2, 3 or 4 bytes '
            "per sample.",
        )
    try:
        return AudioFormat(_WIDTHS[width], rate, channels)
    except AudioFormatError as error:
        raise ProtocolError("audio_format", f'the "{event.type}" event: {error}') from None


def describe(
    info: ModelInfo, language: str | LanguageDetection, *, endpointing: bool
) -> dict[str, Any]:
    """Return the data of an ``info`` event: the capabilities of the server.

    Args:
        info: the served model.
        language: default language of the sessions.
        endpointing: whether the server ends commands by default.
    """
    spoken = list(info.languages)
    if isinstance(language, LanguageDetection) and language.candidates:
        spoken = [found.code for value in language.candidates if (found := info.language(value))]
    about = {"attribution": _ATTRIBUTION, "installed": True, "version": __version__}
    model = {
        "name": info.name,
        "description": f"Whisper {info.name}",
        **about,
        "languages": spoken,
    }
    program = {
        "name": PROGRAM,
        "description": "Live speech-to-text with Whisper",
        **about,
        "models": [model],
        "supports_transcript_streaming": True,
        "requires_external_vad": not endpointing,
    }
    others = ("tts", "handle", "intent", "wake", "mic", "snd")
    return {"asr": [program], **{kind: [] for kind in others}}


def _sensitive(options: SessionOptions, sensitivity: str) -> SessionOptions:
    if sensitivity not in SENSITIVITIES:
        raise ProtocolError(
            "bad_field",
            f'"vad_sensitivity" is {shown(sensitivity)}; expected one of '
            f"{', '.join(SENSITIVITIES)}.",
        )
    silences = SENSITIVITIES[sensitivity]
    if silences is None:
        return options
    silence, after_sentence, mid_sentence = silences
    gate, endpoint = options.gate, options.endpoint
    return replace(
        options,
        gate=replace(gate, silence=silence, post_roll=min(gate.post_roll, silence)),
        endpoint=replace(
            endpoint,
            settle_time=min(endpoint.settle_time, after_sentence),
            silence_after_sentence=after_sentence,
            silence_mid_sentence=mid_sentence,
        ),
    )
