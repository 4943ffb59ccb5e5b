"""Whole windows between a gateway and a worker: plain values and one array, no classes.

See `streamwhisper.cluster.wire` for live requests. Frames travel in full precision, so that the
text of a recording does not depend on where it was transcribed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from streamwhisper.cluster.wire import WIRE_VERSION, Message
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import ModelInfo
from streamwhisper.version import __version__
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.repetition import RepetitionOptions
from streamwhisper.whisper.search import SearchOptions, SearchResult
from streamwhisper.whisper.timing import AlignedWord
from streamwhisper.whisper.tokenizer import Tokenizer, get_tokenizer
from streamwhisper.whisper.windows import WindowHypothesis, WindowRequest

__all__ = [
    "pack_text_model",
    "pack_window_hypothesis",
    "pack_window_request",
    "unpack_text_model",
    "unpack_window_hypothesis",
    "unpack_window_request",
]

_PLAIN = ("language", "task", "prompt", "prefix", "vocabulary", "words_below", "padded")
_WORD = ("text", "tokens", "start", "end", "probability")


def pack_window_request(request: WindowRequest, info: ModelInfo, patience: float) -> Message:
    """Return a request as a message.

    Args:
        request: the window.
        info: model that the request is meant for.
        patience: seconds after which the gateway no longer waits for the answer.
    """
    return {
        "version": WIRE_VERSION,
        "package": __version__,
        "multilingual": info.multilingual,
        "mel": np.ascontiguousarray(request.mel, np.float32),
        "search": None if request.search is None else asdict(request.search),
        "fallback": asdict(request.fallback),
        "patience": patience,
        **{name: getattr(request, name) for name in _PLAIN},
    }


def unpack_window_request(message: Mapping[str, Any]) -> WindowRequest:
    """Return the request in a message.

    Raises:
        RecognitionError: the message cannot be read.
    """
    try:
        search = message["search"]
        if search is not None:
            repetition = RepetitionOptions(**search["repetition"])
            search = SearchOptions(**{**search, "repetition": repetition})
        return WindowRequest(
            np.array(message["mel"]),  # a copy, because arrays from Ray are read-only
            search=search,
            fallback=FallbackOptions(**message["fallback"]),
            **{name: message[name] for name in _PLAIN},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecognitionError(
            f"a window request cannot be read ({type(error).__name__}: {error}); install the same "
            "release on gateways and workers"
        ) from error


def pack_window_hypothesis(hypothesis: WindowHypothesis) -> Message:
    """Return an answer as a message."""
    return {
        "result": asdict(hypothesis.result),
        "words": [tuple(getattr(word, name) for name in _WORD) for word in hypothesis.words],
        "languages": dict(hypothesis.languages),
    }


def unpack_window_hypothesis(message: Mapping[str, Any]) -> WindowHypothesis:
    """Return the answer in a message."""
    words = tuple(AlignedWord(*word) for word in message["words"])
    return WindowHypothesis(SearchResult(**message["result"]), words, message["languages"])


def pack_text_model(n_vocab: int, n_text_ctx: int, generation: GenerationConfig) -> Message:
    """Return the text properties of a model as a message, for gateways."""
    return {"n_vocab": n_vocab, "n_text_ctx": n_text_ctx, "generation": asdict(generation)}


def unpack_text_model(message: Mapping[str, Any]) -> tuple[Tokenizer, int]:
    """Return the tokenizer and the size of the text context in a message."""
    generation = GenerationConfig(**message["generation"])
    return get_tokenizer(message["n_vocab"], generation), message["n_text_ctx"]
