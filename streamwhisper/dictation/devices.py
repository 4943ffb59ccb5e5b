"""Microphones that this machine has, through PortAudio."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

from streamwhisper.errors import StreamWhisperError

__all__ = ["Device", "MicrophoneError", "find_device", "list_devices", "look_again", "portaudio"]


class MicrophoneError(StreamWhisperError, OSError):
    """No microphone, or none that can be listened to."""


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone.

    Attributes:
        index: PortAudio's number for it; it changes when devices come and go.
        host: the sound system it belongs to, such as ``"ALSA"``.
        channels: the most it has.
        sample_rate: its own, in hertz.
        default: whether it is the one to take where none is named.
    """

    index: int
    name: str
    host: str
    channels: int
    sample_rate: int
    default: bool


def portaudio() -> ModuleType:
    """The sounddevice module; raises `MicrophoneError` where PortAudio is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise MicrophoneError(
            f"{error}; install it (Debian, Ubuntu: apt install libportaudio2; "
            "Fedora: dnf install portaudio)"
        ) from error
    module: ModuleType = sounddevice
    return module


def look_again() -> None:
    """Have PortAudio find what was plugged in or out; no stream may be open."""
    sounddevice = portaudio()
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"PortAudio cannot look for devices: {error}") from error


def list_devices() -> list[Device]:
    """All microphones; raises `MicrophoneError` where PortAudio is missing."""
    sounddevice = portaudio()
    chosen = sounddevice.default.device[0]
    hosts = sounddevice.query_hostapis()
    return [
        Device(
            index,
            found["name"],
            hosts[found["hostapi"]]["name"],
            found["max_input_channels"],
            round(found["default_samplerate"]),
            index == chosen,
        )
        for index, found in enumerate(sounddevice.query_devices())
        if found["max_input_channels"] > 0
    ]


def find_device(wanted: str | None, devices: list[Device]) -> Device:
    """The device of this name, or part of it, or number; the default where none is wanted.

    Raises:
        MicrophoneError: there is none, or several are as good.
    """
    if not devices:
        raise MicrophoneError(f"there is no microphone: plug one in{_permission()}")
    names = ", ".join(f"{device.index}: {device.name}" for device in devices)
    if wanted is None:
        return next((device for device in devices if device.default), devices[0])
    if wanted.isdecimal():
        found = [device for device in devices if device.index == int(wanted)]
    else:
        exact = [device for device in devices if device.name.lower() == wanted.lower()]
        part = [device for device in devices if wanted.lower() in device.name.lower()]
        found = exact or part
    # Windows shows each device once for every sound system.
    if not found or len({device.name for device in found}) > 1:
        what = f"{len(found)} microphones match" if found else "no microphone matches"
        raise MicrophoneError(f"{what} {wanted!r}; there are {names}")
    return next((device for device in found if device.default), found[0])


def _permission() -> str:
    if sys.platform == "darwin":
        return ", or allow this terminal to use it (System Settings, Privacy, Microphone)"
    if sys.platform == "win32":
        return ", or allow desktop apps to use it (Settings, Privacy, Microphone)"
    return ", start the sound server, or become a member of the group audio"
