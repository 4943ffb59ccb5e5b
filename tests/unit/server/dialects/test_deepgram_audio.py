"""A Deepgram stream in each of its encodings, made by real encoders from real speech."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError
from streamwhisper.server.dialects.deepgram.audio import ENCODINGS, StreamAudio, StreamAudioOptions
from streamwhisper.session.options import SessionOptions
from tests.support.deepgram_stream import CLOSE, Talk, transcript
from tests.support.packets import packets

CLIP = "librispeech/61-70968-0000"
WORDS = ("confused", "complaint", "behind", "curtain")

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
NO_ENCODER = {"speex", "amr-wb"}


def test_every_encoding_is_tried_that_there_is_an_encoder_for() -> None:
    assert {*MADE, *NO_ENCODER} == {*ENCODINGS, ""}


@pytest.mark.parametrize("encoding", MADE)
def test_each_encoding_is_understood(encoding: str, recognizer: Any, speech: Any) -> None:
    sound = speech.load(speech.clip(CLIP))
    query, pieces = MADE[encoding](sound)
    if encoding:
        query["encoding"] = encoding
    asked = {name: [value] for name, value in query.items()}
    talk = Talk(recognizer, SessionOptions(), asked)
    said = [*talk.say(*pieces), *talk.say(CLOSE)]
    heard = transcript(said).lower()
    assert [word for word in WORDS if word not in heard] == []
    assert said[-1]["duration"] == pytest.approx(len(sound) / 16000, abs=0.06)


def test_channels_of_a_container_are_heard_apart_as_many_as_are_announced() -> None:
    sine = np.sin(np.arange(16000) / 20, dtype=np.float32) / 2
    both = np.stack([sine, np.zeros_like(sine)], axis=1).reshape(-1)
    data = contained("wav", "pcm_s16le", 16000, both, "stereo")
    sound = StreamAudio(StreamAudioOptions(channels=2, multichannel=True))
    parts = [*map(sound.split, cut(data, 1001)), sound.finish()]
    left, right = (np.frombuffer(b"".join(part), "<f4") for part in zip(*parts, strict=True))
    assert np.allclose(left, sine, atol=1e-3)
    assert len(right) == 16000
    assert not right.any()
    sound.close()
    three = StreamAudio(StreamAudioOptions(channels=3, multichannel=True))
    with pytest.raises(AudioFormatError, match="has 2 channels, 3 were announced"):
        _ = three.split(data), three.finish()
    three.close()
