from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.audio.files import read_audio, stream_audio, write_wav
from streamwhisper.errors import AudioFormatError
from tests.support.examples import examples


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "näme with spaces.wav"
    sound = (np.random.default_rng(0).standard_normal(20_000) * 0.2).astype(np.float32)
    write_wav(path, sound)
    return path, np.clip(sound, -1, 1)


def test_what_was_written_is_read_back(wav):
    path, sound = wav
    np.testing.assert_allclose(read_audio(path), sound, atol=1e-4)
    np.testing.assert_allclose(read_audio(str(path)), sound, atol=1e-4)


@settings(max_examples=examples(20))
@given(st.integers(1, 30_000))
def test_chunks_join_to_the_whole(wav, size):
    path, _ = wav
    chunks = list(stream_audio(path, 16000, size))
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}
    assert 0 < len(chunks[-1]) <= size
    np.testing.assert_array_equal(np.concatenate(chunks), read_audio(path))


def test_other_rates_are_resampled(wav):
    path, sound = wav
    assert abs(len(read_audio(path, 8000)) - len(sound) / 2) <= 1


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("missing.wav", None, "no such file"),
        ("text.wav", b"This is no sound at all. " * 300, "cannot be read"),
        ("empty.mp3", b"", "the file is empty"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nother.wav\n#EXT-X-ENDLIST\n", "cannot be read"),
    ],
)
def test_errors_name_the_file_and_what_was_wrong(tmp_path, name, content, what):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioFormatError, match=rf"{name}: .*{what}"):
        read_audio(path)


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(AudioFormatError, match="a folder; expected an audio file"):
        read_audio(tmp_path)


def test_chunks_of_nothing_are_refused(wav):
    with pytest.raises(ValueError, match="chunk_samples is 0"):
        next(stream_audio(wav[0], 16000, 0))
