"""Fallback: what is taken at which temperature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.whisper.fallback import FallbackOptions, search_with_fallback
from streamwhisper.whisper.search import SearchOptions, SearchResult, SearchTask
from streamwhisper.whisper.tail import encode_padded

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


def test_only_what_is_refused_is_tried_again_and_the_last_try_is_taken(
    recognizer: LocalRecognizer, speech: Any
) -> None:
    """A beam serves at temperature 0, tries at the others."""
    clips = [clip for clip in speech.clips("ls-dev") if clip["duration_s"] < 4][:2]
    mels = [torch.from_numpy(log_mel(speech.load(clip))) for clip in clips]
    tasks = [SearchTask(sound) for sound in encode_padded(recognizer.model, mels)]

    def found(least: float) -> list[SearchResult]:
        return search_with_fallback(
            recognizer.model,
            recognizer.model.decoder.logits,
            recognizer.tokenizer,
            tasks,
            SearchOptions(beam_size=2, best_of=2),
            FallbackOptions((0.0, 0.2), log_probability_threshold=least),
        )

    first = found(-10.0)
    assert [result.temperature for result in first] == [0.0] * 2
    between = sorted(result.log_probability for result in first)
    second = found((between[0] + between[1]) / 2)
    for before, after in zip(first, second, strict=True):
        assert (after == before) == (before.log_probability > between[0])
    assert [result.temperature for result in found(0.0)] == [0.2] * 2


def test_no_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="temperatures"):
        FallbackOptions(())
