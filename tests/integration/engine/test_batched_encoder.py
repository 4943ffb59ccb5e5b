"""Windows encoded in a padded batch, and texts in slots, equal those of each row alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from streamwhisper.audio.files import read_audio
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import DecodingOptions, Hypothesis, RecognitionRequest, TextContext
from streamwhisper.whisper.static_decoder import StaticDecoder
from streamwhisper.whisper.tail import SilentTails, encode
from tests.support.paths import SAMPLE

RATE = 16000
WINDOWS = ((0, 6), (4, 7), (9, 17.3), (2, 3))
"""First and last second; of several lengths."""


@pytest.fixture(scope="module")
def plain(tiny_en_path: Path) -> LocalRecognizer:
    return LocalRecognizer.load(tiny_en_path, LocalOptions(dtype="float32"))


@pytest.fixture(scope="module")
def batched(tiny_en_path: Path) -> LocalRecognizer:
    """A recognizer that computes as it would on a GPU."""
    recognizer = LocalRecognizer.load(tiny_en_path, LocalOptions(dtype="float32"))
    recognizer.tails = SilentTails(recognizer.model, batched=True)
    recognizer.model.stepping = StaticDecoder(recognizer.model)
    return recognizer


@pytest.fixture(scope="module")
def requests() -> list[RecognitionRequest]:
    sound = read_audio(SAMPLE)
    return [
        RecognitionRequest(mel=log_mel(sound[round(a * RATE) : round(b * RATE)]), language="en")
        for a, b in WINDOWS
    ]


def check(found: Sequence[Hypothesis], wanted: Sequence[Hypothesis]) -> None:
    assert [one.text for one in found] == [one.text for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert [word.start for word in one.words] == [word.start for word in other.words]
        scores = [word.log_probability for word in other.words]
        assert [word.log_probability for word in one.words] == pytest.approx(scores, abs=1e-3)


@pytest.mark.parametrize("whole", [False, True])
def test_each_window_is_encoded_as_it_is_alone(
    plain: LocalRecognizer, requests: list[RecognitionRequest], whole: bool
) -> None:
    mels = [torch.from_numpy(request.mel) for request in requests]
    if whole:
        mels.append(torch.cat(mels * 2, dim=1)[:, :3000])
        assert mels[-1].shape[1] == 3000
    tails = SilentTails(plain.model, batched=True)
    for mel, sound in zip(mels, encode(tails, mels), strict=True):
        (alone,) = encode(plain.tails, [mel])
        assert sound.bias is not None
        heard = torch.isfinite(sound.bias[0])
        for own, other in zip(sound.cross_attention, alone.cross_attention, strict=True):
            for part, wanted in zip(own, other, strict=True):
                torch.testing.assert_close(part[:, :, heard], wanted, atol=2e-3, rtol=1e-3)
        assert sound.audible == alone.audible


def test_text_and_times_are_those_of_each_request_alone(
    plain: LocalRecognizer, batched: LocalRecognizer, requests: list[RecognitionRequest]
) -> None:
    wanted = plain.recognize(requests)
    check(batched.recognize(requests), wanted)
    check(batched.recognize(requests[1:2]), wanted[1:2])


def test_a_draft_changes_nothing_and_is_kept_as_far_as_it_holds(
    plain: LocalRecognizer, batched: LocalRecognizer, requests: list[RecognitionRequest]
) -> None:
    wanted = plain.recognize(requests)
    drafts = [(*answer.tokens[:-2], 11, 11) for answer in wanted]
    drafted = [replace(one, draft=draft) for one, draft in zip(requests, drafts, strict=True)]
    found = batched.recognize(drafted)
    check(found, wanted)
    expected = [answer.drafted for answer in plain.recognize(drafted)]
    assert [answer.drafted for answer in found] == expected
    assert max(expected) > 5


def test_timestamps_and_vocabularies_are_chosen_row_by_row(
    plain: LocalRecognizer, batched: LocalRecognizer, requests: list[RecognitionRequest]
) -> None:
    mixed = [
        replace(requests[0], options=DecodingOptions(timestamps=True)),
        replace(requests[1], context=TextContext(vocabulary=("wellcome", "stil"))),
        requests[2],
        replace(requests[3], context=TextContext(tuple(plain.tokenizer.encode(" Well then.")))),
    ]
    check(batched.recognize(mixed), plain.recognize(mixed))


def test_nothing_is_kept_of_a_window_for_the_next_one(
    batched: LocalRecognizer, requests: list[RecognitionRequest]
) -> None:
    assert [answer.past for answer in batched.recognize(requests)] == [None] * len(requests)
