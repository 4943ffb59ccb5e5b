"""A declared length is that of the audio, or there is none."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from streamwhisper.audio.durations import declared_seconds
from streamwhisper.audio.files import read_audio
from tests.support.paths import SAMPLE
from tests.support.recordings import recording

SPEECH = read_audio(SAMPLE)[12000:76000]


@pytest.fixture
def declared(tmp_path):
    def length(data: bytes, track: int | None = None) -> float | None:
        path = tmp_path / "recording"
        path.write_bytes(data)
        return declared_seconds(path, track)

    return length


@pytest.mark.parametrize("kind", ["wav", "flac", "m4a", "mp3", "mka"])
def test_formats_with_a_header_declare_the_length_of_the_audio(declared, kind):
    assert declared(recording(kind, SPEECH)) == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_a_longer_picture_or_track_is_not_the_length_of_the_audio(declared, kind):
    late = recording(kind, SPEECH, starts=[3.0], picture=20.0)
    assert declared(late) == pytest.approx(7, abs=0.05)
    two = recording(kind, SPEECH[:32000], SPEECH, default=1)
    assert declared(two, 1) == pytest.approx(2, abs=0.05)
    assert declared(two) == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("kind", ["aac", "ac3", "ts", "ogg"])
def test_lengths_that_ffmpeg_estimates_are_not_declared(declared, kind):
    assert declared(recording(kind, SPEECH)) is None


def test_an_mp3_file_without_a_header_declares_no_length(declared):
    assert declared(recording("mp3", SPEECH, write_xing="0")) is None


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
def test_a_wav_file_whose_length_was_not_known_declares_none(declared, size):
    data = recording("wav", SPEECH)
    at = data.index(b"data") + 4
    assert declared(data[:at] + struct.pack("<I", size) + data[at + 4 :]) is None


def test_a_wav_file_that_is_cut_off_declares_what_is_missing(declared):
    for code, width in ((1, 2), (3, 4), (0xFFFE, 2)):
        form = struct.pack("<HHIIHH", code, 1, 16000, 16000 * width, width, 8 * width)
        body = np.zeros(4000 * width, np.uint8).tobytes()
        chunks = b"fmt " + struct.pack("<I", 16) + form + b"data"
        data = b"RIFF\0\0\0\0WAVE" + chunks + struct.pack("<I", 16000 * width) + body
        assert declared(data) == 1


def test_what_is_no_audio_declares_nothing(declared):
    assert declared(b"nonsense" * 999) is None
