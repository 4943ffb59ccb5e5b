"""Beam search: the most likely texts side by side, until enough of them have ended.

Follows openai-whisper; patience is that of "A Call for Clarity in Beam Search" (Kasai et al.,
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
    """One candidate text of a search.

    Attributes:
        tokens: tokens so far, without context, prefix and end-of-text.
        score: sum of their log probabilities, including the end-of-text once it is reached.
        source: index of the branch of the previous step that it continues.
    """

    tokens: tuple[int, ...] = ()
    score: float = 0.0
    source: int = 0


class Strategy(Protocol):
    """Strategy of one search: how its branches continue; holds the state of that search."""

    @property
    def width(self) -> int:
        """Maximum number of branches."""
        ...

    def step(self, branches: Sequence[Branch], chances: Tensor) -> list[Branch]:
        """Return the branches with one more token; finished ones are kept aside.

        Args:
            branches: current branches.
            chances: log probabilities ``[len(branches), n_vocab]``.
        """
        ...

    def over(self, branches: Sequence[Branch]) -> bool:
        """Return whether the search ends."""
        ...

    def results(self, branches: Sequence[Branch]) -> list[Branch]:
        """Return all texts to choose from, given the unfinished `branches`."""
        ...


class Beam:
    """Beam of the `width` most likely texts; a `Strategy`."""

    def __init__(self, eot: int, size: int, patience: float = 1.0) -> None:
        """Begin a search.

        Args:
            eot: end-of-text token.
            size: width of the beam.
            patience: the search ends once ``size * patience`` texts have ended.
        """
        self.width = size
        self._eot = eot
        self._wanted = max(1, round(size * patience))
        self._finished: list[Branch] = []

    def step(self, branches: Sequence[Branch], chances: Tensor) -> list[Branch]:
        """Return the most likely continuations of all branches together."""
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
        """Return whether enough texts have ended."""
        return len(self._finished) >= self._wanted

    def results(self, branches: Sequence[Branch]) -> list[Branch]:
        """Return the finished texts, filled up to the width with the most likely others."""
        missing = max(0, self.width - len(self._finished))
        others = sorted(branches, key=lambda branch: branch.score, reverse=True)
        return [*self._finished, *others[:missing]]


def best(branches: Sequence[Branch], length_penalty: float | None) -> Branch:
    """Return the branch with the highest score for its length.

    Args:
        branches: at least one.
        length_penalty: exponent of the length penalty of Wu et al. (2016); None divides scores by
            the length.
    """

    def worth(branch: Branch) -> float:
        length = len(branch.tokens)
        if length_penalty is None:
            return branch.score / max(1, length)
        return float(branch.score / ((5 + length) / 6) ** length_penalty)

    return max(branches, key=worth)
