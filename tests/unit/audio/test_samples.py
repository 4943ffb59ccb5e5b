"""Samples of any type, shape and rate are the same audio; anything else is refused in words."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamwhisper.audio.files import load_audio, read_audio
from streamwhisper.audio.samples import ChunkConverter, convert_samples
from streamwhisper.errors import AudioFormatError
from tests.support.paths import SAMPLE

INT16 = arrays(np.int16, st.integers(1, 200))
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).astype(np.float32)


@given(INT16)
def test_integers_of_every_width_are_the_same_audio(samples):
    floats = samples.astype(np.float32) / np.float32(32768)
    wide = samples.astype(np.int64)
    same = [
        samples,
        floats,
        floats.astype(np.float64),
        (wide << 16).astype(np.int32),
        wide << 48,
        (wide + 32768).astype(np.uint16),
        ((wide + 32768) << 16).astype(np.uint32),
        (wide + 32768).astype(np.uint64) << np.uint64(48),
        torch.from_numpy(samples),
        torch.from_numpy(floats).requires_grad_(),
        {"array": floats, "sampling_rate": 16000, "path": None},
    ]
    for one in same:
        found = convert_samples(one)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, floats)


@given(arrays(np.int8, st.integers(1, 50)))
def test_eight_bits_are_scaled_by_their_range(samples):
    floats = samples.astype(np.float32) / 128
    np.testing.assert_array_equal(convert_samples(samples), floats)
    unsigned = (samples.astype(np.int16) + 128).astype(np.uint8)
    np.testing.assert_array_equal(convert_samples(unsigned), floats)


@given(arrays(np.int16, st.integers(16, 200)), st.integers(1, 8))
def test_equal_channels_are_mono_in_either_order(samples, channels):
    mono = convert_samples(samples)
    several = np.stack([samples] * channels, axis=1)
    np.testing.assert_allclose(convert_samples(several), mono, atol=1e-7)
    np.testing.assert_allclose(convert_samples(several.T), mono, atol=1e-7)


def test_channels_are_averaged():
    stereo = np.stack([TONE, TONE / 2], axis=1)
    np.testing.assert_allclose(convert_samples(stereo), TONE * 0.75, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_other_rates_are_resampled(rate):
    at = np.arange(rate) / rate
    found = convert_samples((0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32), rate)
    assert len(found) == 16000
    np.testing.assert_allclose(found[1000:-1000], TONE[1000:-1000], atol=5e-3)


@given(st.lists(st.integers(0, 700), max_size=6), st.sampled_from([16000, 44100]))
def test_a_stream_is_the_same_however_it_is_cut(sizes, rate):
    samples = (TONE[:4000] * 32767).astype(np.int16)
    cuts = np.cumsum([0, *sizes])
    converter = ChunkConverter(rate)
    pieces = [converter.convert(samples[a:b]) for a, b in itertools.pairwise(cuts)]
    pieces.append(converter.convert(np.zeros((0, 2), np.int16)))
    pieces += [converter.convert(samples[cuts[-1] :]), converter.finish()]
    whole = ChunkConverter(rate)
    expected = np.concatenate([whole.convert(samples), whole.finish()])
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (np.zeros(0, np.float32), r"no samples \(shape \(0,\)\)"),
        (np.float32(0.5), r"shape \(\)"),
        (np.zeros((80, 80), np.float32), r"shape \(80, 80\); expected integers, or floats"),
        (np.zeros((2, 3, 4), np.float32), r"shape \(2, 3, 4\)"),
        (np.zeros(9, np.complex64), "type complex64"),
        (np.zeros(9, bool), "type bool"),
        (np.array(["a"]), "type <U1"),
        (np.array([0.0, np.nan]), "1 of 2 samples are NaN or infinite"),
        (np.array([np.inf, 1, -np.inf]), "2 of 3 samples"),
        (np.array([12000.0, -3.0]), "loudest sample is 12000; .*Divide 16-bit samples by 32768"),
        (np.array([12000, -3]), "type int64 with values up to 12000, .*as int16"),
        ([[0.1, 0.2], [0.3]], "a list of unequal parts"),
        (None, "type NoneType"),
        ({"array": TONE}, "no 'sampling_rate'"),
        ({"bytes": b"", "path": "a.wav"}, "no 'array'"),
        ({"array": TONE, "sampling_rate": 10}, "sample_rate is 10; .*4000 to 192000"),
        (io.StringIO("text"), "gave str; expected bytes"),
        (b"", "no data"),
        (b"nonsense" * 9, "the audio cannot be read"),
    ],
)
def test_anything_else_is_refused_in_words(audio, said):
    with pytest.raises(AudioFormatError, match=said):
        load_audio(audio)


@pytest.mark.parametrize("rate", [0, 3999, 16000.5, True, "16000", None])
def test_rates_that_cannot_be_are_refused(rate):
    with pytest.raises(AudioFormatError, match="sample_rate is"):
        ChunkConverter(rate)


def test_a_rate_must_not_contradict_the_audio():
    with pytest.raises(AudioFormatError, match="sampling_rate is 16000; leave sample_rate out"):
        load_audio({"array": TONE, "sampling_rate": 16000}, 8000)
    with pytest.raises(AudioFormatError, match="a file states its own"):
        load_audio(SAMPLE, 8000)


def test_a_path_a_file_and_its_bytes_are_the_same_audio():
    expected = read_audio(SAMPLE)
    data = SAMPLE.read_bytes()
    with SAMPLE.open("rb") as file:
        for audio in (SAMPLE, str(SAMPLE), data, bytearray(data), io.BytesIO(data), file):
            np.testing.assert_allclose(load_audio(audio), expected, atol=1e-6)


NARROW = np.random.default_rng(3).integers(-9000, 9000, 16000).astype(np.int32)
"""A second of 16-bit samples in a wider type."""


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_16_bit_samples_in_a_wider_type_are_an_error_and_not_silence(dtype):
    with pytest.raises(AudioFormatError, match="probably 16-bit samples in a wider type"):
        convert_samples(NARROW.astype(dtype))
    converter = ChunkConverter()
    converter.convert(NARROW[:8000].astype(dtype))  # it may still be a quiet beginning
    with pytest.raises(AudioFormatError, match="probably 16-bit"):
        converter.convert(NARROW[8000:].astype(dtype))


def test_the_quiet_noise_of_a_24_bit_interface_is_audio():
    noise = (NARROW // 100) << 8
    assert 0 < np.abs(convert_samples(noise)).max() < 1e-4
    converter = ChunkConverter()
    for _ in range(3):
        converter.convert(noise)


def test_a_live_stream_of_wide_integers_may_be_quiet_once_it_was_loud():
    converter = ChunkConverter()
    converter.convert(NARROW << 16)
    for _ in range(3):
        converter.convert(NARROW)
