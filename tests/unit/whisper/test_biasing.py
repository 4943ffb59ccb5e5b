"""Vocabulary: listed words where the sound allows them, and nowhere else."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.whisper.biasing import (
    NEXT_BONUS,
    START_BONUS,
    BiasVocabulary,
    VocabularyCache,
)
from streamwhisper.whisper.tokenizer import get_tokenizer
from tests.support.biasing import NAMES, TOKENIZER
from tests.support.examples import examples


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4), st.data())
def test_an_entry_goes_on_wherever_it_was_begun(entries: list[str], data: st.DataObject) -> None:
    entry = " ".join(data.draw(st.sampled_from(entries)).split())
    spelt = TOKENIZER.encode(f" {entry}") if entry else []
    before = TOKENIZER.encode("She said")
    vocabulary = BiasVocabulary(TOKENIZER, entries)
    for count in range(1, len(spelt)):
        assert spelt[count] in vocabulary.following([*before, *spelt[:count]])
    assert not BiasVocabulary(TOKENIZER, ["", " "]).following([*before, *spelt])


def test_without_a_space_an_entry_begins_where_a_word_does() -> None:
    vocabulary = BiasVocabulary(TOKENIZER, ["Fitzooth"])
    first, second, *_ = TOKENIZER.encode("Fitzooth")
    for before, begins in ((" (", True), ("", True), (" Mac", False)):
        tokens = TOKENIZER.encode(before)
        assert (second in vocabulary.following([*tokens, first])) == begins
        logits = torch.zeros(TOKENIZER.n_vocab)
        assert (float(vocabulary.favour(logits, tokens, 0.0)[first]) > 0) == begins


def test_in_a_script_without_spaces_an_entry_begins_anywhere() -> None:
    tokenizer = get_tokenizer(51865)
    vocabulary = BiasVocabulary(tokenizer, ["\u767d\u96ea\u59eb"])
    before, spelt = tokenizer.encode("\u305d\u306e"), tokenizer.encode("\u767d\u96ea\u59eb")
    for count in range(1, len(spelt)):
        assert spelt[count] in vocabulary.following([*before, *spelt[:count]])
    raised = vocabulary.favour(torch.zeros(tokenizer.n_vocab), before, 0.0)
    assert float(raised[spelt[0]]) == START_BONUS


@settings(max_examples=examples(30))
@given(st.integers(0, 10**6), st.lists(st.sampled_from([1, 376, 4224, 5226]), max_size=4))
def test_whether_a_text_goes_on_is_never_changed_nor_what_is_clearly_heard(
    seed: int, tokens: list[int]
) -> None:
    vocabulary = BiasVocabulary(TOKENIZER, NAMES)
    logits = torch.randn(TOKENIZER.n_vocab, generator=torch.Generator().manual_seed(seed)) * 3
    before = logits.clone()
    likeliest = int(logits.argmax())
    raised = vocabulary.favour(logits, tokens, 0.0)
    assert torch.equal(logits, before)
    assert (raised >= logits).all()
    if likeliest >= TOKENIZER.eot:
        assert torch.equal(raised, logits)
    logits[likeliest] = logits.max() + START_BONUS + NEXT_BONUS + 0.1
    assert int(vocabulary.favour(logits, tokens, 0.0).argmax()) == likeliest
    logits[TOKENIZER.eot] = logits.max() + 0.1
    assert torch.equal(vocabulary.favour(logits, tokens, 0.0), logits)
    assert torch.equal(vocabulary.favour(before, tokens, 1.0), before)


def test_vocabularies_are_kept_up_to_their_size_and_the_one_used_last_always() -> None:
    lists = [tuple(f"{name}{number}" for name in NAMES) for number in range(5)]
    size = BiasVocabulary(TOKENIZER, lists[0]).nodes
    kept = VocabularyCache(3 * size)
    first, *_, last = (kept.get(TOKENIZER, words) for words in lists)
    assert size <= kept.nodes <= 3 * size
    assert kept.get(TOKENIZER, lists[-1]) is last
    assert kept.get(TOKENIZER, lists[0]) is not first
    tiny = VocabularyCache(1)
    assert tiny.get(TOKENIZER, lists[0]) is tiny.get(TOKENIZER, lists[0])
