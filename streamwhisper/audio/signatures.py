"""Recognizes file headers in what is declared to be raw audio."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from streamwhisper.errors import AudioFormatError

if TYPE_CHECKING:
    from streamwhisper.audio.formats import AudioFormat

__all__ = ["HeaderCheck"]

_LONGEST = 36
"""Bytes up to the end of the format in the header of a WAV file."""
_FIRST = 14
"""Bytes that show whether there is a header."""
_BEGINNINGS = {
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"ID3\2": "an MP3 file",
    b"ID3\3": "an MP3 file",
    b"ID3\4": "an MP3 file",
    b"\x1aE\xdf\xa3": "a WebM or Matroska file",
    b"caff": "a CAF file",
    b".snd\0\0\0": "an AU file",
    b"NIST_1A\n": "a NIST SPHERE file",
    b"RF64": "a WAV file",
    b"wvpk": "a WavPack file",
    b"FLV\1": "an FLV file",
    b"\x30\x26\xb2\x75\x8e\x66": "a WMA or ASF file",
    b"Creative Voice": "a VOC file",
    b"#!AMR": "an AMR file",
    b"#EXTM3U": "a playlist",
}
_WAV = "a WAV file of "
_WAV_FORMATS = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_s16le",
    (1, 24): "pcm_s24le",
    (1, 32): "pcm_s32le",
    (3, 32): "pcm_f32le",
    (6, 8): "alaw",
    (7, 8): "mulaw",
    (0xFFFE, 16): "pcm_s16le",
    (0xFFFE, 24): "pcm_s24le",
}


class HeaderCheck:
    """Check of the first bytes of a raw stream, which may be cut anywhere."""

    def __init__(self, format: AudioFormat) -> None:
        """Check a stream of this format."""
        self._format = format
        self._head: bytes | None = b""  # None: there is no header

    def look(self, data: bytes) -> None:
        """Look at the next bytes.

        Raises:
            AudioFormatError: the stream begins like a file of another format. A WAV header of the
                declared format is harmless.
        """
        if self._head is None:
            return
        self._head += data[: _LONGEST - len(self._head)]
        found = _kind(self._head)
        format = self._format
        declared = _describe(format.encoding, format.sample_rate, format.channels)
        if found is not None and found != _WAV + declared:
            raise AudioFormatError(
                f"the audio begins like {found}, but {declared} was declared; send samples without "
                "a header, or declare a container"
            )
        wav = self._head.startswith(b"RIFF"[: len(self._head)])
        if len(self._head) >= (_LONGEST if wav else _FIRST):
            self._head = None


def _kind(head: bytes) -> str | None:
    """Return what the bytes begin like; None for samples."""
    for beginning, name in _BEGINNINGS.items():
        if head.startswith(beginning):
            return name
    if head[4:8] == b"ftyp":
        return "an MP4 file"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "an AIFF file"
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE" or len(head) < _LONGEST:
        return None
    if head[12:16] != b"fmt ":
        return "a WAV file"
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head, 20)
    encoding = _WAV_FORMATS.get((code, bits))
    return _WAV + (_describe(encoding, rate, channels) if encoding else "another encoding")


def _describe(encoding: str, sample_rate: int, channels: int) -> str:
    return f"{encoding} at {sample_rate} Hz with {channels} channel" + "s" * (channels > 1)
