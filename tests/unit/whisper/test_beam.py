"""Beam search on a small chain of words, where every text can be tried."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.whisper.beam import Beam, Branch, best
from tests.support.examples import examples

EOT = 3
LONGEST = 4


def chain(seed: int) -> torch.Tensor:
    """Log-probabilities of each token after each; the last row begins a text, and never ends it."""
    logits = torch.randn(EOT + 1, EOT + 1, generator=torch.Generator().manual_seed(seed)) * 2
    logits[EOT, EOT] = -torch.inf
    return logits.log_softmax(dim=-1)


def score(table: torch.Tensor, tokens: tuple[int, ...]) -> float:
    return sum(float(table[a, b]) for a, b in zip((EOT, *tokens), (*tokens, EOT), strict=True))


def searched(beam: Beam, table: torch.Tensor) -> list[Branch]:
    branches = [Branch()]
    for _ in range(LONGEST + 1):
        last = [branch.tokens[-1] if branch.tokens else EOT for branch in branches]
        branches = beam.step(branches, table[last])
        if beam.over(branches):
            break
    return beam.results(branches)


@settings(max_examples=examples(20))
@given(st.integers(0, 10**6))
def test_a_beam_that_is_wide_enough_finds_the_likeliest_text(seed: int) -> None:
    table = chain(seed)
    lengths = range(1, LONGEST + 1)
    texts = {text for length in lengths for text in product(range(EOT), repeat=length)}
    results = searched(Beam(EOT, EOT**LONGEST, patience=2.0), table)
    finished = [branch for branch in results if branch.tokens in texts]
    likeliest = max(sorted(texts), key=lambda text: score(table, text))
    found = max(finished, key=lambda branch: branch.score)
    assert found.tokens == likeliest
    assert found.score == pytest.approx(score(table, likeliest), abs=1e-4)


@settings(max_examples=examples(20))
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([1.0, 2.0]))
def test_a_search_ends_with_as_many_texts_as_its_patience_asks_for(
    seed: int, size: int, patience: float
) -> None:
    beam = Beam(EOT, size, patience)
    results = searched(beam, chain(seed))
    assert size <= len(results) <= round(size * patience)
    assert len({branch.tokens for branch in results}) == len(results)


def test_texts_are_compared_by_their_length() -> None:
    short, long = Branch((1,), -1.0), Branch((1, 2, 3, 4), -2.0)
    assert best([short, long], None) is long
    assert best([short, long], 0.0) is short
    assert best([short, long], 1.0) is short  # (5 + 4) / 6 is less than twice (5 + 1) / 6
