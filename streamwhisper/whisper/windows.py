"""Whole windows of recordings: requests, hypotheses and the batched search between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwhisper.audio.constants import FRAMES_PER_POSITION, WINDOW_FRAMES
from streamwhisper.recognition import Task
from streamwhisper.whisper.biasing import get_bias_vocabulary
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.fallback import FallbackOptions, search_with_fallback
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import Output, SearchOptions, SearchResult, SearchTask
from streamwhisper.whisper.tail import EncodedAudio, SilentTails, encode, encode_padded
from streamwhisper.whisper.timing import AlignedWord, AlignmentTask, align
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["WindowHypothesis", "WindowRequest", "finished", "search_windows"]


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """A whole window of a recording. It contains everything that the answer depends on.

    Attributes:
        mel: clamped and scaled log-mel frames, float32 ``[n_mels, n_frames]``, 10 ms each, at
            most 3000; no padding.
        language: code, e.g. ``"en"``; None detects it.
        task: transcribe, or translate into English.
        prompt: tokens of the text before the window.
        prefix: tokens that the text begins with; they are not part of the result.
        vocabulary: words and phrases to prefer when the audio is ambiguous.
        search: how the text is searched for; None detects the language only.
        fallback: when a text is searched for again at a higher temperature.
        words_below: number of text tokens below which words are timed; 0 times none, infinity
            all.
        padded: encode as openai-whisper does, with zeros up to 30 s.
    """

    mel: NDArray[np.float32]
    language: str | None = None
    task: Task = "transcribe"
    prompt: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    vocabulary: tuple[str, ...] = ()
    search: SearchOptions | None = field(default_factory=SearchOptions)
    fallback: FallbackOptions = field(default_factory=FallbackOptions)
    words_below: float = 0.0
    padded: bool = False


@dataclass(frozen=True, slots=True)
class WindowHypothesis:
    """The answer to a `WindowRequest`.

    Attributes:
        result: tokens, text and scores.
        words: words of the finished text (see `finished`) with their times in seconds from the
            window's start; empty if they were not requested.
        languages: probability of each language, most likely first, if it was detected.
    """

    result: SearchResult
    words: tuple[AlignedWord, ...] = ()
    languages: Mapping[str, float] = field(default_factory=dict)


def finished(tokens: Sequence[int], timestamp_begin: int) -> int:
    """Return how many tokens belong to segments that end within the window.

    A segment ends where two timestamps meet. The text after the last such place is not finished,
    unless it ends with a single timestamp. Without such a place all tokens count.

    Args:
        timestamp_begin: the first timestamp token.
    """
    stamps = [token >= timestamp_begin for token in tokens]
    meets = [i for i in range(1, len(tokens)) if stamps[i - 1] and stamps[i]]
    if not meets or stamps[-2:] == [False, True]:
        return len(tokens)
    return meets[-1]


def search_windows(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    tails: SilentTails | None,
    requests: Sequence[WindowRequest],
) -> list[WindowHypothesis]:
    """Answer each request, in order; N requests together are answered as N alone.

    Args:
        output: the model's output layer for searches.
        tails: of the model; None pads every window to 30 s instead.

    Raises:
        RecognitionError: a prefix leaves no room for text.
    """
    if not requests:
        return []
    sounds = _encoded(model, tails, requests)
    detected: list[Mapping[str, float]] = [{} for _ in requests]
    asked = [i for i, request in enumerate(requests) if request.language is None]
    if asked and tokenizer.multilingual:
        found = detect_languages(model, tokenizer, [sounds[i] for i in asked])
        for i, languages in zip(asked, found, strict=True):
            detected[i] = languages
    tasks = [
        _task(tokenizer, request, sound, request.language or next(iter(languages), "en"))
        for request, sound, languages in zip(requests, sounds, detected, strict=True)
    ]
    results = _searched(model, output, tokenizer, requests, tasks)
    words = _aligned(model, output, tokenizer, requests, tasks, results)
    return [WindowHypothesis(*found) for found in zip(results, words, detected, strict=True)]


def _encoded(
    model: Whisper, tails: SilentTails | None, requests: Sequence[WindowRequest]
) -> list[EncodedAudio]:
    """Encode the windows; those that are encoded in the same way share a batch."""
    encoded: dict[int, EncodedAudio] = {}
    for padded in (False, True):
        own = [index for index, request in enumerate(requests) if request.padded is padded]
        # One by one on a CPU: the values of a single window stay in its cache.
        size = 1 if model.device.type == "cpu" else max(1, len(own))
        for first in range(0, len(own), size):
            group = own[first : first + size]
            mels = [torch.from_numpy(requests[index].mel) for index in group]
            if padded:
                found = _with_zeros(model, mels)
            elif tails is None:
                found = encode_padded(model, mels)
            else:
                found = encode(tails, mels, keep=False)
            encoded |= zip(group, found, strict=True)
    return [encoded[index] for index in range(len(requests))]


def _with_zeros(model: Whisper, mels: Sequence[Tensor]) -> list[EncodedAudio]:
    """Encode windows with zeros behind them, which the decoder does not attend to."""
    filled = [F.pad(mel, (0, WINDOW_FRAMES - mel.shape[1])) for mel in mels]
    return [
        replace(sound, audible=max(1, mel.shape[1] // FRAMES_PER_POSITION))
        for sound, mel in zip(encode_padded(model, filled), mels, strict=True)
    ]


def _task(
    tokenizer: Tokenizer, request: WindowRequest, sound: EncodedAudio, language: str
) -> SearchTask:
    words = get_bias_vocabulary(tokenizer, request.vocabulary) if request.vocabulary else None
    return SearchTask(
        sound, language, request.task, request.prompt, request.prefix, vocabulary=words
    )


def _searched(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    requests: Sequence[WindowRequest],
    tasks: Sequence[SearchTask],
) -> list[SearchResult]:
    """Search those with equal options side by side."""
    results = {
        index: SearchResult((), "", 0.0, 0.0, 0.0, 0.0, task.language)
        for index, task in enumerate(tasks)
    }
    groups: dict[tuple[SearchOptions, FallbackOptions], list[int]] = {}
    for index, request in enumerate(requests):
        if request.search is not None:
            groups.setdefault((request.search, request.fallback), []).append(index)
    for (search, fallback), indices in groups.items():
        own = [tasks[index] for index in indices]
        found = search_with_fallback(model, output, tokenizer, own, search, fallback)
        results |= zip(indices, found, strict=True)
    return [results[index] for index in range(len(tasks))]


def _aligned(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    requests: Sequence[WindowRequest],
    tasks: Sequence[SearchTask],
    results: Sequence[SearchResult],
) -> list[tuple[AlignedWord, ...]]:
    """Time the words of those texts that are short enough."""
    alignments: dict[int, AlignmentTask] = {}
    for index, (request, task, result) in enumerate(zip(requests, tasks, results, strict=True)):
        text = [token for token in result.tokens if token < tokenizer.eot]
        if text and len(text) < request.words_below:
            count = finished(result.tokens, tokenizer.timestamp_begin)
            kept = tuple(token for token in result.tokens[:count] if token < tokenizer.eot)
            alignments[index] = AlignmentTask(task.sound, kept, task.language, task.task)
    if not alignments:
        return [() for _ in requests]
    timed = align(model, output, tokenizer, list(alignments.values()))
    words = dict(zip(alignments, map(tuple, timed), strict=True))
    return [words.get(index, ()) for index in range(len(requests))]
