"""Texts on their way in a search, and the one that is chosen in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

__all__ = ["Branch", "Strategy", "best"]


@dataclass(frozen=True, slots=True)
class Branch:
    """One text on its way.

    Attributes:
        tokens: written so far, without context, prefix and end-of-text.
        score: the sum of their log-probabilities, with that of the end once it has come.
        source: which branch of the step before it goes on from.
    """

    tokens: tuple[int, ...] = ()
    score: float = 0.0
    source: int = 0


class Strategy(Protocol):
    """How one search goes on from its branches; it has the state of that search alone."""

    @property
    def width(self) -> int:
        """How many branches there are at the most."""
        ...

    def step(self, branches: Sequence[Branch], chances: Tensor) -> list[Branch]:
        """The branches one token further; those that end are kept.

        Args:
            chances: log-probabilities ``[len(branches), n_vocab]``.
        """
        ...

    def over(self, branches: Sequence[Branch]) -> bool:
        """Whether the search ends here."""
        ...

    def results(self, branches: Sequence[Branch]) -> list[Branch]:
        """All texts to choose from, where `branches` grow no more."""
        ...


def best(branches: Sequence[Branch], length_penalty: float | None) -> Branch:
    """The likeliest branch for its length.

    Args:
        length_penalty: None divides scores by the length; else it is the exponent of Google's
            neural machine translation (Wu et al., 2016).
    """

    def worth(branch: Branch) -> float:
        length = len(branch.tokens)
        if length_penalty is None:
            return branch.score / max(1, length)
        return float(branch.score / ((5 + length) / 6) ** length_penalty)

    return max(branches, key=worth)
