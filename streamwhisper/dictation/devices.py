"""Microphones of this machine, through PortAudio."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

from streamwhisper.errors import StreamWhisperError

__all__ = ["Device", "MicrophoneError", "find_device", "list_devices", "look_again", "portaudio"]


class MicrophoneError(StreamWhisperError, OSError):
    """No microphone, or one that cannot be opened."""


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone.

    Attributes:
        index: PortAudio's number; it changes when devices come and go.
        name: name of the device.
        host: sound system, e.g. ``"ALSA"``.
        channels: maximum number of channels.
        sample_rate: default sample rate in hertz.
        default: whether it is the system's default.
    """

    index: int
    name: str
    host: str
    channels: int
    sample_rate: int
    default: bool


def portaudio() -> ModuleType:
    """Return the sounddevice module; raise `MicrophoneError` if PortAudio is missing."""
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
    """Make PortAudio look for devices again; no stream may be open."""
    sounddevice = portaudio()
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"PortAudio cannot look for devices: {error}") from error


def list_devices() -> list[Device]:
    """Return all microphones; raise `MicrophoneError` if PortAudio is missing."""
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
    """Return a device by name, part of its name or number; by default the system's default.

    Raises:
        MicrophoneError: no device matches, or several do.
    """
    if not devices:
        raise MicrophoneError(f"no microphone found: plug one in{_permission()}")
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
        raise MicrophoneError(f"{what} {wanted!r}; available: {names}")
    return next((device for device in found if device.default), found[0])


def _permission() -> str:
    if sys.platform == "darwin":
        return ", or allow this terminal to use it (System Settings, Privacy, Microphone)"
    if sys.platform == "win32":
        return ", or allow desktop apps to use it (Settings, Privacy, Microphone)"
    return ", start the sound server, or add your user to the group audio"
