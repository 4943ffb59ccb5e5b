"""Greedy decoding with a verified draft.

The prompt, the committed prefix and the draft go through the decoder in one parallel pass. The
longest part of the draft on which greedy decoding agrees is kept, and decoding goes on token by
token from there, so a draft changes how soon the answer comes and never the answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import DecodingOptions, Ending, Task
from streamwhisper.whisper import guards
from streamwhisper.whisper.alignment import CONTEXT_ROWS
from streamwhisper.whisper.biasing import BiasVocabulary
from streamwhisper.whisper.kv_cache import DecodedPrefix, DecoderCache, one_batch
from streamwhisper.whisper.logit_filters import Choice, LogitFilters
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


@dataclass(frozen=True, slots=True, eq=False)
class DecodedTokens:
    """New tokens, and how the model saw them.

    Attributes:
        tokens: after the prefix, without end-of-text; may hold timestamp tokens.
        log_probabilities: one for each token.
        weights: alignment heads' attention, float32 ``[n_heads, n_rows, audible]``: one row for
            each prefix token, each new token, and the step after the last.
        first_row: prefix tokens whose rows are left out.
        no_speech_probability: at the start-of-transcript token.
        drafted: how many tokens of the draft were accepted.
        settled: what a decoding with the same beginning may take over; None if nothing.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    weights: NDArray[np.float32]
    first_row: int
    no_speech_probability: float
    ending: Ending
    drafted: int
    settled: DecodedPrefix | None


Seen = Sequence[Choice] | Tensor
"""Tokens, or the logits ``[n, n_vocab]`` from which they are still to be chosen."""


def context_tokens(
    tokenizer: Tokenizer,
    prompt: Sequence[int],
    language: str | None,
    task: Task,
    *,
    timestamps: bool,
    most: int,
) -> tuple[int, ...]:
    """Everything before the transcript: the prompt's last `most` tokens, then what to do."""
    carried = tuple(prompt[-most:]) if most > 0 else ()
    head = (tokenizer.sot_prev, *carried) if carried else ()
    start = tokenizer.sot_sequence(language=language, task=task)
    return (*head, *start) if timestamps else (*head, *start, tokenizer.no_timestamps)


@torch.inference_mode()
def detect_languages(
    model: Whisper, tokenizer: Tokenizer, sounds: Sequence[EncodedAudio]
) -> list[dict[str, float]]:
    """For each sound, the probability of each language of the model, most likely first."""
    caches = empty_caches(model, sounds)
    with model.steps(caches) as step:
        hidden, _ = step([[tokenizer.sot]] * len(sounds), caches)
    languages = tokenizer.language_tokens
    logits = model.decoder.logits(torch.cat(hidden))[:, list(languages.values())]
    return [
        dict(sorted(zip(languages, row, strict=True), key=lambda pair: -pair[1]))
        for row in logits.softmax(dim=-1).tolist()
    ]


@dataclass(frozen=True, slots=True, eq=False)
class DecodingTask:
    """What to decode.

    Attributes:
        sound: what was said.
        context: see `context_tokens`.
        prefix: tokens that stand; they are forced.
        draft: a guess for the tokens after the prefix.
        seconds: sound after the prefix's last word (it bounds the new tokens).
        settled: what an earlier decoding about the same window has left.
        vocabulary: what is preferred where the sound allows it.
    """

    sound: EncodedAudio
    context: Sequence[int]
    prefix: Sequence[int]
    draft: Sequence[int]
    options: DecodingOptions
    seconds: float
    settled: DecodedPrefix | None = None
    vocabulary: BiasVocabulary | None = None


