"""Fallback: what is taken at which temperature."""

from __future__ import annotations

from typing import Any

import torch

from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.whisper.fallback import FallbackOptions, search_with_fallback
from streamwhisper.whisper.search import SearchOptions, SearchResult, SearchTask
from streamwhisper.whisper.tail import encode_padded


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
