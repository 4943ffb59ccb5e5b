"""When words were said, beside openai-whisper's own answer."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper import timing as reference
from whisper.tokenizer import get_tokenizer as reference_tokenizer

from streamwhisper.transcript import Segment
from streamwhisper.whisper.timing import (
    AlignedWord,
    Punctuation,
    median_of_seven,
    split_subwords,
    with_words,
)
from streamwhisper.whisper.tokenizer import get_tokenizer
from tests.support.examples import examples


@pytest.mark.parametrize("length", [1, 3, 4, 6, 7, 50])
def test_the_median_is_that_of_sorting(length):
    x = torch.rand(3, 5, length, generator=torch.manual_seed(length))
    assert torch.equal(median_of_seven(x), reference.median_filter(x, 7))


def test_a_network_of_exchanges_that_finds_the_median_of_bits_finds_every_median():
    bits = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 7)
    assert torch.equal(median_of_seven(bits)[:, 3], bits.sort()[0][:, 3])


@pytest.mark.parametrize("language", ["en", "ja"])
@settings(max_examples=examples(60))
@given(st.text(st.sampled_from(" ab.,-\"'é字のß¿♪7"), max_size=20))
def test_words_are_split_as_the_reference_splits_them(language, text):
    tokens = get_tokenizer(51865).encode(text)
    theirs = reference_tokenizer(True, language=language).split_to_word_tokens(tokens)
    mine = split_subwords(get_tokenizer(51865), tokens, language)
    assert [(word, list(own)) for word, own in mine] == list(zip(*theirs, strict=True))


@st.composite
def windows(draw):
    """Segments, the words of all of them, and where the last word before them ended."""
    clock, words, segments = draw(st.sampled_from([0.0, 0.4, 5.0])), [], []
    for id in range(draw(st.integers(1, 3))):
        start, tokens = clock, []
        for text in draw(st.lists(st.sampled_from([" a", " b", ".", "?", ",", ' "', " (", "!"]))):
            end = clock + draw(st.sampled_from([0.0, 0.2, 0.24, 0.5, 1.6]))
            words.append(AlignedWord(text, (len(words),), clock, end, 0.5))
            tokens.append(len(words) - 1)
            clock = end
        edges = draw(st.tuples(*[st.sampled_from([-0.8, 0.0, 0.3])] * 2))
        start, end = start + 30 + edges[0], clock + 30 + edges[1]
        segments.append(Segment(id, start, max(start, end), "", seek=3000, tokens=tuple(tokens)))
    return segments, words, draw(st.sampled_from([0.0, 29.0]))


@settings(max_examples=examples(150))
@given(windows())
def test_overlong_words_are_mended_as_the_reference_mends_them(window):
    segments, words, last_speech = window
    theirs = [
        {"seek": 3000, "start": s.start, "end": s.end, "tokens": list(s.tokens)} for s in segments
    ]
    timings = [
        reference.WordTiming(w.text, list(w.tokens), w.start, w.end, w.probability) for w in words
    ]
    # Their alignment is replaced by one that is given, to judge what is made of it.
    with mock.patch.object(reference, "find_alignment", return_value=timings):
        reference.add_word_timestamps(
            segments=theirs,
            model=None,
            tokenizer=mock.Mock(eot=50256),
            mel=None,
            num_frames=3000,
            last_speech_timestamp=last_speech,
        )
    mine = with_words(segments, words, 30.0, last_speech, text_end=50256, punctuation=Punctuation())
    for own, their in zip(mine, theirs, strict=True):
        assert (own.start, own.end) == pytest.approx((their["start"], their["end"]))
        assert [word.word for word in own.words] == [word["word"] for word in their["words"]]
        own_times = np.array([(word.start, word.end) for word in own.words])
        their_times = np.array([(word["start"], word["end"]) for word in their["words"]])
        assert own_times == pytest.approx(their_times)
