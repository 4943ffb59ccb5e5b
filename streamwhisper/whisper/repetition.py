"""Control of repetition: n-grams that may come once, and a price on tokens that came before.

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
    """How repetition is held down; as it stands, not at all.

    Attributes:
        no_repeat_ngram: runs of so many text tokens may come once; 0 for any.
        repetition_penalty: the logits of text tokens that came before are divided by this where
            they are positive and multiplied where they are negative.
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
    """The tokens that would end a run of `ngram` tokens that `tokens` has already."""
    held = tuple(tokens[len(tokens) - ngram + 1 :])
    starts = range(len(tokens) - ngram + 1)
    return {tokens[i + ngram - 1] for i in starts if tuple(tokens[i : i + ngram - 1]) == held}


def discourage_repetition(logits: Tensor, text: Sequence[int], options: RepetitionOptions) -> None:
    """Change ``logits [n_vocab]`` in place for the token after the text tokens `text`."""
    if options.repetition_penalty != 1.0 and text:
        seen = torch.tensor(sorted(set(text)), device=logits.device)
        score, price = logits[seen], options.repetition_penalty
        logits[seen] = torch.where(score < 0, score * price, score / price)
    if options.no_repeat_ngram:
        logits[list(repeating(text, options.no_repeat_ngram))] = -torch.inf
