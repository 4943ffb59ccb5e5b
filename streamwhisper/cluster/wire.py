"""Messages between gateway and worker: dictionaries of plain values and one array.

Messages contain no classes, because a class is looked up by name at the other end and can differ
between versions. Every request states its version; a worker of another version rejects it with an
explanation.

Log-mel frames travel in half precision and without padding. Frames that the worker still has from
its last answer are not sent again. A window's past, which is a hundred times larger, stays with the
worker that computed it, under the window's name.
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
    LanguageOptions,
    ModelInfo,
    RecognitionRequest,
    TextContext,
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

WIRE_VERSION = 4
"""Version of the messages; increased with every incompatible change."""

Message = dict[str, Any]
HalfMel = NDArray[np.float16]

CHANGING_FRAMES = 4
"""Last frames of a window, which later audio still changes."""
CLAMP = 2.0
"""Distance from a window's maximum at which its frames are clamped."""
_AS_THEY_ARE = (
    "prefix",
    "prefix_end",
    "draft",
    "language",
    "final",
)
_GROUPS = {
    "context": TextContext,
    "language_options": LanguageOptions,
    "options": DecodingOptions,
}


class FramesMissing(LookupError):
    """Worker no longer has the frames that a request builds on; send the request whole."""


@dataclass(frozen=True, slots=True)
class RemotePast:
    """Location of the past of a window.

    Attributes:
        window: the window's name.
        worker: worker that answered last about the window; it holds the past unless it is gone.
        frames: number of frames of the window that were sent to the worker.
    """

    window: str
    worker: str
    frames: int

    @property
    def known_frames(self) -> int:
        """Number of frames that need not be sent to that worker again."""
        return max(0, self.frames - CHANGING_FRAMES)


def pack_request(
    request: RecognitionRequest, info: ModelInfo, window: str, patience: float, first: int = 0
) -> Message:
    """Return the message of a request.

    Args:
        request: request to send; its past is not part of the message.
        info: model that the request is meant for.
        window: name under which the worker can cache a past.
        patience: seconds after which the gateway no longer waits for the answer.
        first: first frame to send; the worker has the frames before it.
    """
    fields = {name: getattr(request, name) for name in _AS_THEY_ARE}
    groups = {name: asdict(getattr(request, name)) for name in _GROUPS}
    return {
        "version": WIRE_VERSION,
        "package": __version__,
        "multilingual": info.multilingual,
        "mel": np.ascontiguousarray(request.mel[:, first:], np.float16),
        "first": first,
        "window": window,
        "patience": patience,
        **fields,
        **groups,
    }


def check_version(message: Mapping[str, Any]) -> None:
    """Raise RecognitionError if a message has another version."""
    theirs = message.get("version")
    if theirs != WIRE_VERSION:
        raise RecognitionError(
            f"gateway and worker have different versions: this is streamwhisper {__version__} "
            f"with message version {WIRE_VERSION}; the other end is "
            f"{message.get('package', 'another release')} with version {theirs}. Install the "
            "same release on both"
        )


def half_mel(message: Message, known: HalfMel | None) -> HalfMel:
    """Return all frames of a request's window, float16 ``[n_mels, n_frames]``.

    Args:
        message: the request.
        known: frames that the worker has from earlier requests.

    Raises:
        FramesMissing: the worker no longer has the omitted frames.
    """
    first, mel = message["first"], message["mel"]
    if not first:
        return np.asarray(mel)
    if known is None or known.shape[1] < first:
        raise FramesMissing(f"window {message['window']}: frames up to {first} are missing")
    return np.concatenate([known[:, :first], mel], axis=1)


def unpack_request(message: Message, mel: HalfMel, past: object | None) -> RecognitionRequest:
    """Return the request of a message, with all its frames and the cached past.

    Raises:
        RecognitionError: the message cannot be read.
    """
    try:
        fields = {name: message[name] for name in _AS_THEY_ARE}
        groups = {name: kind(**message[name]) for name, kind in _GROUPS.items()}
    except (KeyError, TypeError) as error:
        raise RecognitionError(
            f"the request cannot be read: {type(error).__name__}: {error}"
        ) from error
    frames = mel.astype(np.float32)
    if frames.size:
        # Earlier frames were clamped at an earlier maximum.
        frames = np.maximum(frames, frames.max() - np.float32(CLAMP))
    return RecognitionRequest(frames, past=past, **fields, **groups)


def pack_hypothesis(hypothesis: Hypothesis) -> Message:
    """Return the message of an answer, without its past."""
    return {
        "words": [
            (
                word.text,
                word.tokens,
                word.start,
                word.end,
                word.log_probability,
                word.mark_tokens,
            )
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
    """Return the answer of a message; its past stays with the worker."""
    words = tuple(HypothesisWord(*word) for word in message["words"])
    return Hypothesis(**{**message, "words": words}, past=past)


def pack_info(info: ModelInfo) -> Message:
    """Return the message about a worker's model."""
    return {"version": WIRE_VERSION, "package": __version__, "model": asdict(info)}


def unpack_info(message: Message) -> ModelInfo:
    """Return the model of a worker.

    Raises:
        RecognitionError: the worker has another message version.
    """
    check_version(message)
    return ModelInfo(**message["model"])
