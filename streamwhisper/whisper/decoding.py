"""Greedy decoding with a verified draft.

The prompt, the committed prefix and the draft go through the decoder in one parallel pass. The
longest part of the draft on which greedy decoding agrees is kept, and decoding goes on token by
token from there, so a draft changes how soon the answer comes and never the answer.
"""

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
from streamwhisper.recognition import DecodingOptions, Ending, Task
from streamwhisper.whisper import guard
from streamwhisper.whisper.alignment import CONTEXT_ROWS
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.output import OutputLayer
from streamwhisper.whisper.rows import DecoderCache, SettledText
from streamwhisper.whisper.tail import EncodedSound
from streamwhisper.whisper.tokenizer import Tokenizer
from streamwhisper.whisper.vocabulary import Vocabulary

__all__ = [
    "DECLARED",
    "DecodedTokens",
    "DecodingTask",
    "TokenRules",
    "context_tokens",
    "decode",
    "detect_languages",
]

DECLARED = -1
"""For the first timestamp at the most: what the model declares, or else the reference's."""


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
        settled: what a decoding with the same beginning may take over.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    weights: NDArray[np.float32]
    first_row: int
    no_speech_probability: float
    ending: Ending
    drafted: int
    settled: SettledText


class TokenRules:
    """Whisper's logit filters for one model: what may never, or not now, be written."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        n_vocab: int,
        device: torch.device,
        *,
        never: Sequence[int] | None = None,
        latest_start: int | None = DECLARED,
    ) -> None:
        """Prepare them.

        Args:
            never: tokens that are never written; None for all that nobody says and all special
                ones, with the timestamps where those are not wanted.
            latest_start: the first timestamp at the most, in steps of 20 ms; None for any, -1
                for the tokenizer's.
        """
        self.tokenizer = tokenizer
        self.timestamp_begin = tokenizer.timestamp_begin
        self.latest_start = tokenizer.latest_start if latest_start == DECLARED else latest_start
        stamps: Sequence[int] = ()
        if never is None:
            never = [*tokenizer.non_speech_tokens, *range(tokenizer.eot + 1, self.timestamp_begin)]
            stamps = range(self.timestamp_begin, n_vocab)
        self.never = torch.tensor([*never, tokenizer.no_timestamps], device=device)
        self.never_timestamps = torch.tensor([*never, *stamps], dtype=torch.long, device=device)
        self.blank = list(tokenizer.blank_tokens)

    def apply(self, logits: Tensor, written: Sequence[int], *, first: bool, times: bool) -> Tensor:
        """Filter ``logits [n_vocab]``, in place, for the token after `written`.

        Args:
            written: the new tokens so far, without the prefix.
            first: whether this is the first token of a transcript that must not be empty.
            times: whether timestamp tokens are wanted.
        """
        logits.index_fill_(0, self.never if times else self.never_timestamps, -torch.inf)
        if first:
            logits[self.blank] = -torch.inf
        return self._timestamps(logits, written) if times else logits

    def _timestamps(self, logits: Tensor, written: Sequence[int]) -> Tensor:
        """Timestamps come in pairs, never decrease, and come when they are likelier than text."""
        begin, eot = self.timestamp_begin, self.tokenizer.eot
        last_was = len(written) >= 1 and written[-1] >= begin
        before_was = len(written) < 2 or written[-2] >= begin
        if last_was:
            if before_was:
                logits[begin:] = -torch.inf
            else:
                logits[:eot] = -torch.inf
        stamps = [token for token in written if token >= begin]
        if stamps:
            earliest = stamps[-1] if last_was and not before_was else stamps[-1] + 1
            logits[begin:earliest] = -torch.inf
        if not written:
            logits[:begin] = -torch.inf
            if self.latest_start is not None:
                logits[begin + self.latest_start + 1 :] = -torch.inf
        log_probabilities = logits.log_softmax(dim=-1)
        if log_probabilities[begin:].logsumexp(dim=-1) > log_probabilities[:begin].max():
            logits[:begin] = -torch.inf
        return logits


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
    model: Whisper, tokenizer: Tokenizer, sounds: Sequence[EncodedSound]
) -> list[dict[str, float]]:
    """For each sound, the probability of each language of the model, most likely first."""
    caches = [_cache(model, sound) for sound in sounds]
    hidden, _ = model.decoder([[tokenizer.sot]] * len(sounds), caches)
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

    sound: EncodedSound
    context: Sequence[int]
    prefix: Sequence[int]
    draft: Sequence[int]
    options: DecodingOptions
    seconds: float
    settled: SettledText | None = None
    vocabulary: Vocabulary | None = None


@dataclass(slots=True)
class _Transcript:
    """What one decoding has written, and the guards that watch it."""

    rules: TokenRules
    options: DecodingOptions
    prefix: tuple[int, ...]
    limit: int
    vocabulary: Vocabulary | None = None
    no_speech: float = 0.0
    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def write(self, logits: Tensor, position: int) -> Ending | None:
        """Write the likeliest token of ``logits [n_vocab]``; why to stop, if so."""
        filtered = self.rules.apply(
            logits,
            self.tokens,
            first=not self.tokens and not self.prefix,
            times=self.options.timestamps,
        )
        if self.vocabulary is not None:
            so_far = (*self.prefix, *self.tokens)
            filtered = self.vocabulary.favour(filtered, so_far, self.no_speech)
        token = int(filtered.argmax())
        if token == self.rules.tokenizer.eot:
            return "end_of_text"
        if len(self.tokens) >= self.limit:
            return "rate" if self.limit < self.options.max_tokens else "length"
        self.tokens.append(token)
        self.log_probabilities.append(float(filtered[token] - filtered.logsumexp(dim=-1)))
        self.positions.append(position)
        again = guard.loop_start([*self.prefix[-2 * guard.MAX_PERIOD :], *self.tokens])
        if again is not None:
            held = len(self.prefix[-2 * guard.MAX_PERIOD :])
            self._cut(max(0, again - held))
            return "loop"
        again = guard.rewound(self.tokens, self.positions)
        if again is not None:
            self._cut(again)
            return "rewind"
        return None

    def _cut(self, length: int) -> None:
        del self.tokens[length:], self.log_probabilities[length:], self.positions[length:]


class _Row:
    """One task on its way through `decode`."""

    def __init__(self, model: Whisper, rules: TokenRules, task: DecodingTask) -> None:
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
        limit = guard.token_limit(task.seconds, options.max_tokens_per_second, most)
        self.task = task
        self.draft = list(task.draft)[:limit]
        self.cache = _cache(model, task.sound, self.start + limit + 1)
        self.written = _Transcript(rules, options, tuple(task.prefix), limit, task.vocabulary)
        self.ending: Ending | None = None
        self.drafted = 0
        self._sot = list(task.context).index(rules.tokenizer.sot)
        self._no_speech_token = rules.tokenizer.no_speech
        self._weights: list[Tensor] = []
        self._first_row = 0
        self._held = 0
        if task.settled is not None:
            self._take_over(task.settled)

    def _take_over(self, settled: SettledText) -> None:
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

    def wanted(self, hidden: Tensor) -> Tensor:
        """Hidden states whose logits `verify` needs, of all ``[L, D]``."""
        first = [] if self._held else [hidden[self._sot : self._sot + 1]]
        return torch.cat((*first, hidden[self.start - 1 - self._held :]))

    def verify(self, logits: Tensor, weights: Tensor) -> None:
        """Keep the part of the draft that greedy decoding agrees with, and one token more."""
        if not self._held:
            self.written.no_speech = float(logits[0].softmax(dim=-1)[self._no_speech_token])
            logits = logits[1:]
            weights = weights[:, len(self.task.context) - 1 :]
        peaks = _peaks(weights[:, -len(logits) :])
        for guess, row, peak in zip([*self.draft, None], logits, peaks, strict=True):
            self.ending = self.written.write(row, peak)
            if self.ending or self.written.tokens[-1] != guess:
                break
            self.drafted += 1
        rejected = len(self.draft) - self.drafted
        self._weights.append(weights[:, : weights.shape[1] - rejected])
        self.cache.length = self.start + self.drafted

    def write(self, logits: Tensor, weights: Tensor) -> None:
        """Write the next token."""
        self._weights.append(weights)
        self.ending = self.written.write(logits, _peaks(weights)[0])

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

    def _settled(self, weights: Tensor) -> SettledText:
        every = (*self.task.context, *self.task.prefix, *self.written.tokens)
        tokens = every[: self.cache.length]
        attention = [
            (keys[:, :, : len(tokens)], values[:, :, : len(tokens)])
            for keys, values in self.cache.self_attention
        ]
        # A copy: the rest is most of it, and nobody asks for the onsets of a prefix.
        first = _first_row(self.task.prefix)
        rows = weights[:, first - self._first_row :].clone()
        return SettledText(tokens, attention, rows, first, self.written.no_speech)


@torch.inference_mode()
def decode(
    model: Whisper, output: OutputLayer, rules: TokenRules, tasks: Sequence[DecodingTask]
) -> list[DecodedTokens]:
    """Decode greedily what follows each task's prefix, all tasks side by side.

    Raises:
        RecognitionError: context and prefix leave no room in the model's text context.
    """
    rows = [_Row(model, rules, task) for task in tasks]
    hidden, weights = model.decoder([row.tokens for row in rows], [row.cache for row in rows])
    wanted = [row.wanted(states) for row, states in zip(rows, hidden, strict=True)]
    logits = torch.split(output(torch.cat(wanted)), [len(states) for states in wanted])
    for row, own_logits, own_weights in zip(rows, logits, weights, strict=True):
        row.verify(own_logits, own_weights)
    with model.steps([row.cache for row in rows]) as step:
        while active := [row for row in rows if not row.ending]:
            hidden, weights = step(
                [row.written.tokens[-1:] for row in active], [row.cache for row in active]
            )
            for row, own_logits, own_weights in zip(
                active, output(torch.cat(hidden)), weights, strict=True
            ):
                row.write(own_logits, own_weights)
    return [row.result() for row in rows]


def _cache(model: Whisper, sound: EncodedSound, capacity: int | None = None) -> DecoderCache:
    return model.decoder_cache(sound.cross_attention, sound.audible, sound.bias, capacity)


def _first_row(prefix: Sequence[int]) -> int:
    """The first row of attention weights that tells where the words after `prefix` begin."""
    return max(0, len(prefix) - CONTEXT_ROWS)


def _peaks(weights: Tensor) -> list[int]:
    """For each row, the encoder position that the heads attend to most."""
    return cast("list[int]", weights.mean(dim=0).argmax(dim=-1).tolist())
