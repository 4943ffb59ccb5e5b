from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.audio.formats import ENCODINGS, AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError
from tests.support.examples import examples


def decoded(format: AudioFormat, pieces: list[bytes]) -> np.ndarray:
    decoder = AudioDecoder(format)
    return np.concatenate([*map(decoder.decode, pieces), decoder.finish()])


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@settings(max_examples=examples(60))
@given(
    st.sampled_from(sorted(ENCODINGS)),
    st.sampled_from([8000, 16000, 44100, 48000]),
    st.integers(1, 3),
    st.lists(st.integers(0, 12000), max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_any_cut_decodes_as_the_whole(encoding, rate, channels, cuts, seed):
    format = AudioFormat(encoding, rate, channels)
    data = np.random.default_rng(seed).bytes(1000 * format.frame_bytes)
    whole = decoded(format, [data])
    np.testing.assert_allclose(decoded(format, cut(data, cuts)), whole, atol=1e-6)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() <= 1
    assert abs(len(whole) - 1000 * 16000 / rate) <= 1


@pytest.mark.parametrize(("encoding", "codec"), [("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw")])
def test_every_g711_code_decodes_as_by_ffmpeg(encoding, codec):
    codes = bytes(range(256))
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 16000, "mono"
    (frame,) = context.decode(av.Packet(codes))
    expected = frame.to_ndarray().reshape(-1) / 32768
    np.testing.assert_array_equal(decoded(AudioFormat(encoding), [codes]), np.float32(expected))


def test_sixteen_bit_samples_scale_to_one():
    data = np.array([-32768, 0, 16384, 32767], "<i2").tobytes()
    np.testing.assert_allclose(decoded(AudioFormat(), [data]), [-1, 0, 0.5, 32767 / 32768])


def test_channels_are_averaged():
    data = np.array([[0.5, 0.25], [0.25, 0.75]], "<f4").tobytes()
    np.testing.assert_allclose(decoded(AudioFormat("pcm_f32le", channels=2), [data]), [0.375, 0.5])


def test_floats_that_are_no_numbers_become_silence_and_loud_ones_are_clipped():
    data = np.array([np.nan, np.inf, -np.inf, 1e30, -3, 0.5], "<f4").tobytes()
    sound = decoded(AudioFormat("pcm_f32le"), [data])
    np.testing.assert_array_equal(sound, np.float32([0, 0, 0, 1, -1, 0.5]))


def test_a_tone_keeps_its_pitch_and_level_when_resampled():
    time = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 1000 * time) * 0.5
    sound = decoded(AudioFormat("pcm_f32le", 48000), [tone.astype("<f4").tobytes()])
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(sound[500:15500], expected[500:15500], atol=1e-3)


def test_sound_that_ends_within_a_sample_is_an_error_and_the_rest_is_not_lost():
    decoder = AudioDecoder(AudioFormat("pcm_s16le", 8000, 2))
    heard = len(decoder.decode(b"\0" * 4003))
    with pytest.raises(AudioFormatError, match=r"3 bytes into a sample of 4 bytes .*pcm_s16le"):
        decoder.finish()
    assert heard + len(decoder.finish()) == 2000


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ({"encoding": "mp3"}, "encoding is 'mp3'; expected one of pcm_s16le"),
        ({"encoding": None}, "encoding is None"),
        ({"sample_rate": 3999}, "sample_rate is 3999; expected an integer from 4000 to 192000"),
        ({"sample_rate": 16000.0}, "sample_rate is 16000.0"),
        ({"sample_rate": "16000"}, "sample_rate is '16000'"),
        ({"channels": 0}, "channels is 0; expected an integer from 1 to 64"),
        ({"channels": True}, "channels is True"),
    ],
)
def test_a_format_that_cannot_be_is_refused_by_name(values, seen):
    with pytest.raises(AudioFormatError, match=seen):
        AudioFormat(**values)
