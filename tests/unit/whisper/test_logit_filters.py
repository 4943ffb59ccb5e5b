"""What may be written next."""

from __future__ import annotations

import pytest
import torch

from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.logit_filters import LogitFilters
from streamwhisper.whisper.tokenizer import get_tokenizer

CPU = torch.device("cpu")


@pytest.mark.parametrize(("latest", "first"), [(50, 50), (10, 10), (None, 150), (-1, 50)])
def test_the_first_timestamp_comes_by_when_it_may(latest: int | None, first: int) -> None:
    tokenizer = get_tokenizer(51864)
    rules = LogitFilters(tokenizer, tokenizer.n_vocab, CPU, latest_start=latest)
    logits = torch.arange(tokenizer.n_vocab, dtype=torch.float32)
    logits[tokenizer.timestamp_begin + 151 :] = -torch.inf
    chosen = int(rules.apply(logits, [], first=True, times=True).argmax())
    assert chosen == tokenizer.timestamp_begin + first


@pytest.mark.parametrize("begin", [None, (), (7,)])
def test_many_texts_get_the_tokens_that_each_gets_alone(begin: tuple[int, ...] | None) -> None:
    generation = GenerationConfig(begin_suppress=begin, suppress=(3, 9))
    rules = LogitFilters(get_tokenizer(51865, generation), 51865, CPU)
    logits = torch.randn(6, 51865, generator=torch.Generator().manual_seed(1))
    logits[:, [3, 7, 9, 220, 50257, 50259]] += 20 + torch.arange(6)
    first = [True, False, True, True, False, False]
    chosen = rules.likeliest(logits.clone(), first)
    for row, is_first, choice in zip(logits, first, chosen, strict=True):
        alone = rules.apply(row.clone(), [], first=is_first, times=False)
        assert choice.token == int(alone.argmax())
        assert choice.log_probability == pytest.approx(float(alone.log_softmax(0).max()), abs=1e-4)
