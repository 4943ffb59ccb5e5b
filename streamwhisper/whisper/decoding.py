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
from numpy.typing import NDArray
from torch import Tensor

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import DecodingOptions, Ending, Task
from streamwhisper.whisper import guard
from streamwhisper.whisper.model import DecoderCache, Whisper
from streamwhisper.whisper.output import OutputLayer
from streamwhisper.whisper.tail import EncodedSound
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["DecodedTokens", "TokenRules", "context_tokens", "decode", "detect_language"]

MAX_INITIAL_TIMESTAMP = 50
"""The first timestamp is at most 1 s, in steps of 20 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedTokens:
    """New tokens, and how the model saw them.

    Attributes:
        tokens: after the prefix, without end-of-text; may hold timestamp tokens.
        log_probabilities: one for each token.
        weights: alignment heads' attention, float32 ``[n_heads, n_rows, audible]``: one row for
            each prefix token, each new token, and the step after the last.
        no_speech_probability: at the start-of-transcript token.
        drafted: how many tokens of the draft were accepted.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    weights: NDArray[np.float32]
    no_speech_probability: float
    ending: Ending
    drafted: int


class TokenRules:
    """Whisper's logit filters for one model: what may never, or not now, be written."""

    def __init__(self, tokenizer: Tokenizer, n_vocab: int, device: torch.device) -> None:
        self.tokenizer = tokenizer
        self.timestamp_begin = tokenizer.timestamp_begin
        never = [*tokenizer.non_speech_tokens, *range(tokenizer.eot + 1, self.timestamp_begin)]
        stamps = range(self.timestamp_begin, n_vocab)
        self.never = torch.tensor(never, device=device)
        self.never_timestamps = torch.tensor([*never, *stamps], device=device)
        self.blank = [*tokenizer.encode(" "), tokenizer.eot]

    def apply(self, logits: Tensor, written: Sequence[int], *, first: bool, times: bool) -> Tensor:
        """Filter ``logits [n_vocab]``, in place, for the token after `written`.

        Args:
            written: the new tokens so far, without the prefix.
            first: whether this is the first token of an empty transcript.
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
            logits[begin + MAX_INITIAL_TIMESTAMP + 1 :] = -torch.inf
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
def detect_language(model: Whisper, tokenizer: Tokenizer, sound: EncodedSound) -> dict[str, float]:
    """Probability of each language that the model knows, most likely first."""
    cache = model.decoder_cache(sound.cross_attention, sound.bias)
    device = model.device
    hidden, _ = model.decoder(
        torch.tensor([[tokenizer.sot]], device=device),
        torch.tensor([0], device=device),
        cache,
        sound.audible,
    )
    logits = model.decoder.logits(hidden[0, -1])
    languages = tokenizer.language_tokens
    probabilities = logits[list(languages.values())].softmax(dim=-1).tolist()
    ranked = sorted(zip(languages, probabilities, strict=True), key=lambda pair: -pair[1])
    return dict(ranked)


@dataclass(slots=True)
class _Transcript:
    """What one decoding has written, and the guards that watch it."""

    rules: TokenRules
    options: DecodingOptions
    prefix: tuple[int, ...]
    limit: int
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


@torch.inference_mode()
def decode(
    model: Whisper,
    output: OutputLayer,
    rules: TokenRules,
    sound: EncodedSound,
    context: Sequence[int],
    prefix: Sequence[int],
    draft: Sequence[int],
    options: DecodingOptions,
    seconds: float,
) -> DecodedTokens:
    """Decode greedily what follows `prefix`.

    Args:
        context: see `context_tokens`.
        prefix: tokens that stand; they are forced.
        draft: a guess for the tokens after the prefix.
        seconds: sound after the prefix's last word (it bounds the new tokens).

    Raises:
        RecognitionError: context and prefix leave no room in the model's text context.
    """
    n_context = model.dims.n_text_ctx
    start = len(context) + len(prefix)
    room = n_context - start - 1
    if room < 1:
        raise RecognitionError(
            f"the prompt ({len(context)} tokens with its frame) and the committed prefix "
            f"({len(prefix)}) fill the text context of {n_context}; cut the window sooner"
        )
    most = min(options.max_tokens, room)
    limit = guard.token_limit(seconds, options.max_tokens_per_second, most)
    draft = list(draft)[:limit]
    cache = model.decoder_cache(sound.cross_attention, sound.bias)
    hidden, weights = _step(model, [*context, *prefix, *draft], cache, sound.audible)
    sot = list(context).index(rules.tokenizer.sot)
    logits = output(torch.cat((hidden[sot : sot + 1], hidden[start - 1 :])))
    no_speech = float(logits[0].softmax(dim=-1)[rules.tokenizer.no_speech])

    written = _Transcript(rules, options, tuple(prefix), limit)
    ending: Ending | None = None
    drafted = 0
    peaks = _peaks(weights[:, start - 1 :])
    for guess, row, peak in zip([*draft, None], logits[1:], peaks, strict=True):
        ending = written.write(row, peak)
        if ending or written.tokens[-1] != guess:
            break
        drafted += 1
    rows = [weights[:, len(context) - 1 : start + drafted]]
    cache.length = start + drafted
    while not ending:
        hidden, weights = _step(model, written.tokens[-1:], cache, sound.audible)
        rows.append(weights)
        ending = written.write(output(hidden)[0], _peaks(weights)[0])
    kept = len(prefix) + len(written.tokens) + 1
    return DecodedTokens(
        tokens=tuple(written.tokens),
        log_probabilities=tuple(written.log_probabilities),
        weights=torch.cat(rows, dim=1)[:, :kept].cpu().numpy(),
        no_speech_probability=no_speech,
        ending=ending,
        drafted=min(drafted, len(written.tokens)),
    )


def _step(
    model: Whisper, tokens: Sequence[int], cache: DecoderCache, audible: int
) -> tuple[Tensor, Tensor]:
    """Hidden states ``[L, D]`` and alignment weights ``[n_heads, L, audible]`` of `tokens`."""
    device = model.device
    positions = torch.arange(cache.length, cache.length + len(tokens), device=device)
    hidden, weights = model.decoder(
        torch.tensor([list(tokens)], device=device), positions, cache, audible
    )
    return hidden[0], weights[0]


def _peaks(weights: Tensor) -> list[int]:
    """For each row, the encoder position that the heads attend to most."""
    return cast("list[int]", weights.mean(dim=0).argmax(dim=-1).tolist())
