"""When words were said, beside openai-whisper's own answer."""

from __future__ import annotations

import unicodedata
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


@settings(max_examples=examples(60))
@given(st.text(st.sampled_from(" ab.,-\"'éß¿♪7"), max_size=20))
def test_words_and_signs_are_split_as_the_reference_splits_them(text):
    tokens = get_tokenizer(51865).encode(text)
    theirs = reference_tokenizer(True, language="en").split_to_word_tokens(tokens)
    mine = split_subwords(get_tokenizer(51865), tokens)
    assert [(word, list(own)) for word, own in mine] == list(zip(*theirs, strict=True))


def words_of(pieces, punctuation=None, text_end=51864):
    """Words of a window with one segment; each piece lasts 0.1 s."""
    aligned = [
        AlignedWord(text, own, i / 10, (i + 1) / 10, 0.5) for i, (text, own) in enumerate(pieces)
    ]
    tokens = tuple(token for _, own in pieces for token in own)
    (segment,) = with_words(
        [Segment(0, 0.0, len(pieces) / 10, "", tokens=tokens)],
        aligned,
        0.0,
        0.0,
        text_end=text_end,
        punctuation=punctuation or Punctuation(),
    )
    return segment.words


def offline_words(text, punctuation=None):
    tokenizer = get_tokenizer(51865)
    pieces = split_subwords(tokenizer, tokenizer.encode(text))
    return [word.word for word in words_of(pieces, punctuation)]


WHOLE = """
 d'avoir d’avoir puis-je aujourd'hui aujourd’hui qu'il l'acqua dell'arte rock'n'roll
 E-Mail-Adresse well-known mother-in-law z.B. d.h. U.S.A. e.g. 3.14 10,000 1.000.000,50 $5 €5
 10% 12:30 1/2 24/7 C++ C# AT&T R&D user@example.com https://example.com/a-b?c=d#e #tag
 it's o'clock 👍 👍🏽 👩‍👩‍👧 🇫🇷 5°C "well-known" (d'avoir) «l'acqua» „z.B.“ yes… no?! Wi-Fi
"""


@pytest.mark.parametrize("word", WHOLE.split())
def test_a_word_between_spaces_is_one_word_live_and_offline(word):
    text = f" one {word} two"
    live, tokenizer = [" one", f" {word}", " two"], get_tokenizer(51865)
    assert [own for own, _ in tokenizer.split_words(tokenizer.encode(text))] == live
    assert offline_words(text) == live


UNSPACED = {
    "Thai": "ที่นี่เป็นภาษาไทย น้ำแข็ง",
    "Lao": "ຂ້ອຍມັກພາສາລາວ ນ້ຳ",
    "Burmese": "မြန်မာဘာသာစကားကို ပြောတယ်။",
    "Khmer": "ខ្ញុំចូលចិត្តភាសាខ្មែរ។",
    "Tibetan": "བོད་སྐད་ཤེས་ཀྱི་ཡོད།",
    "Japanese": "がっこうへいきました。きゃりーぱみゅぱみゅ",
    "Chinese": "今天天气很好，我们去公园吧。",
}


@pytest.mark.parametrize("text", [*UNSPACED.values(), "यह हिन्दी है। मैं ठीक हूँ।"])
def test_no_word_begins_with_a_combining_mark(text):
    words = offline_words(text)
    assert "".join(words) == text
    assert not any(unicodedata.category(word.strip()[0])[0] == "M" for word in words)
    assert not any(word[-1] in "เแโใไ" for word in words)


@pytest.mark.parametrize("text", UNSPACED.values(), ids=UNSPACED)
def test_sentences_without_spaces_have_several_words(text):
    assert len(offline_words(text)) > 3


scripts = st.text(
    st.sampled_from(" ab.,-'\"’(«%$7é字の。「」ー、ที่นี่ํៃ្ខေ်ི་हि।👍🏽\u200d\n"), max_size=20
)


@settings(max_examples=examples(150))
@given(st.text(max_size=12) | scripts)
def test_words_are_the_same_live_and_offline_and_spell_the_text(text):
    tokenizer = get_tokenizer(51865)
    tokens = tokenizer.encode(text)
    live = [word for word, _ in tokenizer.split_words(tokens)]
    offline = offline_words(text)
    assert "".join(offline) == (text.replace("\ufffd", "") if text.strip() else "")
    rest = "".join(offline).removeprefix("".join(live))
    if live:  # live, signs that wait for their word are left out; offline, none will come
        live[-1] += rest
    assert offline == (live or ([rest] if rest.strip() else []))


def test_signs_that_are_not_listed_are_words_of_their_own():
    text = " well-known, said)"
    assert offline_words(text) == [" well-known,", " said)"]
    assert offline_words(text, Punctuation(after=",")) == [" well-known,", " said", ")"]


def test_a_word_lasts_from_its_first_letter_to_its_last():
    (word,) = words_of([(' "', (1,)), ("d", (2,)), ("'avoir", (3,)), (",", (4,)), ('"', (5,))])
    assert (word.word, word.start, word.end) == (' "d\'avoir,"', 0.1, 0.3)


def test_a_word_that_two_segments_share_belongs_to_the_first():
    pieces = [(" well", (1,)), ("-", (2,)), ("known", (3,)), (" man", (4,))]
    aligned = [AlignedWord(text, own, i, i + 0.3, 0.5) for i, (text, own) in enumerate(pieces)]
    segments = [Segment(0, 0.0, 1.0, "", tokens=(1,)), Segment(1, 1.0, 4.0, "", tokens=(2, 3, 4))]
    one, other = with_words(segments, aligned, 0.0, 0.0, text_end=9, punctuation=Punctuation())
    assert [word.word for word in one.words] == [" well-known"]
    assert [word.word for word in other.words] == [" man"]


@st.composite
def windows(draw):
    """Segments, the words of all of them, and where the last word before them ended."""
    clock, words, segments = draw(st.sampled_from([0.0, 0.4, 5.0])), [], []
    for id in range(draw(st.integers(1, 3))):
        start, tokens = clock, []
        for text in [" a", *draw(st.lists(st.sampled_from([" a", " b", ".", "?", ",", "!"])))]:
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
