"""Repetition control: n-grams that can occur only once, and a penalty on repeated tokens.

Sources: ``no_repeat_ngram_size`` and ``repetition_penalty`` of Hugging Face's transformers; the
penalty is that of "CTRL: a conditional transformer language model" (Keskar et al., 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamwhisper.errors import check_fields

__all__ = ["RepetitionOptions", "discourage_repetition", "repeating"]


@dataclass(frozen=True, slots=True)
class RepetitionOptions:
    """Options against repetition; the defaults change nothing.

    Attributes:
        no_repeat_ngram: length of token runs that can occur only once; 0 disables the check.
        repetition_penalty: factor that positive logits of earlier text tokens are divided by, and
            negative ones multiplied with; 1 disables it.
    """

    no_repeat_ngram: int = 0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of range."""
        check_fields(
            self,
            ("no_repeat_ngram", self.no_repeat_ngram >= 0, "0 for any, or a number of tokens"),
            ("repetition_penalty", self.repetition_penalty > 0, "more than 0; 1 for none"),
        )


def repeating(tokens: Sequence[int], ngram: int) -> set[int]:
    """Return the tokens that would complete a run of `ngram` tokens that `tokens` already has."""
    held = tuple(tokens[len(tokens) - ngram + 1 :])
    starts = range(len(tokens) - ngram + 1)
    return {tokens[i + ngram - 1] for i in starts if tuple(tokens[i : i + ngram - 1]) == held}


def discourage_repetition(logits: Tensor, text: Sequence[int], options: RepetitionOptions) -> None:
    """Penalize repetition in ``logits [n_vocab]``, in place, for the token after `text`."""
    if options.repetition_penalty != 1.0 and text:
        seen = torch.tensor(sorted(set(text)), device=logits.device)
        score, price = logits[seen], options.repetition_penalty
        logits[seen] = torch.where(score < 0, score * price, score / price)
    if options.no_repeat_ngram:
        logits[list(repeating(text, options.no_repeat_ngram))] = -torch.inf
