from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.audio.mel import HOP, N_FFT, SILENCE, LogMel, log_mel, mel_filters, scale
from tests.support.examples import examples
from tests.support.frames import padded, streamed


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(samples) * 0.1).astype(np.float32)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_the_filters_are_those_shipped_with_whisper(n_mels):
    whisper_audio = pytest.importorskip("whisper.audio")
    expected = whisper_audio.mel_filters("cpu", n_mels).numpy()
    np.testing.assert_allclose(mel_filters(n_mels), expected, atol=1e-7)


def test_other_numbers_of_bins_are_refused():
    with pytest.raises(ValueError, match="n_mels is 40"):
        mel_filters(40)


@settings(max_examples=examples(60))
@given(st.integers(0, 3000), st.lists(st.integers(0, 3000), max_size=8), st.data())
def test_any_chunking_gives_the_frames_of_the_sound_with_zeros_after_it(length, cuts, data):
    sound = noise(length)
    mel = streamed(sound, [min(cut, length) for cut in cuts])
    end = data.draw(st.integers(0, length))
    first = data.draw(st.integers(0, end // HOP))
    long = LogMel(80, 100)
    long.append(np.pad(sound[:end], (0, 1600)))
    window = mel.window(first, end)
    assert window.flags.c_contiguous
    expected = long.frames(first, long.end_frame)
    np.testing.assert_allclose(padded(window, expected.shape[1]), expected, atol=1e-4)
    # It goes as far as there is sound, and no further.
    if end > 1:
        touched = (end - 2 + 200) // HOP + 1
        assert touched <= first + window.shape[1] <= touched + 1


def test_an_old_frame_leaves_the_ring_and_the_others_stay_as_they_were():
    sound = noise(16000)
    whole = streamed(sound, [], capacity=200)
    mel = streamed(sound, list(range(0, 16000, 777)), capacity=30)
    assert (mel.start_frame, mel.end_frame) == (whole.end_frame - 30, whole.end_frame)
    first = mel.start_frame
    np.testing.assert_allclose(mel.window(first), whole.window(first), atol=1e-4)
    end = mel.sound.end - 2000
    np.testing.assert_allclose(mel.window(first, end), whole.window(first, end), atol=1e-4)
    with pytest.raises(IndexError, match=f"frames {first - 1} to "):
        mel.frames(first - 1, mel.end_frame)


def test_frames_nobody_asked_for_in_time_do_no_harm():
    sound = noise(32000)
    mel = LogMel(80, 20)
    mel.append(sound)
    np.testing.assert_allclose(
        mel.frames(mel.start_frame, mel.end_frame),
        streamed(sound, []).frames(mel.start_frame, mel.end_frame),
        atol=1e-4,
    )


def test_silence_is_the_floor_and_no_sound_has_no_frames():
    mel = LogMel(80, 10)
    assert mel.window(0).shape == (80, 0)
    assert mel.tail().shape == (80, 0)
    mel.append(np.zeros(800, np.float32))
    np.testing.assert_allclose(mel.window(0), SILENCE, atol=1e-5)
    assert log_mel(np.zeros(0, np.float32)).shape == (80, 0)
    assert scale(np.zeros((80, 0), np.float32)).shape == (80, 0)


@settings(max_examples=examples(60))
@given(st.integers(1, 40), st.integers(0, 20_000), st.integers(0, 20_000))
def test_what_there_is_room_for_costs_no_frame_that_is_needed(capacity, before, keep):
    mel = LogMel(80, capacity)
    mel.append(noise(before))
    keep = min(keep, before)
    room = mel.room(keep)
    if room == 0:
        return
    mel.append(noise(room))
    first = keep // HOP
    found = mel.window(first)
    np.testing.assert_allclose(
        found, streamed(np.concatenate([noise(before), noise(room)]), []).window(first), atol=1e-4
    )


@pytest.mark.parametrize("length", [0, 100, 160, 399, 5000, 6144 * 160 - 33, 6144 * 160 + 200])
@pytest.mark.parametrize("silence", [0, 160, 48000])
def test_frames_in_pieces_are_those_of_the_mirrored_whole(length, silence):
    audio = np.random.default_rng(0).standard_normal(length, dtype=np.float32) / 10
    padded = np.pad(audio, (0, silence))
    found = log_mel(audio, silence=silence)
    assert found.shape == (80, len(padded) // HOP)
    if len(padded) >= HOP:
        mirrored = np.pad(padded, N_FFT // 2, mode="reflect")
        for frame in (0, found.shape[1] // 2, found.shape[1] - 1):
            spectrum = np.fft.rfft(mirrored[frame * HOP :][:N_FFT] * np.hanning(N_FFT + 1)[:-1])
            mel = np.log10(np.maximum(mel_filters(80) @ np.abs(spectrum) ** 2, 1e-10))
            top = 4 * found.max() - 4
            np.testing.assert_allclose(4 * found[:, frame] - 4, np.maximum(mel, top - 8), atol=2e-3)


def test_only_the_frames_themselves_grow_with_the_recording():
    peaks = []
    for seconds in (60, 180):
        audio = np.zeros(seconds * 16000, np.float32)
        tracemalloc.start()
        size = log_mel(audio, silence=480_000).nbytes
        peaks.append(tracemalloc.get_traced_memory()[1] - size)
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20
