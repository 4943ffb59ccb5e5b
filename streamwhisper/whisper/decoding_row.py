"""State of one text in greedy decoding: prefill, draft verification, steps and guards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import DecodingOptions, Ending
from streamwhisper.whisper import guards
from streamwhisper.whisper.alignment import CONTEXT_ROWS
from streamwhisper.whisper.biasing import BiasVocabulary
from streamwhisper.whisper.kv_cache import DecodedPrefix, DecoderCache
from streamwhisper.whisper.logit_filters import Choice, LogitFilters
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.tail import EncodedAudio

__all__ = ["Chosen", "DecodedTokens", "DecodingRow", "DecodingTask"]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedTokens:
    """New tokens of one decoding, with their probabilities and alignment.

    Attributes:
        tokens: tokens after the prefix without end-of-text; may include timestamp tokens.
        log_probabilities: log probability of each token.
        weights: attention of the alignment heads, float32 ``[n_heads, n_rows, audible]``: one row
            for each prefix token, each new token, and the step after the last.
        first_row: number of prefix tokens whose rows are left out.
        no_speech_probability: probability at the start-of-transcript token.
        ending: reason why decoding stopped.
        drafted: number of accepted tokens of the draft.
        cached: state for a later decoding with the same beginning; None if none is kept.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    weights: NDArray[np.float32]
    first_row: int
    no_speech_probability: float
    ending: Ending
    drafted: int
    cached: DecodedPrefix | None


