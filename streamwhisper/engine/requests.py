"""Requests of a local recognizer: their validation, and the state between them."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.audio.constants import FRAMES_PER_POSITION, WINDOW_FRAMES
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import ModelInfo, RecognitionRequest
from streamwhisper.whisper.encoded_prefix import EncodedPrefix
from streamwhisper.whisper.kv_cache import DecodedPrefix
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["LocalPast", "check_request"]


@dataclass(frozen=True, slots=True, eq=False)
class LocalPast:
    """State of an answer, for the next request about the same window."""

    audio: EncodedPrefix | None
    text: DecodedPrefix

    @property
    def audible(self) -> int:
        """Audio positions of that window."""
        return self.text.weights.shape[2]


def check_request(request: RecognitionRequest, info: ModelInfo, tokenizer: Tokenizer) -> None:
    """Check a request against the model.

    Raises:
        RecognitionError: shape, language, task, past or a token does not fit the model.
    """
    shape = request.mel.shape
    if len(shape) != 2 or shape[0] != info.n_mels or not 1 <= shape[1] <= WINDOW_FRAMES:
        raise RecognitionError(
            f"mel has shape {shape}; {info.name} expects ({info.n_mels}, 1 to {WINDOW_FRAMES})"
        )
    options = request.language_options
    info.check_languages([*options.languages, *filter(None, [request.language])])
    info.check_task(options.task)
    past = request.past
    if isinstance(past, LocalPast) and past.audible > shape[1] // FRAMES_PER_POSITION:
        raise RecognitionError(
            f"past is of a window of {past.audible * FRAMES_PER_POSITION} frames, but mel has "
            f"{shape[1]}; pass the past of an earlier state of the same window"
        )
    for token in (*request.context.prompt, *request.prefix, *request.draft):
        if not 0 <= token < tokenizer.n_vocab:
            raise RecognitionError(
                f"token {token} in prompt, prefix or draft; {info.name} has tokens "
                f"0 to {tokenizer.n_vocab - 1}"
            )
