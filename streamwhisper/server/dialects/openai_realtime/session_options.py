"""Session options of a Realtime session's settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError, UnknownLanguageError
from streamwhisper.languages import parse_language
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects.openai_realtime.client_events import InvalidRequest, Json
from streamwhisper.server.dialects.start import check_start
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import Latency, SessionOptions
from streamwhisper.vad.gate import GateOptions

__all__ = ["Input", "audio_format", "padding", "session_options", "start_of"]

_ENCODINGS = {"audio/pcm": "pcm_s16le", "audio/pcmu": "mulaw", "audio/pcma": "alaw"}
_LATENCIES: dict[str, Latency] = {
    "minimal": "low",
    "low": "low",
    "medium": "balanced",
    "high": "accurate",
    "xhigh": "accurate",
}
_PAUSES = {"low": (1.2, 0.8, 4.0), "high": (0.45, 0.4, 0.7)}
"""Seconds of silence by eagerness: usual, after a sentence, within a sentence."""
_PRE_ROLL = 0.3, 1.5  # seconds; the gate keeps no older audio
_MIN_SILENCE = 0.04
_PARAMS = {"vocabulary_limit": "keywords", "unsupported_language": "language"}


def audio_format(session: Json) -> AudioFormat:
    """Return the audio format of a session."""
    format = session["audio"]["input"]["format"]
    return AudioFormat(_ENCODINGS[format["type"]], int(format["rate"]), 1)


def start_of(session: Json) -> Start:
    """Return the settings as the start of a native session."""
    transcription = session["audio"]["input"]["transcription"] or {}
    return Start(
        language=transcription.get("language") or None,
        languages=tuple(transcription.get("languages") or ()),
        vocabulary=tuple(transcription.get("keywords") or ()),
        partials=False,
    )


def session_options(session: Json, defaults: SessionOptions, info: ModelInfo) -> SessionOptions:
    """Return the options of a session.

    Args:
        session: the settings.
        defaults: the server's options, for settings that the client leaves out.
        info: the served model.

    Raises:
        InvalidRequest: the model does not support the language, or there are too many keywords.
    """
    audio = session["audio"]["input"]
    transcription = audio["transcription"] or {}
    start = start_of(session)
    if info.languages == ("en",) and "en" in map(_code, start.languages):
        start = replace(start, languages=("en",))  # the only candidate that the model supports
    try:
        language = check_start(start, info, defaults.language)
    except ProtocolError as error:
        param = f"session.audio.input.transcription.{_PARAMS[error.code]}"
        raise InvalidRequest(error.code, str(error), param) from None
    prompt = transcription.get("prompt") or defaults.window.initial_prompt
    gate, endpoint = _turns(audio["turn_detection"], defaults)
    return replace(
        defaults.tuned(_LATENCIES[transcription.get("delay", "medium")]),
        language=language,
        partials=False,  # a delta is never taken back
        gate=gate,
        endpoint=endpoint,
        window=replace(defaults.window, initial_prompt=prompt),
        vocabulary=defaults.vocabulary
        if transcription.get("keywords") is None
        else start.vocabulary,
    )


def _code(language: str) -> str:
    try:
        found = parse_language(language)
    except UnknownLanguageError:
        return ""
    return found.code if found is not None else ""


def padding(session: Json, options: SessionOptions) -> float:
    """Return the seconds before speech that belong to the reported item."""
    turns = session["audio"]["input"]["turn_detection"] or {}
    return float(turns.get("prefix_padding_ms", 1000 * options.gate.pre_roll)) / 1000


def _turns(detection: Json | None, defaults: SessionOptions) -> tuple[GateOptions, EndpointOptions]:
    gate, endpoint = defaults.gate, defaults.endpoint
    if detection is None:
        return gate, endpoint
    if detection["type"] == "semantic_vad":
        endpoint = replace(endpoint, kind="sentence")
        if (pauses := _PAUSES.get(detection["eagerness"])) is None:
            return gate, endpoint
        silence, sooner, later = pauses
        settle = min(endpoint.settle_time, sooner)
        endpoint = replace(
            endpoint, settle_time=settle, silence_after_sentence=sooner, silence_mid_sentence=later
        )
        return _with_silence(gate, silence), endpoint
    threshold = min(0.99, max(0.01, detection["threshold"]))
    gate = replace(
        gate,
        threshold=threshold,
        negative_threshold=min(gate.negative_threshold, 0.7 * threshold),
        pre_roll=max(_PRE_ROLL[0], min(_PRE_ROLL[1], detection["prefix_padding_ms"] / 1000)),
    )
    silence = max(_MIN_SILENCE, detection["silence_duration_ms"] / 1000)
    return _with_silence(gate, silence), replace(endpoint, kind="fixed")


def _with_silence(gate: GateOptions, silence: float) -> GateOptions:
    return replace(gate, silence=silence, post_roll=min(gate.post_roll, silence))


class Input:
    """Decoder of a session whose audio format may change."""

    def __init__(self, format: AudioFormat) -> None:
        self._decoder = AudioDecoder(format)
        self._held: list[NDArray[np.float32]] = []

    @property
    def format(self) -> AudioFormat:
        """Current audio format."""
        return self._decoder.format

    def change(self, format: AudioFormat) -> None:
        """Change the format of the following audio."""
        if format != self.format:
            self._held.append(self._remaining())
            self._decoder = AudioDecoder(format)

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Return the complete samples so far."""
        return self._with_held(self._decoder.decode(data))

    def finish(self) -> NDArray[np.float32]:
        """Return the remaining samples."""
        return self._with_held(self._remaining())

    def _remaining(self) -> NDArray[np.float32]:
        try:
            return self._decoder.finish()
        except AudioFormatError:  # an incomplete sample; the second call returns the rest
            return self._decoder.finish()

    def _with_held(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        held, self._held = self._held, []
        return np.concatenate([*held, samples]) if held else samples
