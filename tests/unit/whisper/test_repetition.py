"""Repetition: what may not come again, and what it costs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.whisper.repetition import (
    RepetitionOptions,
    discourage_repetition,
    repeating,
)


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(1, 4))
def test_a_token_is_repeating_where_it_would_make_a_run_come_twice(
    tokens: list[int], ngram: int
) -> None:
    runs = [tuple(tokens[i : i + ngram]) for i in range(len(tokens) - ngram + 1)]
    for token in range(4):
        run = (*tokens, token)[-ngram:]
        assert (token in repeating(tokens, ngram)) == (len(run) == ngram and run in runs)


def test_the_price_lowers_a_logit_on_either_side_of_zero() -> None:
    logits = torch.tensor([2.0, -2.0, 3.0])
    discourage_repetition(logits, [0, 1, 1], RepetitionOptions(repetition_penalty=2.0))
    assert logits.tolist() == [1.0, -4.0, 3.0]


def test_as_it_stands_nothing_is_changed() -> None:
    logits = torch.randn(10)
    before = logits.clone()
    discourage_repetition(logits, [1, 2, 1, 2], RepetitionOptions())
    assert torch.equal(logits, before)


@pytest.mark.parametrize("fields", [{"no_repeat_ngram": -1}, {"repetition_penalty": 0.0}])
def test_options_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        RepetitionOptions(**fields)  # type: ignore[arg-type]
