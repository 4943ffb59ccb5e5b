"""The silent tail: near the padded encoder where it is used, the padded encoder where it is not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.whisper.tail import SilentTails, TailOptions
from tests.support.tails import encode_one, equal, pad_one, tensors


@pytest.fixture(scope="module")
def padded(recognizer: LocalRecognizer) -> LocalRecognizer:
    """The same model, with every window padded to 30 s."""
    options = LocalOptions(dtype="float32", threads=1, silent_tail=False)
    return LocalRecognizer(recognizer.model, "padded", options)


@pytest.fixture(scope="module")
def mels(speech: Any) -> list[np.ndarray]:
    """Whole utterances of several speakers."""
    clips = [clip for clip in speech.clips("ls-dev") if 2 < clip["duration_s"] < 4]
    return [log_mel(speech.load(clip)) for clip in clips[:: len(clips) // 6][:6]]


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", "", text.lower()).split()


def edits(one: list[str], other: list[str]) -> int:
    """Words put in, left out or exchanged."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            best = min(row[j] + 1, row[j - 1] + 1, corner + (left != right))
            corner, row[j] = row[j], best
    return row[-1]


def test_the_text_of_utterances_hardly_changes(
    recognizer: LocalRecognizer, padded: LocalRecognizer, mels: list[np.ndarray]
) -> None:
    """At most one word in ten, over six utterances of several speakers."""
    requests = [RecognitionRequest(mel=mel) for mel in mels]
    pairs = zip(recognizer.recognize(requests), padded.recognize(requests), strict=True)
    texts = [(words(ours.text), words(theirs.text)) for ours, theirs in pairs]
    said = sum(len(theirs) for _, theirs in texts)
    assert said > 30
    assert sum(edits(ours, theirs) for ours, theirs in texts) <= said // 10


def test_what_the_decoder_sees_of_the_sound_hardly_changes(
    recognizer: LocalRecognizer, mels: list[np.ndarray]
) -> None:
    """Keys and values of the first and the last decoder layer, at the positions of sound."""
    tails = SilentTails(recognizer.model)
    for mel in map(torch.from_numpy, mels[:3]):
        ours, theirs = encode_one(tails, mel), pad_one(recognizer.model, mel)
        heard = ours.audible
        assert heard == theirs.audible == mel.shape[1] // 2
        for layer in (0, -1):
            for near, exact in zip(
                ours.cross_attention[layer], theirs.cross_attention[layer], strict=True
            ):
                near, exact = near[:, :, :heard], exact[:, :, :heard]
                assert (near - exact).norm() < 0.2 * exact.norm()


def test_a_window_near_thirty_seconds_is_padded(
    recognizer: LocalRecognizer, mels: list[np.ndarray]
) -> None:
    """Thinned or not; exactly equal to the padded encoder's."""
    mel = torch.from_numpy(np.tile(mels[0], 20)[:, :2985])
    expected = pad_one(recognizer.model, mel)
    for thinning in (1, 8):
        tails = SilentTails(recognizer.model, TailOptions(thinning=thinning))
        found = encode_one(tails, mel)
        assert equal(found, expected)
        assert found.bias is None


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_window_of_a_frame_or_two_works(
    recognizer: LocalRecognizer, mels: list[np.ndarray], frames: int
) -> None:
    mel = np.ascontiguousarray(mels[0][:, :frames])
    sound = encode_one(SilentTails(recognizer.model), torch.from_numpy(mel))
    assert sound.audible == 1
    assert all(tensor.isfinite().all() for tensor in tensors(sound))
    hypothesis = recognizer.recognize([RecognitionRequest(mel=mel)])[0]
    assert all(0 <= word.start <= word.end <= 0.04 for word in hypothesis.words)
