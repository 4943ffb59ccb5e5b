"""Greedy decoding with a verified draft.

The prompt, the committed prefix and the draft go through the decoder in one parallel pass. The
decoder keeps the longest part of the draft that greedy decoding confirms and continues token by
token from there. A draft therefore changes the speed of an answer, never the answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from streamwhisper.recognition import Task
from streamwhisper.whisper.decoding_row import Chosen, DecodedTokens, DecodingRow, DecodingTask
from streamwhisper.whisper.kv_cache import DecoderCache, one_batch
from streamwhisper.whisper.logit_filters import LogitFilters
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.output_layer import OutputLayer
from streamwhisper.whisper.tail import EncodedAudio
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = [
    "DecodedTokens",
    "DecodingTask",
    "context_tokens",
    "decode",
    "detect_languages",
    "empty_caches",
]


def context_tokens(
    tokenizer: Tokenizer,
    prompt: Sequence[int],
    language: str | None,
    task: Task,
    *,
    timestamps: bool,
    most: int,
) -> tuple[int, ...]:
    """Return all tokens before the transcript: at most `most` of the prompt, then the task."""
    carried = tuple(prompt[-most:]) if most > 0 else ()
    head = (tokenizer.sot_prev, *carried) if carried else ()
    start = tokenizer.sot_sequence(language=language, task=task)
    return (*head, *start) if timestamps else (*head, *start, tokenizer.no_timestamps)


@torch.inference_mode()
def detect_languages(
    model: Whisper, tokenizer: Tokenizer, encoded: Sequence[EncodedAudio]
) -> list[dict[str, float]]:
    """Return, for each window, the probability of each language, most likely first."""
    caches = empty_caches(model, encoded)
    with model.steps(caches) as step:
        hidden, _ = step([[tokenizer.sot]] * len(encoded), caches)
    languages = tokenizer.language_tokens
    logits = model.decoder.logits(torch.cat(hidden))[:, list(languages.values())]
    return [
        dict(sorted(zip(languages, row, strict=True), key=lambda pair: -pair[1]))
        for row in logits.softmax(dim=-1).tolist()
    ]


@torch.inference_mode()
def decode(
    model: Whisper, output: OutputLayer, rules: LogitFilters, tasks: Sequence[DecodingTask]
) -> list[DecodedTokens]:
    """Decode the text after each task's prefix greedily, all tasks side by side.

    Raises:
        RecognitionError: context and prefix leave no room in the model's text context.
    """
    rows = [DecodingRow(model, rules, task) for task in tasks]
    caches = empty_caches(model, [task.audio for task in tasks], [row.capacity for row in rows])
    for row, cache in zip(rows, caches, strict=True):
        row.prefill(cache)
    with model.steps(caches) as step:
        hidden, weights = step(
            [row.tokens for row in rows], caches, None, [row.since for row in rows]
        )
        starts = [row.start_state(states) for row, states in zip(rows, hidden, strict=True)]
        drafts = [row.draft_states(states) for row, states in zip(rows, hidden, strict=True)]
        logits = output(torch.cat((*starts, *drafts)))
        count = sum(map(len, starts))
        silent = logits[:count].softmax(dim=-1)[:, rules.tokenizer.no_speech].tolist()
        for row, start in zip(rows, starts, strict=True):
            if len(start):
                row.written.no_speech = silent.pop(0)
        chosen = _chosen(rules, rows, logits[count:], list(map(len, drafts)))
        for row, own, own_weights in zip(rows, chosen, weights, strict=True):
            row.verify_draft(own, own_weights)
        while active := [row for row in rows if not row.ending]:
            hidden, weights = step(
                [row.written.tokens[-1:] for row in active], [row.cache for row in active]
            )
            chosen = _chosen(rules, active, output(torch.cat(hidden)), [1] * len(active))
            for row, own, own_weights in zip(active, chosen, weights, strict=True):
                row.step(own, own_weights)
    return [row.result() for row in rows]


def _chosen(
    rules: LogitFilters, rows: Sequence[DecodingRow], logits: Tensor, lengths: Sequence[int]
) -> list[Chosen]:
    """Return, for each row, `lengths` chosen tokens, or the logits to choose them from.

    Rows whose choice does not depend on the tokens before are chosen all at once.
    """
    parts: list[Chosen] = list(torch.split(logits, list(lengths)))
    plain = [number for number, row in enumerate(rows) if row.written.plain]
    if not plain:
        return parts
    if len(plain) < len(rows):
        logits = torch.cat([cast("Tensor", parts[number]) for number in plain])
    first = [
        index == 0 and rows[number].written.beginning
        for number in plain
        for index in range(lengths[number])
    ]
    choices = iter(rules.likeliest(logits, first))
    for number in plain:
        parts[number] = list(itertools.islice(choices, lengths[number]))
    return parts


def empty_caches(
    model: Whisper, encoded: Sequence[EncodedAudio], capacities: Sequence[int | None] | None = None
) -> list[DecoderCache]:
    """Return an empty cache for each window.

    If `stepping` decodes in slots and all windows lie in one batch, the caches only name the slots.
    """
    slots = [audio.slot for audio in encoded]
    if model.stepping is not None and one_batch(slots) is not None:
        return [DecoderCache([], [], None, [], slot=slot) for slot in slots]
    return [
        model.decoder_cache(audio.cross_attention, audio.audible, audio.bias, capacity)
        for audio, capacity in zip(encoded, capacities or [None] * len(encoded), strict=True)
    ]
