"""Whole windows of recordings: requests, hypotheses and the batched search between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwhisper.audio.constants import FRAMES_PER_POSITION, WINDOW_FRAMES
from streamwhisper.languages import SCRIPTED_LANGUAGES, Language, echo_start
from streamwhisper.recognition import Task
from streamwhisper.whisper.biasing import get_bias_vocabulary
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.fallback import FallbackOptions, search_with_fallback
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import (
    Output,
    SearchOptions,
    SearchResult,
    SearchTask,
    text_tokens,
)
from streamwhisper.whisper.tail import EncodedAudio, SilentTails, encode, encode_padded
from streamwhisper.whisper.timing import AlignedWord, AlignmentTask, align
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["Watch", "WindowHypothesis", "WindowRequest", "finished", "search_windows"]

Watch = Callable[[int, float], None]
"""Called with the index of a request and the share of it that is done, 0 to 1."""
_ENCODED = 0.5
"""Share of a window that is done once it is encoded; the rest once its text is complete."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """Whole window of a recording; contains everything that the answer depends on.

    Attributes:
        mel: clamped and scaled log-mel frames, float32 ``[n_mels, n_frames]``, 10 ms each, at
            most 3000; no padding.
        language: code, e.g. ``"en"``; None detects it.
        task: transcribe, or translate into English.
        prompt: tokens of the text before the window.
        prefix: tokens that the text begins with; they are not part of the result.
        vocabulary: words and phrases to prefer when the audio is ambiguous.
        search: search options; None only detects the language.
        fallback: thresholds for searching again at a higher temperature.
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
    """Answer to a `WindowRequest`.

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
    """Return the number of tokens in segments that end within the window.

    A segment ends between two consecutive timestamps. Text after the last such pair is unfinished,
    unless it ends with a single timestamp. Without a pair all tokens count.

    Args:
        tokens: tokens of the window.
        timestamp_begin: first timestamp token.
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
    watch: Watch | None = None,
) -> list[WindowHypothesis]:
    """Answer each request, in order; an answer does not depend on the other requests.

    Args:
        model: the network.
        output: output layer of the model for searches.
        tokenizer: tokenizer of the model.
        tails: silent tails of the model; None pads every window to 30 s.
        requests: windows to transcribe.
        watch: called when a window is encoded, and when its text is complete.

    Raises:
        RecognitionError: a prefix leaves no room for text.
    """
    if not requests:
        return []
    watch = watch or (lambda index, share: None)
    encoded = _encoded(model, tails, requests, watch)
    detected: list[Mapping[str, float]] = [{} for _ in requests]
    asked = [i for i, request in enumerate(requests) if request.language is None]
    if asked and tokenizer.multilingual:
        found = detect_languages(model, tokenizer, [encoded[i] for i in asked])
        for i, languages in zip(asked, found, strict=True):
            detected[i] = languages
    tasks = [
        _task(tokenizer, request, audio, request.language or next(iter(languages), "en"))
        for request, audio, languages in zip(requests, encoded, detected, strict=True)
    ]
    results = _searched(model, output, tokenizer, requests, tasks, watch)
    words = _aligned(model, output, tokenizer, requests, tasks, results)
    return [WindowHypothesis(*found) for found in zip(results, words, detected, strict=True)]


def _encoded(
    model: Whisper, tails: SilentTails | None, requests: Sequence[WindowRequest], watch: Watch
) -> list[EncodedAudio]:
    """Encode the windows; windows with equal padding share a batch."""
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
            for index in group:
                watch(index, _ENCODED)
    return [encoded[index] for index in range(len(requests))]


def _with_zeros(model: Whisper, mels: Sequence[Tensor]) -> list[EncodedAudio]:
    """Encode windows padded with zeros, which the decoder does not attend to."""
    filled = [F.pad(mel, (0, WINDOW_FRAMES - mel.shape[1])) for mel in mels]
    return [
        replace(audio, audible=max(1, mel.shape[1] // FRAMES_PER_POSITION))
        for audio, mel in zip(encode_padded(model, filled), mels, strict=True)
    ]


def _task(
    tokenizer: Tokenizer, request: WindowRequest, audio: EncodedAudio, language: str
) -> SearchTask:
    words = get_bias_vocabulary(tokenizer, request.vocabulary) if request.vocabulary else None
    prompt = request.prompt
    # A padded window is prompted as openai-whisper does, or its timestamps may skip speech.
    if not prompt and not request.padded and request.task == "transcribe":
        script = Language(language).prompt()
        prompt = text_tokens(tokenizer, script) if script else ()
    return SearchTask(audio, language, request.task, prompt, request.prefix, vocabulary=words)


def _searched(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    requests: Sequence[WindowRequest],
    tasks: Sequence[SearchTask],
    watch: Watch,
) -> list[SearchResult]:
    """Search tasks with equal options in one batch."""
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
        found = search_with_fallback(
            model,
            output,
            tokenizer,
            own,
            search,
            fallback,
            _completes(watch, indices),
        )
        results |= zip(indices, found, strict=True)
    return [_without_echo(tokenizer, results[index]) for index in range(len(tasks))]


def _completes(watch: Watch, indices: Sequence[int]) -> Callable[[int], None]:
    return lambda position: watch(indices[position], 1.0)


def _without_echo(tokenizer: Tokenizer, result: SearchResult) -> SearchResult:
    """Return a result without the prompt of its script, which a decoder may write in silence."""
    if result.language not in SCRIPTED_LANGUAGES:
        return result
    words = tokenizer.split_words(result.tokens)
    kept = echo_start([text for text, _ in words], result.language)
    if kept == len(words):
        return result
    tokens = result.tokens[: sum(len(own) for _, own in words[:kept])]
    return replace(result, tokens=tokens, text=tokenizer.decode(tokens).strip())


def _aligned(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    requests: Sequence[WindowRequest],
    tasks: Sequence[SearchTask],
    results: Sequence[SearchResult],
) -> list[tuple[AlignedWord, ...]]:
    """Time the words of texts that are short enough."""
    alignments: dict[int, AlignmentTask] = {}
    for index, (request, task, result) in enumerate(zip(requests, tasks, results, strict=True)):
        text = [token for token in result.tokens if token < tokenizer.eot]
        if text and len(text) < request.words_below:
            count = finished(result.tokens, tokenizer.timestamp_begin)
            kept = tuple(token for token in result.tokens[:count] if token < tokenizer.eot)
            alignments[index] = AlignmentTask(task.audio, kept, task.language, task.task)
    if not alignments:
        return [() for _ in requests]
    timed = align(model, output, tokenizer, list(alignments.values()))
    words = dict(zip(alignments, map(tuple, timed), strict=True))
    return [words.get(index, ()) for index in range(len(requests))]
