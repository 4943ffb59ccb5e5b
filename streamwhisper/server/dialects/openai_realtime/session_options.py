"""What a session listens with, by what its client has set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError, RecognitionError
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects.openai_realtime.client_events import InvalidRequest, Json
from streamwhisper.server.dialects.start import check_start
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import Latency, SessionOptions
from streamwhisper.vad.gate import GateOptions
from streamwhisper.whisper.languages import language_code

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
"""By eagerness: the usual silence, that after a sentence, and that in the middle of one."""
_PRE_ROLL = 0.3, 1.5  # a session forgets older silence
_LEAST_SILENCE = 0.04
_PARAMS = {"vocabulary_limit": "keywords", "unsupported_language": "language"}


def audio_format(session: Json) -> AudioFormat:
    """What the audio of a session looks like."""
    format = session["audio"]["input"]["format"]
    return AudioFormat(_ENCODINGS[format["type"]], int(format["rate"]), 1)


def start_of(session: Json) -> Start:
    """What a client of the native protocol would have said."""
    said = session["audio"]["input"]["transcription"] or {}
    return Start(
        language=said.get("language") or None,
        languages=tuple(said.get("languages") or ()),
        vocabulary=tuple(said.get("keywords") or ()),
        partials=False,
    )


def session_options(session: Json, usual: SessionOptions, info: ModelInfo) -> SessionOptions:
    """What a session listens with.

    Args:
        usual: what the server has set, for all that the client leaves open.

    Raises:
        InvalidRequest: the model does not know the language, or there are too many keywords.
    """
    heard = session["audio"]["input"]
    said = heard["transcription"] or {}
    start = start_of(session)
    if not info.multilingual and "en" in map(_code, start.languages):
        start = replace(start, languages=("en",))  # of several guesses it knows that one
    try:
        language = check_start(start, info, usual.language)
    except ProtocolError as error:
        param = f"session.audio.input.transcription.{_PARAMS[error.code]}"
        raise InvalidRequest(error.code, str(error), param) from None
    prompt = said.get("prompt") or usual.window.initial_prompt
    gate, endpoint = _turns(heard["turn_detection"], usual)
    return replace(
        usual.tuned(_LATENCIES[said.get("delay", "medium")]),
        language=language,
        partials=False,  # a delta is never taken back
        gate=gate,
        endpoint=endpoint,
        window=replace(usual.window, initial_prompt=prompt),
        vocabulary=usual.vocabulary if said.get("keywords") is None else start.vocabulary,
    )


def _code(language: str) -> str:
    try:
        return language_code(language)
    except RecognitionError:
        return ""


def padding(session: Json, options: SessionOptions) -> float:
    """Seconds before speech that the client counts to it."""
    turns = session["audio"]["input"]["turn_detection"] or {}
    return float(turns.get("prefix_padding_ms", 1000 * options.gate.pre_roll)) / 1000


def _turns(detection: Json | None, usual: SessionOptions) -> tuple[GateOptions, EndpointOptions]:
    gate, endpoint = usual.gate, usual.endpoint
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
    silence = max(_LEAST_SILENCE, detection["silence_duration_ms"] / 1000)
    return _with_silence(gate, silence), replace(endpoint, kind="fixed")


def _with_silence(gate: GateOptions, silence: float) -> GateOptions:
    return replace(gate, silence=silence, post_roll=min(gate.post_roll, silence))


class Input:
    """The decoder of a session whose format may change on the way."""

    def __init__(self, format: AudioFormat) -> None:
        self._decoder = AudioDecoder(format)
        self._held: list[NDArray[np.float32]] = []

    @property
    def format(self) -> AudioFormat:
        """What comes at present."""
        return self._decoder.format

    def change(self, format: AudioFormat) -> None:
        """What comes from now on looks like this."""
        if format != self.format:
            self._held.append(self._last())
            self._decoder = AudioDecoder(format)

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Samples that are complete so far."""
        return self._with_held(self._decoder.decode(data))

    def finish(self) -> NDArray[np.float32]:
        """What was held back."""
        return self._with_held(self._last())

    def _last(self) -> NDArray[np.float32]:
        try:
            return self._decoder.finish()
        except AudioFormatError:  # half a sample is no sound, and none will follow
            return self._decoder.finish()

    def _with_held(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        held, self._held = self._held, []
        return np.concatenate([*held, samples]) if held else samples
