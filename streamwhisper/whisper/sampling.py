"""Token by token: the likeliest one, or one drawn at a temperature, in several tries at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamwhisper.whisper.beam import Branch

__all__ = ["Sampler"]


class Sampler:
    """Independent tries; see `streamwhisper.whisper.beam.Strategy`."""

    def __init__(self, eot: int, tries: int, temperature: float, seed: int) -> None:
        """Begin a search.

        Args:
            tries: how many texts are drawn; at temperature 0 one is enough.
            seed: the same draws come of the same seed, whatever else is in the batch.
        """
        self.width = tries if temperature else 1
        self._eot = eot
        self._temperature = temperature
        self._seed = seed
        self._generator: torch.Generator | None = None
        self._finished: list[Branch] = []

    def step(self, branches: Sequence[Branch], chances: Tensor) -> list[Branch]:
        """One token more for each try."""
        sources = range(len(branches)) if branches[0].tokens else [0] * self.width
        chances = chances[sources]
        following = self._draw(chances)
        gains = chances.gather(1, following[:, None])[:, 0].tolist()
        going: list[Branch] = []
        for source, token, gain in zip(sources, following.tolist(), gains, strict=True):
            before = branches[source]
            score = before.score + gain
            if token == self._eot:
                self._finished.append(Branch(before.tokens, score))
            else:
                going.append(Branch((*before.tokens, token), score, source))
        return going

    def over(self, branches: Sequence[Branch]) -> bool:
        """Whether every try has ended."""
        return not branches

    def results(self, branches: Sequence[Branch]) -> list[Branch]:
        """The finished texts, and the others as far as they came."""
        return [*self._finished, *branches]

    def _draw(self, chances: Tensor) -> Tensor:
        if not self._temperature:
            return chances.argmax(dim=-1)
        if self._generator is None:
            self._generator = torch.Generator(chances.device).manual_seed(self._seed)
        heated = (chances / self._temperature).softmax(dim=-1)
        return heated.multinomial(1, generator=self._generator)[:, 0]
