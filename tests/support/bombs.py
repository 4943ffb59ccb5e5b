"""Small files that claim much audio: what a hostile client would send to a decoder."""

from __future__ import annotations

import struct
from functools import cache

__all__ = ["flac_bomb", "wav_header"]

MAX_BLOCK = 65535  # samples in one frame of FLAC


@cache
def flac_bomb(
    frames: int, *, rate: int = 16_000, channels: int = 1, block: int = MAX_BLOCK, value: int = 0
) -> bytes:
    """Return a FLAC file of constant frames, each of 11 bytes and more.

    Args:
        frames: number of frames.
        rate: sample rate that the file declares (Hz).
        channels: number of channels, 1 to 8.
        block: samples in each frame.
        value: 16-bit value of every sample.
    """
    packed = rate << 44 | (channels - 1) << 41 | 15 << 36 | frames * block
    info = struct.pack(">HH6xQ16x", block, block, packed)
    return b"".join(
        [
            b"fLaC\x80\x00\x00\x22",
            info,
            *(_frame(number, channels, block, value) for number in range(frames)),
        ]
    )


def wav_header(*, rate: int, channels: int = 1, data_bytes: int = 2**31) -> bytes:
    """Return the header of a 16-bit WAV file."""
    form = struct.pack(
        "<HHIIHH", 1, channels, rate, min(2 * channels * rate, 2**32 - 1), 2 * channels, 16
    )
    sizes = struct.pack("<I", data_bytes)
    return b"".join((b"RIFF", sizes, b"WAVEfmt ", struct.pack("<I", 16), form, b"data", sizes))


def _frame(number: int, channels: int, block: int, value: int) -> bytes:
    head = bytes([0xFF, 0xF8, 0x70, (channels - 1) << 4 | 0b1000])
    head += _coded(number) + struct.pack(">H", block - 1)
    head += bytes([_crc(head, 8, 0x07)])
    body = head + (b"\0" + struct.pack(">h", value)) * channels
    return body + struct.pack(">H", _crc(body, 16, 0x8005))


def _coded(number: int) -> bytes:
    """Return a number in the extended UTF-8 of FLAC; up to 65,535."""
    return chr(number).encode(errors="surrogatepass")


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    top, mask, value = 1 << (bits - 1), (1 << bits) - 1, 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value
