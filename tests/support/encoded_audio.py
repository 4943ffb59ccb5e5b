"""Speech in each encoding that Deepgram accepts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from tests.support.packets import packets

Samples = NDArray[np.float32]


def cut(data: bytes, size: int = 1999) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def g711(encoding: str, sound: Samples) -> bytes:
    """At 8 kHz: the code whose value comes nearest."""
    values = AudioDecoder(AudioFormat(encoding, 16000)).decode(bytes(range(256)))
    order = np.argsort(values)
    low = soxr.resample(sound, 16000, 8000)
    middles = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(middles, low)].astype(np.uint8).tobytes()


def contained(format: str, codec: str, rate: int, sound: Samples, layout: str = "mono") -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


MADE: dict[str, Callable[[Samples], tuple[dict[str, str], list[bytes]]]] = {
    "linear16": lambda s: ({"sample_rate": "16000"}, cut((s * 32767).astype("<i2").tobytes())),
    "linear32": lambda s: (
        {"sample_rate": "48000"},
        cut(soxr.resample(s, 16000, 48000).astype("<f4").tobytes()),
    ),
    "mulaw": lambda s: ({"sample_rate": "8000"}, cut(g711("mulaw", s))),
    "alaw": lambda s: ({"sample_rate": "8000"}, cut(g711("alaw", s))),
    "flac": lambda s: ({}, cut(contained("flac", "flac", 16000, s))),
    "ogg-opus": lambda s: ({}, cut(contained("ogg", "libopus", 48000, s))),
    "opus": lambda s: ({"sample_rate": "48000"}, packets("libopus", 48000, s)),
    "amr-nb": lambda s: (
        {"sample_rate": "8000"},
        cut(b"".join(packets("libopencore_amrnb", 8000, s))),
    ),
    "": lambda s: ({}, cut(contained("webm", "libopus", 48000, s))),
}
