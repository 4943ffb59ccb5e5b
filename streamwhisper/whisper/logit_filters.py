"""Logit filters: which tokens can come next.

They match the ``LogitFilter`` classes of openai-whisper, for one text or many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["DECLARED", "Choice", "LogitFilters"]

DECLARED = -1
"""Stands for the latest first timestamp that the model declares, or else the reference's."""


class Choice(NamedTuple):
    """Chosen token and its log probability."""

    token: int
    log_probability: float


class LogitFilters:
    """Logit filters of one model: suppressed tokens, blank beginnings and timestamp rules."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        n_vocab: int,
        device: torch.device,
        *,
        never: Sequence[int] | None = None,
        latest_start: int | None = DECLARED,
    ) -> None:
        """Prepare the filters.

        Args:
            tokenizer: tokenizer of the model.
            n_vocab: number of logits.
            device: device of the logits.
            never: suppressed tokens; None suppresses all that are not spoken and all special
                ones, and timestamps unless they are wanted.
            latest_start: latest first timestamp, in steps of 20 ms; None allows any, -1 takes
                the tokenizer's.
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
            logits: logits of one text.
            written: new tokens so far, without the prefix.
            first: whether this is the first token of a transcript that must not be empty.
            times: whether timestamp tokens are wanted.
        """
        logits.index_fill_(0, self.never if times else self.never_timestamps, -torch.inf)
        if first:
            logits[self.blank] = -torch.inf
        return self._timestamps(logits, written) if times else logits

    def likeliest(self, logits: Tensor, first: Sequence[bool]) -> list[Choice]:
        """Return the most likely tokens, without timestamps.

        Args:
            logits: ``[n, n_vocab]``; filtered in place.
            first: for each row, whether it is the first token; see `apply`.
        """
        logits.index_fill_(1, self.never_timestamps, -torch.inf)
        if beginnings := [row for row, is_first in enumerate(first) if is_first]:
            rows = torch.tensor(beginnings, device=logits.device)
            logits[rows[:, None], self.blank] = -torch.inf
        best, tokens = logits.max(dim=1)
        chances = (best - logits.logsumexp(dim=1)).tolist()
        return list(map(Choice, tokens.tolist(), chances))

    def _timestamps(self, logits: Tensor, written: Sequence[int]) -> Tensor:
        """Apply the timestamp rules: pairs, never decreasing, and chosen if likelier than text."""
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
