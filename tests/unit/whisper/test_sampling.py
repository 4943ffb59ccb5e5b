"""Sampling: tries that are drawn as likely as their temperature has it."""

from __future__ import annotations

import pytest
import torch

from streamwhisper.whisper.beam import Branch
from streamwhisper.whisper.sampling import Sampler

EOT = 3
LOGITS = torch.tensor([[2.0, 1.0, 0.0, 0.5]])
TRIES = 20_000


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_likely_as_their_temperature_has_it(temperature: float) -> None:
    sampler = Sampler(EOT, TRIES, temperature, seed=1)
    going = sampler.step([Branch()], LOGITS.log_softmax(dim=-1))
    every = sampler.results(going)
    assert len(every) == TRIES
    firsts = [branch.tokens[0] for branch in every if branch.tokens]
    counts = torch.tensor(firsts).bincount(minlength=3)
    expected = (LOGITS[0] / temperature).softmax(dim=-1)[:3]
    assert torch.allclose(counts / TRIES, expected, atol=4 * 0.5 / TRIES**0.5)


def test_a_try_is_worth_what_the_model_gives_it_whatever_the_temperature() -> None:
    sampler = Sampler(EOT, 3, 5.0, seed=2)
    table = torch.randn(4, 4, generator=torch.Generator().manual_seed(3)).log_softmax(dim=-1)
    branches = [Branch()]
    for _ in range(5):
        if sampler.over(branches):
            break
        branches = sampler.step(
            branches, table[[branch.tokens[-1] if branch.tokens else EOT for branch in branches]]
        )
    results = sampler.results(branches)
    assert len(results) == 3
    for branch in results:
        path = branch.tokens if branch in branches else (*branch.tokens, EOT)
        worth = sum(float(table[a, b]) for a, b in zip((EOT, *path), path, strict=False))
        assert branch.score == pytest.approx(worth, abs=1e-5)


def test_one_seed_one_draw() -> None:
    chances = torch.zeros(1, 1000).log_softmax(dim=-1)
    draws = [Sampler(EOT, 5, 1.0, seed).step([Branch()], chances) for seed in (7, 7, 8)]
    assert draws[0] == draws[1] != draws[2]
