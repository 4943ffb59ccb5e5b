"""Audio packets without a container, made by real encoders."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def packets(codec: str, rate: int, sound: NDArray[np.float32], layout: str = "mono") -> list[bytes]:
    """What an encoder makes of sound at 16 kHz (of two channels: interleaved)."""
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout = rate, layout
    encoder.format = encoder.codec.audio_formats[0]
    encoder.time_base = Fraction(1, rate)
    encoder.open()
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate = 16000
    resampler = av.AudioResampler(encoder.format, layout, rate, frame_size=encoder.frame_size)
    resampled = [*resampler.resample(frame), *resampler.resample(None)]
    whole = [f for f in resampled if f.samples == encoder.frame_size]
    made = [packet for frame in [*whole, None] for packet in encoder.encode(frame)]
    return [bytes(packet) for packet in made]