Chosen = Sequence[Choice] | Tensor
"""Chosen tokens, or the logits ``[n, n_vocab]`` to choose them from."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodingTask:
    """One text to decode.

    Attributes:
        audio: encoded window.
        context: tokens before the transcript; see `context_tokens`.
        prefix: committed tokens; they are forced.
        draft: expected tokens after the prefix.
        options: decoding options.
        seconds: length of the audio after the prefix's last word; bounds the new tokens.
        cached: state of an earlier decoding about the same window.
        vocabulary: words to prefer when the audio is ambiguous.
    """

    audio: EncodedAudio
    context: Sequence[int]
    prefix: Sequence[int]
    draft: Sequence[int]
    options: DecodingOptions
    seconds: float
    cached: DecodedPrefix | None = None
    vocabulary: BiasVocabulary | None = None


@dataclass(slots=True)
class _RowTokens:
    """Tokens that one decoding has chosen, with the guards that stop it."""

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
        """True if the choice depends on earlier tokens for the first token only."""
        return not self.options.timestamps and self.vocabulary is None

    @property
    def beginning(self) -> bool:
        """True while there is no token, neither in the prefix nor after it."""
        return not self.tokens and not self.prefix

    def choose(self, logits: Tensor) -> Choice:
        """Return the most likely allowed token of ``logits [n_vocab]``."""
        filtered = self.rules.apply(
            logits, self.tokens, first=self.beginning, times=self.options.timestamps
        )
        favoured = filtered
        if self.vocabulary is not None:
            so_far = (*self.prefix, *self.tokens)
            favoured = self.vocabulary.favour(filtered, so_far, self.no_speech)
        token = int(favoured.argmax())
        # The probability is the one without the vocabulary, so a favoured word is not committed
        # sooner.
        return Choice(token, float(filtered[token] - filtered.logsumexp(dim=-1)))

    def write(self, choice: Choice, position: int) -> Ending | None:
        """Append a token; return the reason to stop, or None."""
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


class DecodingRow:
    """State of one task in `decode`: prefill, verify the draft, then step token by token."""

    def __init__(self, model: Whisper, rules: LogitFilters, task: DecodingTask) -> None:
        self.model = model
        n_context = model.dims.n_text_ctx
        self.start = len(task.context) + len(task.prefix)
        room = n_context - self.start - 1
        if room < 1:
            raise RecognitionError(
                f"prompt ({len(task.context)} tokens) and committed prefix ({len(task.prefix)}) "
                f"fill the text context of {n_context} tokens; use a shorter window or prompt"
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

    def prefill(self, cache: DecoderCache) -> None:
        """Use this cache; take over the state of an earlier decoding if there is one."""
        self.cache = cache
        self._first_row = _first_row(self.task.prefix)
        if self.task.cached is not None and cache.slot is None:
            self._take_over(self.task.cached)

    def _take_over(self, cached: DecodedPrefix) -> None:
        """Copy the state of the tokens that an earlier decoding shares with this one."""
        shared = min(cached.shared([*self.task.context, *self.task.prefix]), self.start - 1)
        rows = shared - len(self.task.context) + 1 - cached.first_row
        if rows < 1 or cached.first_row > _first_row(self.task.prefix):
            return
        for own, held in zip(self.cache.self_attention, cached.self_attention, strict=True):
            for mine, theirs in zip(own, held, strict=True):
                mine[:, :, :shared] = theirs[:, :, :shared]
        longer = self.task.audio.audible - cached.weights.shape[2]
        self._weights.append(F.pad(cached.weights[:, :rows], (0, longer)))
        self._first_row = cached.first_row
        self.written.no_speech = cached.no_speech_probability
        self._held = self.cache.length = shared

    @property
    def tokens(self) -> list[int]:
        """Tokens of the prefill: context, prefix and draft, without those held already."""
        return [*self.task.context, *self.task.prefix, *self.draft][self._held :]

    @property
    def since(self) -> int:
        """Index of the first prefill token whose alignment weights are needed."""
        return 0 if self._held else len(self.task.context) - 1 + self._first_row

    def start_state(self, hidden: Tensor) -> Tensor:
        """Return the hidden state at the start-of-transcript token, ``[1, D]``, or ``[0, D]``."""
        return hidden[:0] if self._held else hidden[self._sot : self._sot + 1]

    def draft_states(self, hidden: Tensor) -> Tensor:
        """Return the hidden states ``[n, D]`` that predict the draft and the token after it."""
        return hidden[self.start - 1 - self._held :]

    def verify_draft(self, chosen: Chosen, weights: Tensor) -> None:
        """Keep the part of the draft that greedy decoding confirms, and the token after it."""
        peaks = _peaks(weights[:, -len(chosen) :])
        for guess, one, peak in zip([*self.draft, None], chosen, peaks, strict=True):
            self.ending = self._write(one, peak)
            if self.ending or self.written.tokens[-1] != guess:
                break
            self.drafted += 1
        rejected = len(self.draft) - self.drafted
        self._weights.append(weights[:, : weights.shape[1] - rejected])
        self.cache.length = self.start + self.drafted

    def step(self, chosen: Chosen, weights: Tensor) -> None:
        """Append the next token."""
        self._weights.append(weights)
        self.ending = self._write(chosen[0], _peaks(weights)[0])

    def _write(self, chosen: Choice | Tensor, peak: int) -> Ending | None:
        choice = self.written.choose(chosen) if isinstance(chosen, Tensor) else chosen
        return self.written.write(choice, peak)

    def result(self) -> DecodedTokens:
        """Return the decoded tokens."""
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
            cached=self._cached(weights),
        )

    def _cached(self, weights: Tensor) -> DecodedPrefix | None:
        if self.cache.slot is not None:
            return None
        every = (*self.task.context, *self.task.prefix, *self.written.tokens)
        tokens = every[: self.cache.length]
        attention = [
            (keys[:, :, : len(tokens)], values[:, :, : len(tokens)])
            for keys, values in self.cache.self_attention
        ]
        # A copy, so that the rows of the prefix, which are most of them, are freed.
        first = _first_row(self.task.prefix)
        rows = weights[:, first - self._first_row :].clone()
        return DecodedPrefix(tokens, attention, rows, first, self.written.no_speech)


def _first_row(prefix: Sequence[int]) -> int:
    """Return the first row of alignment weights that the words after `prefix` need."""
    return max(0, len(prefix) - CONTEXT_ROWS)


def _peaks(weights: Tensor) -> list[int]:
    """Return, for each row, the encoder position with the most attention."""
    return cast("list[int]", weights.mean(dim=0).argmax(dim=-1).tolist())
