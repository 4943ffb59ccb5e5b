"""What may be written next: Whisper's logit filters.

They mean what openai-whisper's ``LogitFilter`` classes mean, for one text or many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["DECLARED", "Choice", "LogitFilters"]

DECLARED = -1
"""For the first timestamp at the most: what the model declares, or else the reference's."""


class Choice(NamedTuple):
    """The likeliest token, and its log-probability."""

    token: int
    log_probability: float


class LogitFilters:
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
        self.blank = torch.tensor(tokenizer.blank_tokens, dtype=torch.long, device=device)

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

    def likeliest(self, logits: Tensor, first: Sequence[bool]) -> list[Choice]:
        """The likeliest tokens of ``logits [n, n_vocab]``, filtered in place, without timestamps.

        Args:
            first: see `apply`, of each row.
        """
        logits.index_fill_(1, self.never_timestamps, -torch.inf)
        if beginnings := [row for row, is_first in enumerate(first) if is_first]:
            rows = torch.tensor(beginnings, device=logits.device)
            logits[rows[:, None], self.blank] = -torch.inf
        best, tokens = logits.max(dim=1)
        chances = (best - logits.logsumexp(dim=1)).tolist()
        return list(map(Choice, tokens.tolist(), chances))

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
