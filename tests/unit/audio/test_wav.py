"""A WAV file is whole at every moment of its writing."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from streamwhisper.audio.files import read_audio
from streamwhisper.audio.wav import WavWriter


def test_after_each_piece_the_header_tells_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = np.sin(np.arange(4000) / 20).astype(np.float32)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    writer = WavWriter(descriptor)
    for count in range(0, 4000, 500):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels()) == (16000, 1)
            assert file.getnframes() == count
        assert path.stat().st_size == 44 + 2 * count
        writer.write(sound[count : count + 500])
    os.close(descriptor)
    np.testing.assert_allclose(read_audio(path), sound, atol=1e-4)


def test_what_cannot_be_written_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    writer = WavWriter(descriptor)
    writer.write(np.ones(100, np.float32))
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file"):
        writer.write(np.ones(100, np.float32))
    with wave.open(str(path)) as file:
        assert file.getnframes() == 100
