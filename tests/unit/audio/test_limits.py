from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from av.audio.frame import AudioFrame

from benchmarks.robustness.bombs import flac_bomb, wav_header
from streamwhisper.audio.demuxing import decode_container
from streamwhisper.audio.limits import DecodingBudget, DecodingLimits
from streamwhisper.errors import AudioFormatError


def decoded(data: bytes) -> float:
    """Decode and return the seconds of audio."""
    pieces = decode_container(io.BytesIO(data), 16_000, live=True)
    return sum(len(piece) for piece in pieces) / 16_000


def silence(samples: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.zeros((1, samples), np.int16), format="s16", layout="mono")
    frame.sample_rate = 16_000
    return frame


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (flac_bomb(1, rate=1, block=16_000), "sample rate of 1 Hz; expected 4000 to 1536000"),
        (flac_bomb(2, rate=10), "sample rate of 10 Hz"),
        (flac_bomb(40, rate=3_999), "sample rate of 3999 Hz"),
        (wav_header(rate=1) + bytes(64_000), "sample rate of 1 Hz"),
        (wav_header(rate=2**32 - 1) + bytes(64_000), "cannot be read|sample rate"),
        (wav_header(rate=16_000, channels=65) + bytes(65 * 2_000), "65 channels; expected at most"),
    ],
    ids=["1 Hz", "10 Hz", "3999 Hz", "WAV of 1 Hz", "WAV of 4 GHz", "65 channels"],
)
def test_a_container_beyond_the_limits_is_refused_before_it_is_resampled(data, reason):
    tracemalloc.start()
    with pytest.raises(AudioFormatError, match=reason):
        decoded(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_silence_that_no_recording_has_is_refused_after_the_free_seconds():
    pieces = decode_container(io.BytesIO(flac_bomb(400)), 16_000, live=True)
    seconds = 0.0
    with pytest.raises(AudioFormatError, match=r"claim more than 1\d{3} s of audio.*as WAV"):  # noqa: PT012
        for piece in pieces:
            seconds += len(piece) / 16_000
    assert 600 < seconds < 1500


def test_eight_channels_of_constant_audio_are_decoded_as_any_other_audio():
    assert decoded(flac_bomb(4, channels=8, value=900)) == pytest.approx(4 * 65_535 / 16_000)


def test_every_byte_allows_a_tenth_of_a_second_beyond_the_free_seconds():
    budget = DecodingBudget(DecodingLimits(free_seconds=1.0))
    frame = silence(1600)
    for _ in range(10):  # 0.1 s each
        budget.check(frame)
    with pytest.raises(AudioFormatError):
        budget.check(frame)
    budget.count(12)  # and 8 of the container
    budget.check(frame)


def test_a_frame_of_more_than_thirty_seconds_is_refused():
    with pytest.raises(AudioFormatError, match="a frame of 31 s and 1 channels"):
        DecodingBudget().check(silence(31 * 16_000))
