"""A real sound server whose microphone is unplugged, suspended and killed."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from streamwhisper.dictation.beep import beep, tone
from streamwhisper.dictation.devices import (
    Device,
    MicrophoneError,
    find_device,
    list_devices,
)
from streamwhisper.dictation.microphone import Microphone, MicrophoneOptions
from tests.support.desktop import SoundServer, sound_here, until

RATE = 16000
DEVICES = [
    Device(0, "Built-in Microphone", "ALSA", 2, 48000, False),
    Device(3, "USB Headset", "ALSA", 1, 44100, True),
    Device(4, "USB Headset Pro", "ALSA", 1, 44100, False),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 3), ("built", 0), ("USB headset", 3), ("pro", 4), ("4", 4)],
)
def test_a_microphone_is_chosen_by_name_part_of_it_or_number(wanted, index):
    assert find_device(wanted, DEVICES).index == index


@pytest.mark.parametrize(("wanted", "said"), [("usb", "2 microphones match"), ("7", "no micro")])
def test_a_choice_that_is_not_clear_names_what_there_is(wanted, said):
    with pytest.raises(MicrophoneError, match=f"{said}.*3: USB Headset"):
        find_device(wanted, DEVICES)


def test_without_any_microphone_it_is_said_what_to_do():
    with pytest.raises(MicrophoneError, match="plug one in"):
        find_device(None, [])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    with sound_here(tmp_path) as running:
        yield running


def noise(path: Path, seconds: float) -> np.ndarray:
    """Write and return noise: int16 ``[n]``."""
    samples = np.random.default_rng(0).normal(0, 3000, round(seconds * RATE)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return samples


class Ears:
    """Keeps all that a microphone brings."""

    def __init__(self, options: MicrophoneOptions) -> None:
        self.notices: list[str] = []
        self.microphone = Microphone(options, self.notices.append)
        self.heard: list[np.ndarray] = []
        self.gaps = 0

    @property
    def loud(self) -> int:
        return sum(int(np.count_nonzero(piece)) for piece in self.heard)

    async def listen(self) -> None:
        async for sound in self.microphone:
            if sound is None:
                self.gaps += 1
            else:
                self.heard.append(sound)


@contextlib.asynccontextmanager
async def listening(**options: float) -> AsyncIterator[Ears]:
    ears = Ears(MicrophoneOptions(**options))
    await ears.microphone.open()
    task = asyncio.create_task(ears.listen())
    yield ears
    await ears.microphone.stop()
    await task
    await ears.microphone.close()


async def soon(true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, true, what)


async def test_every_sample_that_is_played_is_heard(server, tmp_path):
    played = noise(tmp_path / "noise.wav", 1.5)
    async with listening() as ears:
        await asyncio.to_thread(server.say, tmp_path / "noise.wav")
        await soon(lambda: ears.loud >= 0.99 * len(played), "the noise is heard")
    heard = np.concatenate(ears.heard)
    first = np.flatnonzero(heard)[0]
    same = heard[first : first + len(played)] * 32768
    np.testing.assert_array_equal(same.astype("<i2"), played[: len(same)])
    assert len(same) == len(played)
    assert not ears.notices


async def test_a_microphone_that_is_unplugged_is_waited_for(server, tmp_path):
    noise(tmp_path / "noise.wav", 0.5)
    async with listening(retry=0.2) as ears:
        await soon(lambda: ears.heard, "it listens")
        server.unplug()
        await soon(lambda: ears.notices, "the loss is told")
        assert "is disconnected; waiting for it." in ears.notices[0]
        server.plug_in()
        await soon(lambda: len(ears.notices) > 1, "the return is told")
        assert "is connected again." in ears.notices[1]
        server.say(tmp_path / "noise.wav")
        await soon(lambda: ears.loud > 7000, "it is heard again")
    assert ears.gaps


async def test_a_sound_server_that_dies_is_waited_for(server, tmp_path):
    noise(tmp_path / "noise.wav", 0.5)
    async with listening(retry=0.2) as ears:
        await soon(lambda: ears.heard, "it listens")
        server.kill()
        await soon(lambda: ears.notices, "the loss is told")
        await asyncio.to_thread(server.start)
        await soon(lambda: len(ears.notices) > 1, "the return is told")
        server.say(tmp_path / "noise.wav")
        await soon(lambda: ears.loud > 7000, "it is heard again")
    assert [notice.split(" is ")[1] for notice in ears.notices] == [
        "disconnected; waiting for it.",
        "connected again.",
    ]


async def test_a_source_that_is_suspended_is_waited_for(server):
    async with listening(quiet=0.5, retry=0.2) as ears:
        await soon(lambda: ears.heard, "it listens")
        server.control("suspend-source", "microphone", "1")
        await soon(lambda: ears.notices, "the loss is told")
        server.control("suspend-source", "microphone", "0")
        await soon(lambda: len(ears.notices) > 1, "the return is told")
        assert "is connected again." in ears.notices[1]


async def test_listening_can_end_while_the_microphone_is_gone(server):
    async with listening(retry=0.2) as ears:
        await soon(lambda: ears.heard, "it listens")
        server.kill()
        await soon(lambda: ears.notices, "the loss is told")


async def test_sound_that_finds_no_room_is_told(server):
    ears = Ears(MicrophoneOptions(backlog=0.3))
    await ears.microphone.open()
    await asyncio.sleep(1)  # nobody takes what comes
    task = asyncio.create_task(ears.listen())
    await soon(lambda: ears.notices, "the loss is told")
    await ears.microphone.stop()
    await task
    await ears.microphone.close()
    assert "s of audio are lost" in ears.notices[0]


QUADS = ["", "channel_map=front-left,front-right,rear-left,rear-right"]
QUADS += ["channel_map=aux0,aux1,aux2,aux3"]


@pytest.fixture(params=QUADS, ids=["default", "surround", "aux"])
def quad(server: SoundServer, request: pytest.FixtureRequest) -> str:
    """Plug in an interface of four inputs; its channel map, as a flag of paplay."""
    name, _, channels = request.param.partition("=")
    server.unplug()
    sink = "module-null-sink sink_name=speaker rate=16000 channels=4 format=s16le norewinds=1"
    source = "module-remap-source source_name=microphone master=speaker.monitor channels=4 remix=no"
    given = [request.param, f"master_{name}={channels}"] if name else []
    server.control("load-module", *sink.split(), *given[:1])
    server.control("load-module", *source.split(), *given)
    server.control("set-default-source", "microphone")
    return f"--channel-map={channels}" if name else ""


def speak(server: SoundServer, path: Path, channel: int, flag: str) -> np.ndarray:
    """Play noise on one channel of four, from 1, and return it."""
    samples = noise(path, 1.0)
    four = np.zeros((len(samples), 4), "<i2")
    four[:, channel - 1] = samples
    with wave.open(str(path), "wb") as file:
        file.setnchannels(4)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(four.tobytes())
    command = ["paplay", "--device=speaker", *filter(None, [flag]), str(path)]
    subprocess.run(command, env=server.environment, check=True)
    return samples


def loudness(samples: np.ndarray) -> float:
    """RMS level of what is not silent, in dB."""
    return 10 * float(np.log10(np.mean(np.square(samples[samples != 0].astype(np.float64)))))


async def test_speech_on_one_channel_of_an_interface_keeps_its_level(server, quad, tmp_path):
    async with listening() as ears:
        await soon(lambda: ears.heard, "it listens")
        played = await asyncio.to_thread(speak, server, tmp_path / "noise.wav", 2, quad)
        await soon(lambda: ears.loud >= 0.9 * len(played), "the noise is heard")
    heard = loudness(np.concatenate(ears.heard))
    assert heard == pytest.approx(loudness(played / 32768), abs=1)


async def test_a_channel_is_heard_alone(server, quad, tmp_path):
    async with listening(channel=2) as ears:
        await soon(lambda: ears.heard, "it listens")
        await asyncio.to_thread(speak, server, tmp_path / "other.wav", 1, quad)
        await asyncio.sleep(0.3)
        assert not ears.loud
        played = await asyncio.to_thread(speak, server, tmp_path / "noise.wav", 2, quad)
        await soon(lambda: ears.loud >= 0.9 * len(played), "the noise is heard")
    assert loudness(np.concatenate(ears.heard)) == pytest.approx(loudness(played / 32768), abs=1)


@pytest.mark.parametrize("quad", [""], indirect=True)
async def test_a_channel_that_is_not_there_is_named(server, quad):
    with pytest.raises(MicrophoneError, match="channel is 33, but default has 32; expected 1 to"):
        await Microphone(MicrophoneOptions(channel=33), print).open()


def test_the_microphones_of_a_sound_server_are_listed(server):
    assert {device.name for device in list_devices()} == {"default", "pulse"}
    assert [device.name for device in list_devices() if device.default] == ["default"]


def test_the_tones_differ_and_begin_and_end_in_silence():
    high, low = tone(on=True), tone(on=False)
    assert abs(high[0]) + abs(high[-1]) + abs(low[0]) + abs(low[-1]) < 1e-3
    crossings = [int(np.count_nonzero(np.diff(np.sign(each)))) for each in (high, low)]
    assert crossings[0] > 1.3 * crossings[1]


async def test_a_beep_is_heard(server):
    async with listening() as ears:
        await soon(lambda: ears.heard, "it listens")
        beep(True)
        await soon(lambda: ears.loud > 1000, "the beep is heard")
