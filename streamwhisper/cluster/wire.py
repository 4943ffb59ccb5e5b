"""What travels between a gateway and a worker: plain values and one array, no classes.

A class would be looked up by its name at the other end, and be another one where the versions
differ. So requests and answers are dictionaries; every request says which version it is written
in, and a worker of another version refuses it in words.

Log-mel frames travel in half precision, without padding, and those that the worker still has
from its last answer do not travel at all. Nor does a window's past, which is a hundred times
larger: it stays with the worker that made it, under the window's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import (
    DecodingOptions,
    Hypothesis,
    HypothesisWord,
    ModelInfo,
    RecognitionRequest,
)
from streamwhisper.version import __version__

__all__ = [
    "WIRE_VERSION",
    "FramesMissing",
    "HalfMel",
    "Message",
    "RemotePast",
    "check_version",
    "half_mel",
    "pack_hypothesis",
    "pack_info",
    "pack_request",
    "unpack_hypothesis",
    "unpack_info",
    "unpack_request",
]

WIRE_VERSION = 2
"""Raised by one whenever a worker could misunderstand a gateway, or the other way round."""

Message = dict[str, Any]
HalfMel = NDArray[np.float16]

UNSETTLED_FRAMES = 4
"""The last ones of a window, which the sound that follows still changes."""
CLAMP = 2.0
"""How far below a window's loudest value its frames are clamped (`streamwhisper.audio.mel`)."""
_AS_THEY_ARE = (
    "prefix",
    "prefix_end",
    "draft",
    "prompt",
    "language",
    "languages",
    "detect",
    "task",
    "final",
    "vocabulary",
)


class FramesMissing(LookupError):
    """A request builds on frames that are not kept any more; sent whole it can be answered."""


@dataclass(frozen=True, slots=True)
class RemotePast:
    """Where the past of a window lies.

    Attributes:
        window: the window's name.
        worker: who answered last about it, and holds the past unless it is gone.
        frames: how many frames of the window it was sent.
    """

    window: str
    worker: str
    frames: int

    @property
    def settled(self) -> int:
        """Frames that need not be sent to that worker again."""
        return max(0, self.frames - UNSETTLED_FRAMES)


def pack_request(
    request: RecognitionRequest, info: ModelInfo, window: str, patience: float, first: int = 0
) -> Message:
    """A request as it travels.

    Args:
        request: its past stays here.
        info: the model that it is meant for.
        window: the name under which the worker may keep a past.
        patience: seconds after which nobody waits for the answer any more.
        first: frames before this one are left out, as the worker has them.
    """
    fields = {name: getattr(request, name) for name in _AS_THEY_ARE}
    return {
        "version": WIRE_VERSION,
        "package": __version__,
        "multilingual": info.multilingual,
        "mel": np.ascontiguousarray(request.mel[:, first:], np.float16),
        "first": first,
        "options": asdict(request.options),
        "window": window,
        "patience": patience,
        **fields,
    }


def check_version(message: Mapping[str, Any]) -> None:
    """Raise RecognitionError if the other end speaks another version."""
    theirs = message.get("version")
    if theirs != WIRE_VERSION:
        raise RecognitionError(
            f"gateway and worker do not fit: this is streamwhisper {__version__}, whose messages "
            f"are of version {WIRE_VERSION}; at the other end is "
            f"{message.get('package', 'another release')} with version {theirs}. Install the "
            "same release on both"
        )


def half_mel(message: Message, known: HalfMel | None) -> HalfMel:
    """All frames of a request's window ``[n_mels, n_frames]``.

    Args:
        message: the request.
        known: frames that the worker has from earlier ones.

    Raises:
        FramesMissing: those that were left out are not there.
    """
    first, mel = message["first"], message["mel"]
    if not first:
        return np.asarray(mel)
    if known is None or known.shape[1] < first:
        raise FramesMissing(f"window {message['window']}: frames up to {first} are not here")
    return np.concatenate([known[:, :first], mel], axis=1)


def unpack_request(message: Message, mel: HalfMel, past: object | None) -> RecognitionRequest:
    """The request again, with all its frames and the past that is kept for its window.

    Raises:
        RecognitionError: it cannot be read.
    """
    try:
        fields = {name: message[name] for name in _AS_THEY_ARE}
        options = DecodingOptions(**message["options"])
    except (KeyError, TypeError) as error:
        raise RecognitionError(
            f"a request that cannot be read: {type(error).__name__}: {error}"
        ) from error
    frames = mel.astype(np.float32)
    if frames.size:
        # Those that came earlier were clamped by what was loudest then.
        frames = np.maximum(frames, frames.max() - np.float32(CLAMP))
    return RecognitionRequest(frames, options=options, past=past, **fields)


def pack_hypothesis(hypothesis: Hypothesis) -> Message:
    """An answer as it travels, without its past."""
    return {
        "words": [
            (word.text, word.tokens, word.start, word.end, word.log_probability)
            for word in hypothesis.words
        ],
        "language": hypothesis.language,
        "ending": hypothesis.ending,
        "no_speech_probability": hypothesis.no_speech_probability,
        "log_probability": hypothesis.log_probability,
        "drafted": hypothesis.drafted,
        "languages": dict(hypothesis.languages),
    }


def unpack_hypothesis(message: Message, past: RemotePast | None) -> Hypothesis:
    """The answer again; its past lies with the worker."""
    words = tuple(HypothesisWord(*word) for word in message["words"])
    return Hypothesis(**{**message, "words": words}, past=past)


def pack_info(info: ModelInfo) -> Message:
    """What a worker says of its model, and in which version."""
    return {"version": WIRE_VERSION, "package": __version__, "model": asdict(info)}


def unpack_info(message: Message) -> ModelInfo:
    """The model behind a worker.

    Raises:
        RecognitionError: it speaks another version.
    """
    check_version(message)
    return ModelInfo(**message["model"])
