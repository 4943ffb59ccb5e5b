"""Beam search: the likeliest few texts side by side, until enough of them have ended.

Follows openai-whisper's; patience is that of "A Call for Clarity in Beam Search" (Kasai et al.,
2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

__all__ = ["Beam", "Branch", "Strategy", "best"]


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


class Beam:
    """The likeliest `width` texts; see `Strategy`."""

    def __init__(self, eot: int, size: int, patience: float = 1.0) -> None:
        """Begin a search.

        Args:
            patience: the search goes on until ``size * patience`` texts have ended.
        """
        self.width = size
        self._eot = eot
        self._wanted = max(1, round(size * patience))
        self._finished: list[Branch] = []

    def step(self, branches: Sequence[Branch], chances: Tensor) -> list[Branch]:
        """One token more for the likeliest continuations of all branches together."""
        likeliest = chances.topk(min(self.width + 1, chances.shape[-1]), dim=-1)
        candidates = [
            (branch.score + gain, source, token)
            for source, (branch, gains, tokens) in enumerate(
                zip(branches, likeliest.values.tolist(), likeliest.indices.tolist(), strict=True)
            )
            for gain, token in zip(gains, tokens, strict=True)
        ]
        candidates.sort(key=lambda candidate: candidate[0], reverse=True)
        going: list[Branch] = []
        for score, source, token in candidates:
            tokens = branches[source].tokens
            if token != self._eot:
                going.append(Branch((*tokens, token), score, source))
                if len(going) == self.width:
                    break
            elif len(self._finished) < self._wanted:
                self._finished.append(Branch(tokens, score))
        return going

    def over(self, branches: Sequence[Branch]) -> bool:
        """Whether enough texts have ended."""
        return len(self._finished) >= self._wanted

    def results(self, branches: Sequence[Branch]) -> list[Branch]:
        """The finished texts; where they are fewer than the beam, the likeliest others, too."""
        missing = max(0, self.width - len(self._finished))
        others = sorted(branches, key=lambda branch: branch.score, reverse=True)
        return [*self._finished, *others[:missing]]


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
