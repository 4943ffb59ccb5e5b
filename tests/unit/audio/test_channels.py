"""Mixing loses the speech of no channel, however the stream is cut."""

from __future__ import annotations

import io
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.audio.channels import MAX_CHANNELS, Mixer, mix_down
from streamwhisper.audio.files import decode_bytes, read_audio
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.audio.opening import Selection
from streamwhisper.audio.samples import ChunkConverter, convert_samples
from streamwhisper.errors import AudioFormatError
from tests.support.examples import examples
from tests.support.paths import SAMPLE

SPEECH = read_audio(SAMPLE)[12000:60000]  # begins within the first word
ZERO = np.zeros_like(SPEECH)
HISS = 1e-4 * np.random.default_rng(0).standard_normal(len(SPEECH), dtype=np.float32)
HUM = 0.1 * np.sin(2 * np.pi * 50 * np.arange(len(SPEECH)) / 16000, dtype=np.float32)

ONE_SPEAKER = {
    "opposite phase": [SPEECH, -SPEECH],
    "opposite phase, unequal": [SPEECH, -0.6 * SPEECH],
    "left only": [SPEECH, ZERO],
    "right only, with hiss": [HISS, SPEECH],
    "an offset beside it": [SPEECH, ZERO + 0.3],
    "the second of four": [ZERO, SPEECH, HISS, ZERO],
    "the last of 64": [*[HISS / 10] * 63, SPEECH],
    "both": [SPEECH, SPEECH],
}


@pytest.mark.parametrize("name", ONE_SPEAKER)
def test_speech_keeps_its_level_in_whatever_channels_it_is(name):
    mixed = mix_down(np.stack(ONE_SPEAKER[name], axis=1), 16000)
    np.testing.assert_allclose(mixed[32:], SPEECH[32:], atol=0.01)


def test_a_humming_input_does_not_replace_speech():
    mixed = mix_down(np.stack([SPEECH, 3 * HUM], axis=1), 16000)
    assert np.dot(mixed, SPEECH) > 0.4 * np.dot(SPEECH, SPEECH)


def test_a_second_speaker_is_heard_at_once_after_the_first():
    first, second = np.r_[SPEECH, ZERO], np.r_[ZERO, SPEECH]
    mixed = mix_down(np.stack([first, second], axis=1), 16000)
    np.testing.assert_allclose(mixed[: len(SPEECH)], SPEECH, atol=1e-6)
    later = mixed[len(SPEECH) :]
    assert np.corrcoef(later, SPEECH)[0, 1] > 0.98
    assert np.corrcoef(later[:1600], SPEECH[:1600])[0, 1] > 0.98


def test_unrelated_channels_are_averaged():
    other = np.roll(SPEECH, 24000)
    mixed = mix_down(np.stack([SPEECH, other], axis=1), 16000)[24000:]
    np.testing.assert_allclose(mixed[320:], ((SPEECH + other) / 2)[24320:], atol=1e-6)


STREAMS = [
    np.stack([np.r_[SPEECH, SPEECH, ZERO], np.r_[SPEECH, -SPEECH, SPEECH]], axis=1),
    np.stack([HISS, ZERO, SPEECH], axis=1),
]


@settings(max_examples=examples(20))
@given(st.sampled_from([0, 1]), st.lists(st.integers(0, 140_000), max_size=20))
def test_any_cut_is_mixed_as_the_whole(which, cuts):
    stream = STREAMS[which]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    mixer = Mixer(stream.shape[1], 16000)
    pieces = [mixer.mix(stream[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(
        np.concatenate([*pieces, mixer.finish()]), mix_down(stream, 16000)
    )


def test_one_channel_can_be_chosen_everywhere():
    stereo = np.stack([SPEECH, HUM], axis=1)
    decoder = AudioDecoder(AudioFormat("pcm_f32le", channels=2), channel=2)
    np.testing.assert_array_equal(decoder.decode(stereo.tobytes()), HUM)
    np.testing.assert_array_equal(convert_samples(stereo, channel=2), HUM)
    np.testing.assert_array_equal(ChunkConverter(channel=2).convert(stereo), HUM)


@pytest.mark.parametrize(
    ("channel", "channels", "said"),
    [
        (3, 2, "channel is 3, but the audio has 2 channels; expected 1 to 2"),
        (0, 2, "channel is 0"),
        (2, 1, "channel is 2, but the audio has 1 channel; expected 1, or leave it out"),
    ],
)
def test_a_channel_that_is_not_there_is_an_error(channel, channels, said):
    with pytest.raises(AudioFormatError, match=said):
        Mixer(channels, 16000, channel)


def test_raw_audio_may_have_64_channels():
    several = np.zeros((16000, MAX_CHANNELS), np.float32)
    several[:, 40] = SPEECH[:16000]
    decoder = AudioDecoder(AudioFormat("pcm_f32le", channels=MAX_CHANNELS))
    found = np.concatenate([decoder.decode(several.tobytes()), decoder.finish()])
    np.testing.assert_array_equal(found, SPEECH[:16000])


@pytest.mark.parametrize("channels", [2, 3, 5, 6, 10, 20, 64])
def test_files_of_any_number_of_channels_are_mixed(channels):
    several = np.zeros((len(SPEECH), channels), np.float32)
    several[:, channels - 1] = SPEECH
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(16000)
        wav.writeframes((several * 32767).astype("<i2").tobytes())
    np.testing.assert_allclose(decode_bytes(file.getvalue()), SPEECH, atol=1e-3)
    last = decode_bytes(file.getvalue(), selection=Selection(channel=channels))
    np.testing.assert_allclose(last, SPEECH, atol=1e-3)


def test_chunks_of_few_samples_keep_the_channels_of_the_first():
    stereo = np.stack([SPEECH, ZERO, HISS], axis=1)
    converter = ChunkConverter()
    pieces = [converter.convert(stereo[:100])]
    pieces += [converter.convert(stereo[at : at + 2]) for at in range(100, 1600, 2)]
    found = np.concatenate([*pieces, converter.finish()])
    np.testing.assert_array_equal(found, mix_down(stereo[:1600], 16000))
