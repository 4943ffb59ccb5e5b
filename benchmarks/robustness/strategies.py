"""Hypothesis strategies for hostile input: frames, conversations and broken containers.

`drive` passes such frames to a dialect without a socket.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import av
from hypothesis import strategies as st

from streamwhisper.audio.files import read_audio
from streamwhisper.protocol import ErrorMessage, parse_server_message
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.server.publishing.observers import ObservedSession, Observers
from streamwhisper.session.options import SessionOptions

__all__ = ["containers", "conversations", "damaged", "drive", "frames", "speech"]

SAMPLE = Path(__file__).parents[2] / "examples" / "sample.flac"
RATE = 16000
NEVER = {"internal", "recognition_failed"}
"""Codes of errors that no client can bring about."""
_INFO = ModelInfo("tiny.en", 80, multilingual=False)
_FORMATS = {
    "webm": ("libopus", 48000),
    "ogg": ("libopus", 48000),
    "mp3": ("libmp3lame", 44100),
    "flac": ("flac", 16000),
    "wav": ("pcm_s16le", 22050),
    "adts": ("aac", 44100),
}


@cache
def speech() -> bytes:
    """Four seconds of speech: 16-bit, 16 kHz, mono."""
    return (read_audio(SAMPLE)[: 4 * RATE] * 32767).astype("<i2").tobytes()


@cache
def containers() -> tuple[bytes, ...]:
    """A second of speech in every container that there is a writer for."""
    return tuple(_encoded(name, *form) for name, form in _FORMATS.items())


def _encoded(name: str, codec: str, rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=name) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate)
        sound = read_audio(SAMPLE)[RATE : 2 * RATE]
        frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of which some are changed, cut out, doubled or put in."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 8))):
        at, size = draw(st.integers(0, max(0, len(data) - 1))), draw(st.integers(0, 64))
        match draw(st.sampled_from(["change", "cut", "double", "put"])):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "double":
                data[at:at] = data[at : at + size]
            case "put":
                data[at:at] = draw(st.binary(max_size=64))
            case _:
                del data[at : at + size]
    return bytes(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
_FIELDS = {
    "encoding": st.sampled_from(["pcm_s16le", "pcm_f32le", "mulaw", "alaw", "container", "mp4"]),
    "sample_rate": st.sampled_from([8000, 16000, 44100, 192_000, 0, -1, 10**30]),
    "channels": st.sampled_from([1, 2, 16, 0, 1000]),
    "language": st.sampled_from([None, "en", "de", "tlh", ""]),
    "task": st.sampled_from(["transcribe", "translate", "sing"]),
    "model": st.sampled_from([None, "tiny.en", "large-v3"]),
    "words": st.booleans(),
    "partials": st.booleans(),
    "vocabulary": st.lists(st.text(max_size=5), max_size=3),
    "resume": st.none() | st.text(max_size=50),
    "last_seq": st.integers(),
    "publish": st.none() | st.sampled_from(["a", "b", "a b", ""]) | st.text(max_size=70),
    "id": st.none() | st.text(max_size=20),
}


@st.composite
def _messages(draw: st.DrawFn, kinds: Sequence[str], wrong: bool) -> str:
    names = draw(st.lists(st.sampled_from(sorted(_FIELDS)), unique=True, max_size=5))
    fields = {
        name: draw(_JSON if wrong and draw(st.booleans()) else _FIELDS[name]) for name in names
    }
    if wrong:
        fields |= draw(st.dictionaries(st.text(max_size=6), _JSON, max_size=2))
    return json.dumps({"type": draw(st.sampled_from(kinds)), **fields})


_GOOD_START = st.sampled_from(
    [
        '{"type":"start"}',
        '{"type":"start","encoding":"container"}',
        '{"type":"start","encoding":"pcm_f32le","sample_rate":44100,"channels":2}',
        '{"type":"start","encoding":"mulaw","sample_rate":8000,"publish":"a"}',
    ]
)
_KINDS = ("start", "flush", "ping", "end", "ready", "nonsense")
_TEXTS = st.one_of(
    _messages(_KINDS, wrong=False),
    _messages(_KINDS, wrong=True),
    damaged(_messages(_KINDS, wrong=False).map(str.encode)).map(
        lambda data: data.decode(errors="replace")
    ),
    _JSON.map(json.dumps),
    st.text(max_size=40),
    st.integers(1, 30_000).map(lambda depth: '{"type":' + "[" * depth),
)


def _slices(data: bytes) -> st.SearchStrategy[bytes]:
    starts, sizes = st.integers(0, len(data)), st.integers(0, 8000)
    return st.tuples(starts, sizes).map(lambda cut: data[cut[0] : cut[0] + cut[1]])


_SOUNDS = st.one_of(
    st.binary(max_size=400),
    st.integers(0, 32_000).map(bytes),
    st.deferred(lambda: _slices(speech())),
    st.deferred(lambda: damaged(st.sampled_from(containers()))),
    st.deferred(lambda: st.sampled_from(containers())),
)

frames = st.one_of(_SOUNDS, _TEXTS)
"""A single frame: text or audio, good or bad."""

conversations = st.tuples(
    st.one_of(_GOOD_START, _GOOD_START, _TEXTS, _SOUNDS),
    st.lists(frames, max_size=24),
    st.sampled_from([(), (), ('{"type":"end"}',)]),
).map(lambda parts: [parts[0], *parts[1], *parts[2]])
"""Messages that one client sends; most of them start a session."""


def drive(said: Sequence[str | bytes]) -> None:
    """Hear frames without a socket, and check every answer.

    Raises:
        Exception: whatever the dialect lets out, which is a fault of its own.
    """
    threads = threading.active_count()
    dialect = NativeDialect(
        _INFO,
        SessionOptions(),
        "fuzz",
        lambda name, start, decoder, options: ObservedSession(_INFO, decoder, options, Observers()),
    )
    seq = 0
    try:
        for frame in said:
            dialect.receive(frame)
            while (backlog := dialect.backlog) is not None:
                backlog.wait()
                dialect.advance()
            for text in dialect.outgoing():
                number, message = parse_server_message(text)
                seq += 1
                assert number == seq
                assert "Traceback" not in text
                assert not (isinstance(message, ErrorMessage) and message.code in NEVER)
            if dialect.session is not None:
                dialect.session.next_request()
                dialect.session.abandon_request()
            if dialect.closing is not None:
                break
    finally:
        dialect.release()
    assert threading.active_count() <= threads
