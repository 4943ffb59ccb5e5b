"""What Wyoming clients ask for: the fields that are read, and what they mean to a session."""

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
from streamwhisper.whisper.languages import LANGUAGES

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
"""What the service is called among those of a home."""

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
"""Supported events, and the types of the fields that are read of each."""

SENSITIVITIES: Mapping[str, tuple[float, float, float] | None] = {
    "default": None,
    "relaxed": (1.25, 0.9, 2.0),
    "aggressive": (0.45, 0.4, 0.6),
}
"""Seconds of silence that end a command: usually, after a whole sentence, after an open one; None:
as in other sessions."""

_WIDTHS = {1: "pcm_u8", 2: "pcm_s16le", 3: "pcm_s24le", 4: "pcm_s32le"}
_ATTRIBUTION = {"name": "OpenAI", "url": "https://github.com/openai/whisper"}


@dataclass(frozen=True, slots=True)
class Transcription:
    """How to hear the sound that follows.

    Attributes:
        options: of the session.
        context: given back with the transcript.
        endpointing: whether the first utterance that has words is all of the command, as
            opposed to the sound up to its stop.
    """

    options: SessionOptions
    context: Mapping[str, Any] | None = None
    endpointing: bool = False

    @classmethod
    def read(cls, event: WyomingEvent, info: ModelInfo, usual: Transcription) -> Transcription:
        """What a ``transcribe`` asks for, where it says nothing the `usual`.

        Raises:
            ProtocolError: this server cannot do that.
        """
        fields = read_fields(event)
        names, terms = fields["transcript_names"] or (), fields["transcript_terms"] or ()
        start = Start(
            language=fields["language"],
            model=fields["name"],
            vocabulary=tuple(dict.fromkeys((*names, *terms))),  # names go first
        )
        options = replace(
            usual.options,
            language=check_start(start, info, usual.options.language),
            vocabulary=start.vocabulary or usual.options.vocabulary,
        )
        sensitivity = fields["vad_sensitivity"]
        if sensitivity is None:
            return replace(usual, options=options, context=fields["context"])
        return cls(_sensitive(options, sensitivity), fields["context"], endpointing=True)


def read_fields(event: WyomingEvent) -> dict[str, Any]:
    """The fields of an event by name, None where they are missing.

    Raises:
        ProtocolError: one is of another kind (``bad_field``).
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
    """The format that an event declares; None if it declares none.

    Raises:
        ProtocolError: there is no such format.
    """
    fields = read_fields(event)
    rate, width, channels = (fields[name] for name in _FORMAT)
    if rate is width is channels is None:
        return None
    if width not in _WIDTHS:
        raise ProtocolError(
            "audio_format",
            f'"width" of the "{event.type}" event is {shown(width)}; expected 1, 2, 3 or 4 bytes '
            "for a sample of PCM.",
        )
    try:
        return AudioFormat(_WIDTHS[width], rate, channels)
    except AudioFormatError as error:
        raise ProtocolError("audio_format", f'the "{event.type}" event: {error}') from None


def describe(
    info: ModelInfo, language: str | LanguageDetection, *, endpointing: bool
) -> dict[str, Any]:
    """The data of an ``info`` event: what this server can do.

    Args:
        language: of sessions that ask for none.
        endpointing: whether the server says when a command is over.
    """
    spoken = list(LANGUAGES) if info.multilingual else ["en"]
    if isinstance(language, LanguageDetection) and language.candidates:
        spoken = list(language.candidates)
    about = {"attribution": _ATTRIBUTION, "installed": True, "version": __version__}
    model = {
        "name": info.name,
        "description": f"Whisper {info.name}",
        **about,
        "languages": spoken,
    }
    program = {
        "name": PROGRAM,
        "description": "Whisper that listens while one speaks",
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
    usually, sooner, later = silences
    gate, endpoint = options.gate, options.endpoint
    return replace(
        options,
        gate=replace(gate, silence=usually, post_roll=min(gate.post_roll, usually)),
        endpoint=replace(
            endpoint,
            settle_time=min(endpoint.settle_time, sooner),
            silence_after_sentence=sooner,
            silence_mid_sentence=later,
        ),
    )
