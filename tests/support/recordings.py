"""Recordings in containers: late audio, several tracks, damage in the middle."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

KINDS = {
    "mkv": ("matroska", "aac", 44100),
    "mp4": ("mp4", "aac", 44100),
    "ts": ("mpegts", "aac", 44100),
    "mka": ("matroska", "aac", 44100),
    "webm": ("webm", "libopus", 48000),
    "ogg": ("ogg", "libopus", 48000),
    "m4a": ("ipod", "aac", 44100),
    "mp3": ("mp3", "libmp3lame", 44100),
    "flac": ("flac", "flac", 16000),
    "ac3": ("ac3", "ac3", 48000),
    "aac": ("adts", "aac", 44100),
    "wav": ("wav", "pcm_s16le", 16000),
    "nut": ("nut", "libmp3lame", 44100),
    "sf": ("ircam", "pcm_s16le", 16000),
    "voc": ("voc", "pcm_s16le", 16000),
    "au": ("au", "pcm_s16be", 16000),
    "caf": ("caf", "pcm_s16be", 16000),
    "w64": ("w64", "pcm_s16le", 16000),
    "aiff": ("aiff", "pcm_s16be", 16000),
    "avi": ("avi", "libmp3lame", 44100),
    "flv": ("flv", "aac", 44100),
    "tta": ("tta", "tta", 16000),
    "wv": ("wv", "wavpack", 16000),
}


def recording(
    kind: str,
    *tracks: Samples,
    starts: Sequence[float] = (),
    default: int | None = None,
    picture: float = 0.0,
    **options: str,
) -> bytes:
    """A container: each track starts at its second; a picture lasts some seconds."""
    name, codec, rate = KINDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=name, options=options) as output:
        packets = list(_picture(output, picture)) if picture else []
        for number, samples in enumerate(tracks):
            stream: Any = output.add_stream(codec, rate=rate, layout="mono")
            if default is not None:
                stream.disposition = av.stream.Disposition.default * (number == default)
            own = [packet for frame in _frames(samples) for packet in stream.encode(frame)]
            packets += _moved([*own, *stream.encode(None)], starts[number] if starts else 0.0)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            output.mux(packet)
    return file.getvalue()


def nist_sphere(samples: Samples) -> bytes:
    """A NIST SPHERE file, which FFmpeg cannot write."""
    fields = (
        ("channel_count", "-i", 1),
        ("sample_rate", "-i", 16000),
        ("sample_n_bytes", "-i", 2),
        ("sample_byte_format", "-s2", "01"),
        ("sample_coding", "-s3", "pcm"),
        ("sample_count", "-i", len(samples)),
    )
    lines = "".join(f"{name} {kind} {value}\n" for name, kind, value in fields)
    header = f"NIST_1A\n   1024\n{lines}end_head\n".encode()
    return header.ljust(1024) + (samples * 32767).astype("<i2").tobytes()


def damaged(data: bytes, start: float, end: float) -> bytes:
    """The bytes from one share of the data to another are zeros."""
    first, last = round(len(data) * start), round(len(data) * end)
    return data[:first] + bytes(last - first) + data[last:]


def place_of(samples: Samples, found: Samples) -> float:
    """Second at which `samples` lie in `found`."""
    size = 1 << (len(samples) + len(found)).bit_length()
    product = np.fft.rfft(found, size) * np.conj(np.fft.rfft(samples, size))
    return int(np.fft.irfft(product, size)[: len(found)].argmax()) / 16000


def _frames(samples: Samples) -> list[av.AudioFrame]:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
    return [frame]


def _moved(packets: list[Any], seconds: float) -> list[Any]:
    for packet in packets:
        ticks = round(seconds / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
    return packets


def _picture(output: Any, seconds: float) -> list[Any]:
    stream = output.add_stream("mpeg4", rate=5)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    packets = []
    for number in range(round(seconds * 5)):
        frame = av.VideoFrame(64, 64, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = number, Fraction(1, 5)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def trimmed(data: bytes, start: float, kept: float) -> bytes:
    """An MP4 file that begins later by its edit list; `kept` seconds before remain in it."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format="ipod") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None and packet.pts * packet.time_base >= start - kept:
                packet.stream = stream
                output.mux(*_moved([packet], -start))
    return file.getvalue()