@dataclass(slots=True)
class _RowTokens:
    """What one decoding has written, and the guards that watch it."""

    rules: LogitFilters
    options: DecodingOptions
    prefix: tuple[int, ...]
    limit: int
    vocabulary: BiasVocabulary | None = None
    no_speech: float = 0.0
    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether what is likeliest does not depend on what is written, but for the first token."""
        return not self.options.timestamps and self.vocabulary is None

    @property
    def beginning(self) -> bool:
        """Whether nothing is written yet."""
        return not self.tokens and not self.prefix

    def choose(self, logits: Tensor) -> Choice:
        """The likeliest token of ``logits [n_vocab]``."""
        filtered = self.rules.apply(
            logits, self.tokens, first=self.beginning, times=self.options.timestamps
        )
        favoured = filtered
        if self.vocabulary is not None:
            so_far = (*self.prefix, *self.tokens)
            favoured = self.vocabulary.favour(filtered, so_far, self.no_speech)
        token = int(favoured.argmax())
        # How sure the model is, it says without the vocabulary: a word is not to stand sooner.
        return Choice(token, float(filtered[token] - filtered.logsumexp(dim=-1)))

    def write(self, choice: Choice, position: int) -> Ending | None:
        """Write a token; why to stop, if so."""
        token = choice.token
        if token == self.rules.tokenizer.eot:
            return "end_of_text"
        if len(self.tokens) >= self.limit:
            return "rate" if self.limit < self.options.max_tokens else "length"
        self.tokens.append(token)
        self.log_probabilities.append(choice.log_probability)
        self.positions.append(position)
        again = guards.loop_start([*self.prefix[-2 * guards.MAX_PERIOD :], *self.tokens])
        if again is not None:
            held = len(self.prefix[-2 * guards.MAX_PERIOD :])
            self._cut(max(0, again - held))
            return "loop"
        again = guards.rewound(self.tokens, self.positions)
        if again is not None:
            self._cut(again)
            return "rewind"
        return None

    def _cut(self, length: int) -> None:
        del self.tokens[length:], self.log_probabilities[length:], self.positions[length:]


class _Row:
    """One task on its way through `decode`."""

    def __init__(self, model: Whisper, rules: LogitFilters, task: DecodingTask) -> None:
        self.model = model
        n_context = model.dims.n_text_ctx
        self.start = len(task.context) + len(task.prefix)
        room = n_context - self.start - 1
        if room < 1:
            raise RecognitionError(
                f"the prompt ({len(task.context)} tokens with its frame) and the committed prefix "
                f"({len(task.prefix)}) fill the text context of {n_context}; cut the window sooner"
            )
        options = task.options
        most = min(options.max_tokens, room)
        limit = guards.token_limit(task.seconds, options.max_tokens_per_second, most)
        self.task = task
        self.draft = list(task.draft)[:limit]
        self.capacity = self.start + limit + 1
        self.written = _RowTokens(rules, options, tuple(task.prefix), limit, task.vocabulary)
        self.ending: Ending | None = None
        self.drafted = 0
        self._sot = list(task.context).index(rules.tokenizer.sot)
        self._weights: list[Tensor] = []
        self._first_row = 0
        self._held = 0

    def begin(self, cache: DecoderCache) -> None:
        """Write into this cache."""
        self.cache = cache
        self._first_row = _first_row(self.task.prefix)
        if self.task.settled is not None and cache.seat is None:
            self._take_over(self.task.settled)

    def _take_over(self, settled: DecodedPrefix) -> None:
        """Start behind the tokens that went through the decoder before."""
        shared = min(settled.shared([*self.task.context, *self.task.prefix]), self.start - 1)
        rows = shared - len(self.task.context) + 1 - settled.first_row
        if rows < 1 or settled.first_row > _first_row(self.task.prefix):
            return
        for own, held in zip(self.cache.self_attention, settled.self_attention, strict=True):
            for mine, theirs in zip(own, held, strict=True):
                mine[:, :, :shared] = theirs[:, :, :shared]
        longer = self.task.sound.audible - settled.weights.shape[2]
        self._weights.append(F.pad(settled.weights[:, :rows], (0, longer)))
        self._first_row = settled.first_row
        self.written.no_speech = settled.no_speech_probability
        self._held = self.cache.length = shared

    @property
    def tokens(self) -> list[int]:
        """What goes through the decoder first."""
        return [*self.task.context, *self.task.prefix, *self.draft][self._held :]

    @property
    def since(self) -> int:
        """The first of these tokens whose attention tells where words begin."""
        return 0 if self._held else len(self.task.context) - 1 + self._first_row

    def opening(self, hidden: Tensor) -> Tensor:
        """Of hidden states ``[L, D]`` that at the start-of-transcript token, if it is there."""
        return hidden[:0] if self._held else hidden[self._sot : self._sot + 1]

    def guessed(self, hidden: Tensor) -> Tensor:
        """Of hidden states ``[L, D]`` those that tell whether the draft holds, and what follows."""
        return hidden[self.start - 1 - self._held :]

    def verify(self, seen: Seen, weights: Tensor) -> None:
        """Keep the part of the draft that greedy decoding agrees with, and one token more."""
        peaks = _peaks(weights[:, -len(seen) :])
        for guess, one, peak in zip([*self.draft, None], seen, peaks, strict=True):
            self.ending = self._write(one, peak)
            if self.ending or self.written.tokens[-1] != guess:
                break
            self.drafted += 1
        rejected = len(self.draft) - self.drafted
        self._weights.append(weights[:, : weights.shape[1] - rejected])
        self.cache.length = self.start + self.drafted

    def write(self, seen: Seen, weights: Tensor) -> None:
        """Write the next token."""
        self._weights.append(weights)
        self.ending = self._write(seen[0], _peaks(weights)[0])

    def _write(self, seen: Choice | Tensor, peak: int) -> Ending | None:
        choice = self.written.choose(seen) if isinstance(seen, Tensor) else seen
        return self.written.write(choice, peak)

    def result(self) -> DecodedTokens:
        """Everything that was written."""
        written = self.written
        kept = len(self.task.prefix) + len(written.tokens) + 1 - self._first_row
        weights = torch.cat(self._weights, dim=1)[:, :kept]
        return DecodedTokens(
            tokens=tuple(written.tokens),
            log_probabilities=tuple(written.log_probabilities),
            weights=weights.cpu().numpy(),
            first_row=self._first_row,
            no_speech_probability=written.no_speech,
            ending=self.ending or "end_of_text",
            drafted=min(self.drafted, len(written.tokens)),
            settled=self._settled(weights),
        )

    def _settled(self, weights: Tensor) -> DecodedPrefix | None:
        if self.cache.seat is not None:
            return None
        every = (*self.task.context, *self.task.prefix, *self.written.tokens)
        tokens = every[: self.cache.length]
        attention = [
            (keys[:, :, : len(tokens)], values[:, :, : len(tokens)])
            for keys, values in self.cache.self_attention
        ]
        # A copy: the rest is most of it, and nobody asks for the onsets of a prefix.
        first = _first_row(self.task.prefix)
        rows = weights[:, first - self._first_row :].clone()
        return DecodedPrefix(tokens, attention, rows, first, self.written.no_speech)


@torch.inference_mode()
def decode(
    model: Whisper, output: OutputLayer, rules: LogitFilters, tasks: Sequence[DecodingTask]
) -> list[DecodedTokens]:
    """Decode greedily what follows each task's prefix, all tasks side by side.

    Raises:
        RecognitionError: context and prefix leave no room in the model's text context.
    """
    rows = [_Row(model, rules, task) for task in tasks]
    caches = empty_caches(model, [task.sound for task in tasks], [row.capacity for row in rows])
    for row, cache in zip(rows, caches, strict=True):
        row.begin(cache)
    with model.steps(caches) as step:
        hidden, weights = step(
            [row.tokens for row in rows], caches, None, [row.since for row in rows]
        )
        openings = [row.opening(states) for row, states in zip(rows, hidden, strict=True)]
        guessed = [row.guessed(states) for row, states in zip(rows, hidden, strict=True)]
        logits = output(torch.cat((*openings, *guessed)))
        count = sum(map(len, openings))
        silent = logits[:count].softmax(dim=-1)[:, rules.tokenizer.no_speech].tolist()
        for row, opening in zip(rows, openings, strict=True):
            if len(opening):
                row.written.no_speech = silent.pop(0)
        seen = _seen(rules, rows, logits[count:], list(map(len, guessed)))
        for row, own, own_weights in zip(rows, seen, weights, strict=True):
            row.verify(own, own_weights)
        while active := [row for row in rows if not row.ending]:
            hidden, weights = step(
                [row.written.tokens[-1:] for row in active], [row.cache for row in active]
            )
            seen = _seen(rules, active, output(torch.cat(hidden)), [1] * len(active))
            for row, own, own_weights in zip(active, seen, weights, strict=True):
                row.write(own, own_weights)
    return [row.result() for row in rows]


def _seen(
    rules: LogitFilters, rows: Sequence[_Row], logits: Tensor, lengths: Sequence[int]
) -> list[Seen]:
    """For each row so many tokens, chosen all at once, or logits where that cannot be."""
    parts: list[Seen] = list(torch.split(logits, list(lengths)))
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
    model: Whisper, sounds: Sequence[EncodedAudio], capacities: Sequence[int | None] | None = None
) -> list[DecoderCache]:
    """Empty ones; where the text is written in slots, and the sounds lie together, just seats."""
    seats = [sound.seat for sound in sounds]
    if model.stepping is not None and one_batch(seats) is not None:
        return [DecoderCache([], [], None, [], seat=seat) for seat in seats]
    return [
        model.decoder_cache(sound.cross_attention, sound.audible, sound.bias, capacity)
        for sound, capacity in zip(sounds, capacities or [None] * len(sounds), strict=True)
    ]


def _first_row(prefix: Sequence[int]) -> int:
    """The first row of attention weights that tells where the words after `prefix` begin."""
    return max(0, len(prefix) - CONTEXT_ROWS)


def _peaks(weights: Tensor) -> list[int]:
    """For each row, the encoder position that the heads attend to most."""
    return cast("list[int]", weights.mean(dim=0).argmax(dim=-1).tolist())
