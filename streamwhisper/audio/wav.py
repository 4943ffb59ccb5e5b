"""WAV writer whose file is valid at every moment."""

from __future__ import annotations

import os
import struct

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE

__all__ = ["WavWriter", "mend_wav"]

_HEADER = 44
_MAX_BYTES = 2**32 - 1 - _HEADER  # of audio; sizes in the header have 32 bits


class WavWriter:
    """Writer that appends 16-bit mono audio and keeps the header up to date."""

    def __init__(self, descriptor: int, sample_rate: int = SAMPLE_RATE) -> None:
        """Begin an empty file; `descriptor` is open for writing, and the caller closes it."""
        self._descriptor = descriptor
        self._rate = sample_rate
        self._bytes = 0
        self._write(_header(0, sample_rate), 0)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append float32 ``[n]`` within ±1.

        Raises:
            OSError: the file cannot be written, or would exceed 4 GiB; earlier samples stay intact.
        """
        data = np.clip(samples * 32768, -32768, 32767).astype("<i2").tobytes()
        if self._bytes + len(data) > _MAX_BYTES:
            raise OSError("the WAV file has reached 4 GiB, the limit of its format")
        # Audio first: a header may claim less than the file has, but not more.
        self._write(data, _HEADER + self._bytes)
        self._bytes += len(data)
        self._write(_header(self._bytes, self._rate), 0)

    def _write(self, data: bytes, at: int) -> None:
        if os.pwrite(self._descriptor, data, at) != len(data):
            raise OSError("the disk is full")


def mend_wav(descriptor: int, sample_rate: int = SAMPLE_RATE) -> None:
    """Repair the header of a truncated file; an incomplete sample is cut off.

    Raises:
        OSError: it cannot be written.
    """
    size = max(0, os.fstat(descriptor).st_size - _HEADER) // 2 * 2
    os.ftruncate(descriptor, _HEADER + size)
    os.pwrite(descriptor, _header(size, sample_rate), 0)


def _header(size: int, rate: int) -> bytes:
    """Return the header of a file with `size` bytes of audio."""
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    whole = struct.pack("<I", size + _HEADER - 8)
    return b"".join(
        (b"RIFF", whole, b"WAVEfmt ", struct.pack("<I", 16), form, b"data", struct.pack("<I", size))
    )
