"""Files that are sent as raw samples are named as what they are."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError


def wav(rate: int, channels: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
    return b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + form + b"data" + bytes(4004)


FILES = {
    "Ogg": b"OggS\0\2" + bytes(40),
    "FLAC": b"fLaC\0\0\0\x22" + bytes(40),
    "MP3": b"ID3\4\0" + bytes(40),
    "WebM": b"\x1aE\xdf\xa3\x9f" + bytes(40),
    "MP4": b"\0\0\0\x20ftypM4A " + bytes(40),
    "WAV file of pcm_s16le at 48000 Hz with 2 channels": wav(48000, 2),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_file_instead_of_samples_is_named(name, size):
    decoder = AudioDecoder(AudioFormat("pcm_s16le", 16000, 1))
    data = FILES[name]
    said = f"begins like a.* {name}.*, but pcm_s16le at 16000 Hz with 1 channel was declared"
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    with pytest.raises(AudioFormatError, match=said):
        list(map(decoder.decode, pieces))


def test_a_wav_header_of_the_declared_format_is_harmless():
    decoder = AudioDecoder(AudioFormat("pcm_s16le", 48000, 2))
    decoder.decode(wav(48000, 2))
    decoder.decode(wav(16000, 1))  # only the beginning counts


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le", "mulaw"])
def test_samples_are_never_taken_for_a_file(encoding):
    decoder = AudioDecoder(AudioFormat(encoding))
    generator = np.random.default_rng(0)
    for _ in range(50):
        decoder.decode(generator.bytes(64))
