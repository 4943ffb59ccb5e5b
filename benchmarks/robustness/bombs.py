"""Small files that claim much audio: what a hostile client would send to a decoder."""

from __future__ import annotations

import struct
from functools import cache

__all__ = ["flac_bomb", "mp4_bomb", "wav_header"]

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


@cache
def mp4_bomb(samples: int) -> bytes:
    """Return an MP4 file of 0.6 KB whose index claims so many samples of one byte."""

    def box(kind: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(">I", 8 + len(body)) + kind + body

    def table(kind: bytes, *values: int) -> bytes:
        return box(kind, struct.pack(f">{1 + len(values)}I", 0, *values))

    matrix = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    entry = struct.pack(">6xH8xHHIHH", 1, 1, 16, 0, 0, 0)[:24] + struct.pack(">I", 16_000 << 16)
    # An AAC decoder: its description names a profile (2), 16 kHz and one channel.
    config = b"\x04\x0d\x40\x15" + bytes(11) + b"\x05\x02\x14\x08"
    sound = box(b"mp4a", entry, box(b"esds", bytes(4), b"\x03\x16\0\0\0", config))
    tables = box(
        b"stbl",
        box(b"stsd", struct.pack(">II", 0, 1), sound),
        table(b"stts", 1, samples, 1024),
        table(b"stsc", 1, 1, samples, 1),
        table(b"stsz", 1, samples),
        table(b"stco", 1, 600),
    )
    track = box(
        b"trak",
        box(
            b"tkhd",
            struct.pack(">5I8x4H", 7, 0, 0, 1, 0, 0, 0, 0x100, 0),
            bytes(4),
            matrix,
            bytes(8),
        ),
        box(
            b"mdia",
            table(b"mdhd", 0, 0, 16_000, 0, 0),
            box(b"hdlr", bytes(8), b"soun", bytes(13)),
            box(b"minf", box(b"smhd", bytes(8)), tables),
        ),
    )
    head = box(b"mvhd", struct.pack(">4I", 0, 0, 0, 1000), bytes(80), struct.pack(">I", 2))
    return (
        box(b"ftyp", b"isom", bytes(4), b"isom")
        + box(b"moov", head, track)
        + box(b"mdat", bytes(64))
    )


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
