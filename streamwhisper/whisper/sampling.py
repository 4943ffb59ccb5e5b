"""Sampling: the most likely token, or tokens drawn at a temperature, in several tries."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamwhisper.whisper.beam import Branch

__all__ = ["Sampler"]


class Sampler:
    """Independent tries of one text; a `streamwhisper.whisper.beam.Strategy`."""

    def __init__(self, eot: int, tries: int, temperature: float, seed: int) -> None:
        """Begin a search.

        Args:
            eot: end-of-text token.
            tries: number of texts to draw; at temperature 0 it is one.
            temperature: 0 takes the most likely token.
            seed: seed of the draws; they do not depend on the rest of the batch.
        """
        self.width = tries if temperature else 1
        self._eot = eot
        self._temperature = temperature
        self._seed = seed
        self._generator: torch.Generator | None = None
        self._finished: list[Branch] = []

    def step(self, branches: Sequence[Branch], chances: Tensor) -> list[Branch]:
        """Return each try with one more token; finished ones are kept aside."""
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
        """Return whether every try has ended."""
        return not branches

    def results(self, branches: Sequence[Branch]) -> list[Branch]:
        """Return the finished texts, then the unfinished ones."""
        return [*self._finished, *branches]

    def _draw(self, chances: Tensor) -> Tensor:
        if not self._temperature:
            return chances.argmax(dim=-1)
        if self._generator is None:
            self._generator = torch.Generator(chances.device).manual_seed(self._seed)
        heated = (chances / self._temperature).softmax(dim=-1)
        return heated.multinomial(1, generator=self._generator)[:, 0]
