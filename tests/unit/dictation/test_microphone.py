"""Which channels of a microphone are opened, on devices that are made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamwhisper.dictation import channels, microphone
from streamwhisper.dictation.channels import Layout, layouts
from streamwhisper.dictation.devices import Device, MicrophoneError
from streamwhisper.dictation.microphone import Capture, MicrophoneOptions
from streamwhisper.dictation.tools import Result, ToolError


class PortAudioError(Exception):
    pass


class PortAudio:
    """PortAudio with a device that accepts some numbers of channels at one rate."""

    PortAudioError = PortAudioError

    def __init__(self, accepts: set[int], rate: int) -> None:
        self.accepts, self.rate = accepts, rate
        self.stream: Any = None

    def check_input_settings(self, _: int, count: int, *format: object) -> None:
        if count not in self.accepts or format[-1] != self.rate:
            raise PortAudioError("Invalid number of channels")

    def RawInputStream(self, *settings: Any, callback: Any, finished_callback: Any) -> Any:
        self.stream = SimpleNamespace(start=print, close=print, settings=settings, hear=callback)
        return self.stream


def capture(
    monkeypatch: pytest.MonkeyPatch, device: Device, *accepts: int, channel: int | None = None
) -> tuple[Capture, PortAudio]:
    audio = PortAudio({*accepts}, device.sample_rate)
    monkeypatch.setattr(microphone, "portaudio", lambda: audio)
    return Capture(device, 60.0, lambda: None, channel), audio


def interface(channels: int, rate: int = 48000) -> Device:
    return Device(3, "Scarlett 18i20: USB Audio (hw:2,0)", "ALSA", channels, rate, False)


@pytest.mark.parametrize(("count", "channel"), [(20, None), (20, 18), (64, None), (100, 18)])
def test_an_interface_of_many_inputs_is_heard_at_full_level(monkeypatch, count, channel):
    opened = min(count, 64)
    recorder, audio = capture(monkeypatch, interface(count), opened, channel=channel)
    assert audio.stream.settings[3] == opened
    inputs = np.zeros((48000, opened), "<f4")
    inputs[:, 17] = 0.5 * np.sin(np.arange(48000) * 440 * 2 * np.pi / 48000)
    no_status = SimpleNamespace(input_overflow=False)
    for start in range(0, 48000, 4800):
        audio.stream.hear(inputs[start : start + 4800].tobytes(), 4800, None, no_status)
    heard = recorder.take()
    assert len(heard) > 15000
    assert np.sqrt(np.mean(heard[1000:] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_audio_that_waits_takes_the_room_of_one_channel(monkeypatch):
    recorder, audio = capture(monkeypatch, interface(64), 64)
    block = np.zeros((4800, 64), "<f4").tobytes()
    for _ in range(20):
        audio.stream.hear(block, 4800, None, SimpleNamespace(input_overflow=False))
    assert sum(each.nbytes for each in recorder._blocks) <= 2 * 16000 * 4


def test_a_device_that_opens_with_one_channel_alone_is_used_with_it(monkeypatch):
    _, audio = capture(monkeypatch, interface(2), 1)
    assert audio.stream.settings[3] == 1


def test_a_device_that_cannot_be_used_says_why(monkeypatch):
    with pytest.raises(MicrophoneError, match="cannot be opened: Invalid number of channels"):
        capture(monkeypatch, interface(2), 7)
    with pytest.raises(MicrophoneError, match="cannot be opened: sample_rate is 384000; expected"):
        capture(monkeypatch, interface(2, 384_000), 1, 2)
    with pytest.raises(MicrophoneError, match=r"channel is 3, but Scarlett .* has 2; expected 1"):
        capture(monkeypatch, interface(2), 2, channel=3)


@pytest.mark.parametrize("channel", [0, -1])
def test_channels_are_counted_from_one(channel):
    with pytest.raises(MicrophoneError, match=rf"channel is {channel}; expected 1 or more"):
        MicrophoneOptions(channel=channel)


DEFAULT = Device(0, "default", "ALSA", 32, 44100, True)
SOURCES = """Source #0
\tName: other
\tChannel Map: mono

Source #1
\tName: mine
\tChannel Map: {}
"""


def with_server(monkeypatch: pytest.MonkeyPatch, positions: str, server: str) -> None:
    def run_tool(command: list[str]) -> Result:
        info = f"Server Name: {server}\nDefault Source: mine\n"
        return Result(0, (info if command[1] == "info" else SOURCES.format(positions)).encode(), "")

    monkeypatch.delenv("PULSE_SOURCE", raising=False)
    monkeypatch.setattr(channels, "run_tool", run_tool)


@pytest.mark.parametrize(
    ("positions", "server", "best"),
    [
        ("mono", "pulseaudio", Layout(1, (0,))),
        ("front-left,front-right", "pulseaudio", Layout(32, (0, 1))),
        ("front-left,front-center,rear-center", "pulseaudio", Layout(32, (0, 4, None))),
        ("aux0,aux1,aux2,aux3", "pulseaudio", Layout(32, (8, 9, 10, 11))),
        ("aux0,aux1,aux2,aux3", "PulseAudio (on PipeWire 1.0.5)", Layout(4, (0, 1, 2, 3))),
    ],
)
def test_the_channels_of_the_servers_source_are_those_used(monkeypatch, positions, server, best):
    with_server(monkeypatch, positions, server)
    assert layouts(DEFAULT)[0] == best


def test_the_source_that_the_environment_names_is_the_one(monkeypatch):
    with_server(monkeypatch, "aux0,aux1", "pulseaudio")
    monkeypatch.setenv("PULSE_SOURCE", "other")
    assert layouts(DEFAULT)[0] == Layout(1, (0,))


def test_without_an_answer_of_the_server_one_channel_is_opened(monkeypatch):
    def run_tool(_: list[str]) -> Result:
        raise ToolError("pactl is not installed")

    monkeypatch.setattr(channels, "run_tool", run_tool)
    assert layouts(DEFAULT)[0] == Layout(1, (0,))


def test_a_channel_without_a_place_is_mixed_into_others_and_not_chosen(monkeypatch):
    with_server(monkeypatch, "front-left,rear-center", "pulseaudio")
    recorder, audio = capture(monkeypatch, DEFAULT, 32)
    assert audio.stream.settings[3] == 32
    assert len(recorder._used) == 32
    with pytest.raises(MicrophoneError, match="does not deliver channel 2 by itself"):
        capture(monkeypatch, DEFAULT, 32, channel=2)
