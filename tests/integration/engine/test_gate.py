""""""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamwhisper.vad.gate import GateOptions, SpeechStart
from tests.support.gating import SECOND, events, with_silence


def segments(sound: np.ndarray, options: GateOptions | None = None) -> list[tuple[int, int]]:
    found = events(sound, options)
    return [(a.at, b.at) for a, b in pairwise(found) if isinstance(a, SpeechStart)]


@pytest.mark.parametrize("decibels", [0, -30, -40])
def test_first_and_last_words_lie_inside_whatever_the_level(speech, decibels):
    clips = [clip for clip in speech.clips("ls-dev") if clip["words_quality"] == "checked"][::15]
    assert len(clips) > 10
    gain = np.float32(10 ** (decibels / 20))
    inside = []
    for clip in clips:
        found = segments(with_silence(speech.load(clip) * gain))
        for _, start, end in (clip["words"][0], clip["words"][-1]):
            inside.append(
                any(a <= (start + 1) * SECOND and (end + 1) * SECOND <= b for a, b in found)
            )
    assert np.mean(inside) > 0.96


def test_very_quiet_recordings_open_the_gate(speech):
    quiet = [clip for clip in speech.clips("fleurs-cuttledoc") if clip["rms_dbfs"] < -55]
    assert len(quiet) >= 5
    for clip in quiet:
        covered = sum(b - a for a, b in segments(with_silence(speech.load(clip))))
        assert covered > 0.5 * clip["duration_s"] * SECOND, clip["id"]


def test_a_single_short_word_opens_the_gate(speech):
    opened = []
    for clip in speech.clips("ls-dev")[::20]:
        sound = speech.load(clip)
        if clip["words_quality"] != "checked":
            continue
        for _, start, end in clip["words"]:
            if 0.25 <= end - start <= 0.4:
                word = sound[int(start * SECOND) : int(end * SECOND)].copy()
                word[:160] *= np.linspace(0, 1, 160, dtype=np.float32)
                word[-160:] *= np.linspace(1, 0, 160, dtype=np.float32)
                opened.append(bool(segments(with_silence(word))))
    assert len(opened) > 20
    assert np.mean(opened) > 0.95


def test_what_is_no_speech_leaves_the_gate_shut(speech):
    for clip in speech.clips("synthetic-nonspeech"):
        assert segments(with_silence(speech.load(clip)[: 10 * SECOND])) == [], clip["id"]
    for id in ("noise/doing_the_dishes", "noise/sb_noise2", "noise/transcribecpp_noise"):
        assert segments(speech.load(speech.clip(id))[: 20 * SECOND]) == [], id
