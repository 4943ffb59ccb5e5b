"""Sentences: which full stops are certain, and which words begin with a capital letter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper.audio.mel import LogMel
from streamwhisper.recognition import Hypothesis, HypothesisWord
from streamwhisper.session.event_builder import EventBuilder
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.sentences import (
    MAX_HOLD,
    begins_lower,
    capitalized,
    confirmed,
    stops_sentence,
)
from streamwhisper.session.utterance import Utterance
from streamwhisper.session.window import SAMPLE_RATE

RECORDED = json.loads(Path(__file__).with_name("hypotheses.json").read_text(encoding="utf-8"))
"""Answers of tiny.en and base about the first seconds of two clips, with 0.25 s more each time."""


def words(*texts: str) -> list[HypothesisWord]:
    """Words of 0.5 s each."""
    return [
        HypothesisWord(text, (index,), index / 2, index / 2 + 0.5, -0.1)
        for index, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(" down.", " why?", " no!", ".", "?", " roofs).", " ROOFS.", " 1995.", " no."),
        *("好。", "ですか？", " है।", " \u05e9\u05dc\u05d5\u05dd.", " \u201cyes."),
    ],
)
def test_a_sign_at_the_end_of_a_word_ends_the_sentence(text: str) -> None:
    assert stops_sentence(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            " down",
            " down,",
            " wait...",
            " wait\u2026",
            "..",
            " e.g.",
            " z.B.",
            " 3.",
            " 21.",
        ),
        *(" Mr.", " dr.", " bzw.", " J.", " U.S.", ' down."', " Where?\u201d", " 3.5"),
    ],
)
def test_ellipses_abbreviations_ordinals_and_quotations_end_no_sentence(text: str) -> None:
    assert not stops_sentence(text)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (" while", "en", " While"),
        (' "while', "en", ' "While'),
        (" \u00e9t\u00e9", "fr", " \u00c9t\u00e9"),
        (" iPhone", "en", " iPhone"),
        (" ist", "tr", " \u0130st"),
        (" ist", "de", " Ist"),
        (" 3rd", "en", " 3rd"),
        (" \u10d3\u10d0", "ka", " \u10d3\u10d0"),
        ("\u597d", "zh", "\u597d"),
        (" \u05e9\u05dc", "he", " \u05e9\u05dc"),
        (" \u0e41\u0e25\u0e30", "th", " \u0e41\u0e25\u0e30"),
        (" ...", "en", " ..."),
    ],
)
def test_a_sentence_begins_with_a_capital_where_there_are_capitals(
    text: str, language: str, expected: str
) -> None:
    assert capitalized(text, language) == expected


@pytest.mark.parametrize(
    "text", [" Haus", " I", " 3rd", "\u597d", " \u05e9\u05dc", " \u10d3\u10d0", ""]
)
def test_capitals_digits_and_letters_without_case_are_not_in_lower_case(text: str) -> None:
    assert not begins_lower(text)


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        ((" written", " down"), 2),
        ((" written", " down."), 1),
        ((" written", " down.", " while"), 1),
        ((" written", " down.", " While"), 2),
        ((" written", " e.g.", " while"), 2),
        (("\u5199", "\u597d\u3002", "\u4f60"), 2),
    ],
)
def test_a_full_stop_waits_for_a_next_word_that_confirms_it(
    texts: tuple[str, ...], count: int
) -> None:
    assert confirmed(words(*texts), 2, 0.5) == count


def test_a_full_stop_is_accepted_after_a_while() -> None:
    """A word does not wait without bound when nothing follows."""
    assert confirmed(words(" down."), 1, MAX_HOLD - 0.1) == 0
    assert confirmed(words(" down."), 1, MAX_HOLD) == 1


def test_no_word_is_held_where_none_is_stable() -> None:
    assert confirmed(words(" down."), 0, 0.5) == 0
    assert confirmed([], 0, 0.5) == 0


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: f"{one['model']} {one['clip']}")
def test_a_full_stop_that_the_model_wrote_where_the_audio_ended_is_not_committed(
    recorded: dict[str, Any],
) -> None:
    """Recorded answers about growing audio; each has a full stop in the middle of the sentence."""
    drafts = [_spoken(each["words"]) for each in recorded["hypotheses"]]
    assert any(stops_sentence(word.text) for draft in drafts[:-3] for word in draft)
    mel = LogMel(80, 1000)
    mel.append(np.random.default_rng(1).normal(0, 0.1, 10 * SAMPLE_RATE).astype(np.float32))
    utterance, builder, text = Utterance(SessionOptions(), mel, 0), EventBuilder("en"), ""
    for each, draft in zip(recorded["hypotheses"], drafts, strict=True):
        known = len(utterance.window.committed)
        answer = Hypothesis(tuple(draft[known:]), "en", "end_of_text", 0.0, -0.1)
        end = round(each["end"] * SAMPLE_RATE)
        text += builder.commit(utterance.update(answer, end), 0).text
    assert "." not in text.strip()
    assert len(text.split()) > len(drafts[-1]) / 2
    last, _ = utterance.conclude(end, end)
    text += builder.commit(last, 0, 0).text
    assert text.count(".") == 1
    assert text.endswith(".")


def _spoken(words: list[list[Any]]) -> list[HypothesisWord]:
    return [
        HypothesisWord(text, tuple(tokens), start, end, score)
        for text, tokens, start, end, score in words
    ]
