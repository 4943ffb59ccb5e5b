"""Fallback: what is taken at which temperature."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.search import SearchResult

RESULT = SearchResult((), "", -0.5, 0.1, 0.0, 1.0, "en")


@given(
    st.floats(-2, 0),
    st.floats(0, 1),
    st.floats(0, 4),
    st.sampled_from([None, -1.0]),
    st.sampled_from([None, 0.6]),
    st.sampled_from([None, 2.4]),
)
def test_a_text_is_refused_and_a_window_is_silent_by_the_references_rules(
    mean: float,
    no_speech: float,
    ratio: float,
    least: float | None,
    most: float | None,
    packed: float | None,
) -> None:
    """Told here as openai-whisper's ``transcribe`` goes through them."""
    result = replace(
        RESULT, log_probability=mean, no_speech_probability=no_speech, compression_ratio=ratio
    )
    options = FallbackOptions((0.0,), packed, least, most)
    again = packed is not None and ratio > packed
    if least is not None and mean < least:
        again = most is None or no_speech <= most
    assert options.refuses(result) == again
    silent = most is not None and no_speech > most
    if least is not None and mean > least:
        silent = False
    assert options.is_silence(result) == silent


def test_no_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="temperatures"):
        FallbackOptions(())
