"""Whatever frames and sounds come, they are answered, and nothing is broken or left behind."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from benchmarks.robustness.strategies import (
    NEVER,
    containers,
    conversations,
    damaged,
    drive,
    frames,
)
from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.formats import ENCODINGS, AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError, ProtocolError
from streamwhisper.protocol import ErrorMessage, parse_client_message, parse_server_message
from streamwhisper.server.app import Server, ServerOptions

modest = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], database=None)
Frames = list[str | bytes]


@modest
@given(conversations)
def test_the_dialect_answers_whatever_is_said(said: Frames) -> None:
    drive(said)


@modest
@given(frames.filter(lambda frame: isinstance(frame, str)))
def test_a_text_is_a_message_or_a_protocol_error(text: str) -> None:
    for parse in (parse_client_message, parse_server_message):
        with contextlib.suppress(ProtocolError):
            parse(text)


@modest
@given(
    st.sampled_from(sorted(ENCODINGS)),
    st.sampled_from([4000, 8000, 44100, 192_000]),
    st.integers(1, 16),
    st.lists(st.binary(max_size=300), max_size=6),
)
def test_raw_sound_of_any_bytes_is_sound_within_bounds(
    encoding: Any, rate: int, channels: int, pieces: list[bytes]
) -> None:
    decoder = AudioDecoder(AudioFormat(encoding, rate, channels))
    sound, data = [], b"".join(pieces)
    try:
        sound += [decoder.decode(piece) for piece in pieces]
        sound.append(decoder.finish())
    except AudioFormatError as error:
        reason = str(error)
        if "begins like" not in reason:
            assert len(data) % decoder.format.frame_bytes, reason
    heard = np.concatenate(sound) if sound else np.zeros(0, np.float32)
    assert np.isfinite(heard).all()
    assert (np.abs(heard) <= 1).all()


@settings(modest, max_examples=60)
@given(st.deferred(lambda: damaged(st.sampled_from(containers()))), st.integers(1, 5000))
def test_a_damaged_container_is_sound_or_an_error_that_says_so(data: bytes, step: int) -> None:
    decoder = ContainerDecoder()
    try:
        for at in range(0, len(data), step):
            heard = decoder.decode(data[at : at + step])
            assert np.isfinite(heard).all()
        decoder.finish()
    except AudioFormatError:
        pass
    finally:
        decoder.close()
    assert not decoder._thread.is_alive()


async def say(url: str, said: Frames) -> list[ErrorMessage]:
    """Say everything, and hear all that is answered; the errors of it."""
    errors = []
    async with connect_websocket(url, proxy=None, compression=None, max_queue=None) as websocket:
        try:
            for frame in said:
                await websocket.send(frame)
            await websocket.send('{"type":"end"}')
            while True:
                _, message = parse_server_message(await websocket.recv(decode=True))
                if isinstance(message, ErrorMessage):
                    errors.append(message)
        except ConnectionClosed:
            pass
    return errors


@pytest.fixture(scope="module")
def talks() -> list[Frames]:
    """Forty conversations, the same every time."""
    found: list[Frames] = []

    @settings(modest, max_examples=40, derandomize=True)
    @given(conversations)
    def collect(said: Frames) -> None:
        found.append(
            [f.encode(errors="replace").decode() if isinstance(f, str) else f for f in said]
        )

    collect()
    return found


async def test_a_server_answers_them_and_hears_others_meanwhile(
    recognizer: Any, talks: list[Frames], caplog: pytest.LogCaptureFixture
) -> None:
    async with Server(recognizer, ServerOptions(port=0)) as server:
        tasks = len(asyncio.all_tasks())
        for at in range(0, len(talks), 8):
            answers = await asyncio.gather(*(say(server.url, said) for said in talks[at : at + 8]))
            for error in (error for errors in answers for error in errors):
                assert error.code not in NEVER
                assert "Traceback" not in error.message
        async with asyncio.timeout(20):
            while len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0.01)
        assert server.context.access.open_sessions == 0
    assert not [record for record in caplog.records if record.exc_info]
