"""The endpoint: a finished sentence ends sooner, one that goes on later, all else as usual."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.session.endpoint import (
    CONTINUATIONS,
    EndpointOptions,
    ending,
    silence_after,
)

SENTENCE = EndpointOptions(
    kind="sentence",
    settle_time=0.4,
    silence_after_sentence=0.45,
    silence_mid_sentence=1.0,
    min_word_probability=0.85,
)
USUAL = 0.6


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (" behind the curtain.", "en", "complete"),
        (" Who is it?", "en", "complete"),
        (" Stop!", "en", "complete"),
        (' he said, "Go on."', "en", "complete"),
        (" (and so it was.) ", "en", "complete"),
        (" what are you looking at.", "en", "complete"),
        (" It was the first one.", "en", "complete"),
        (" You and?", "en", "complete"),
        (" behind the curtain", "en", "unclear"),
        (" \u201cThe brand\u201d", "en", "unclear"),
        ("", "en", "unclear"),
        (" ", "en", "unclear"),
        (" bread and", "en", "open"),
        (" bread and.", "en", "open"),
        (" Because", "en", "open"),
        (" I saw the", "en", "open"),
        (" the memory of", "en", "open"),
        (" well, um.", "en", "open"),
        (" Here comes Mr.", "en", "open"),
        (" I think it\u2019s", "en", "open"),
        (" at first,", "en", "open"),
        (" there is this:", "en", "open"),
        (" I wonder...", "en", "open"),
        (" I wonder\u2026", "en", "open"),
        (" I was going to -", "en", "open"),
        (" I was going\u2014", "en", "open"),
        (" my number is 555", "en", "open"),
        (" my number is 555.", "en", "open"),
        (" it is 0-800,", "en", "open"),
        (" in 1984?", "en", "complete"),
        (" five five", "en", "open"),
        (" forty-two", "en", "open"),
        (" chapter two.", "en", "complete"),
        (" on the 2nd.", "en", "complete"),
        (" by 50%.", "en", "complete"),
        # Without a list, and without spaces, marks and digits count.
        (" et puis le", "fr", "unclear"),
        (" c'est fini.", "fr", "complete"),
        (" and", None, "unclear"),
        ("\u3053\u3093\u306b\u3061\u306f\u3002", "ja", "complete"),
        ("\u300c\u306f\u3044\u3002\u300d", "ja", "complete"),
        ("\u672c\u5f53\uff1f", "ja", "complete"),
        ("\u305d\u3057\u3066\u3001", "ja", "open"),
        ("\u7136\u540e\uff0c", "zh", "open"),
        ("\u7535\u8bdd\u662f\uff10\uff19\uff10", "zh", "open"),
        ("\u7136\u540e", "zh", "unclear"),
    ],
)
def test_how_a_text_ends(text: str, language: str | None, expected: str) -> None:
    assert ending(text, language) == expected


@pytest.mark.parametrize(
    ("text", "probability", "expected"),
    [
        (" on the left.", 0.9, 0.45),
        (" on the left.", 0.8, USUAL),
        (" on the left", 0.9, USUAL),
        (" on the", 0.1, 1.0),
    ],
)
def test_the_silence_follows_the_text(text: str, probability: float, expected: float) -> None:
    assert silence_after(text, "en", USUAL, SENTENCE, probability) == expected


@given(st.text(max_size=30), st.sampled_from(["en", "ja", None]), st.floats(0.1, 5))
def test_a_fixed_endpoint_does_not_read(text: str, language: str | None, usual: float) -> None:
    assert silence_after(text, language, usual, EndpointOptions(kind="fixed")) == usual


@given(
    st.text(max_size=30),
    st.sampled_from(["en", "ja", None]),
    st.floats(0.1, 5),
    st.floats(0, 1),
)
def test_any_text_has_a_silence_within_bounds(
    text: str, language: str | None, usual: float, probability: float
) -> None:
    """A usual silence out of the ordinary is never turned against what the text says."""
    silence = silence_after(text, language, usual, SENTENCE, probability)
    assert (
        min(usual, SENTENCE.silence_after_sentence)
        <= silence
        <= max(usual, SENTENCE.silence_mid_sentence)
    )
    if ending(text, language) == "open":
        assert silence >= usual
    if ending(text, language) == "complete":
        assert silence <= usual


@pytest.mark.parametrize("language", CONTINUATIONS)
def test_listed_words_stand_as_a_text_is_read(language: str) -> None:
    words = CONTINUATIONS[language]
    assert not words.always & words.unstopped
    for word in words.always | words.unstopped:
        assert ending(f" so {word}", language) == "open", word
        expected = "open" if word in words.always else "complete"
        assert ending(f" so {word.title()}.", language) == expected, word


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "clever"),
        ("settle_time", 0.0),
        ("silence_after_sentence", 0.3),
        ("silence_mid_sentence", 0.4),
        ("silence_mid_sentence", 11.0),
        ("min_word_probability", 1.1),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}; expected"):
        EndpointOptions(**{name: value})  # type: ignore[arg-type]
