"""Choice of the channels that are opened of a microphone.

A device of its own, e.g. an audio interface, has as many channels as PortAudio reports. The devices
of a sound server accept any number: they map the source's channels to it by position, and average
or drop what has no place. So the server is asked for the positions.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from streamwhisper.audio.channels import MAX_CHANNELS
from streamwhisper.dictation.devices import Device
from streamwhisper.dictation.tools import ToolError, run_tool

__all__ = ["Layout", "layouts"]

_OF_A_SERVER = {"default", "pulse", "pipewire", "sysdefault"}
_POSITIONS = (
    *("front-left", "front-right", "rear-left", "rear-right"),
    *("front-center", "lfe", "side-left", "side-right"),
    *(f"aux{number}" for number in range(24)),
)
"""Positions of the 32 channels of PulseAudio's ALSA device, in order."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Channels to open.

    Attributes:
        opened: number of channels of the stream.
        used: index of each channel of the microphone in the stream; None: it is not in it.
    """

    opened: int
    used: tuple[int | None, ...]


MONO = Layout(1, (0,))


def layouts(device: Device) -> list[Layout]:
    """Return the layouts to try, best first."""
    count = min(device.channels, MAX_CHANNELS)
    own = Layout(count, tuple(range(count)))
    if device.name not in _OF_A_SERVER:
        return [own, MONO]
    of_the_server = _of_the_server(device)
    return [*([of_the_server] if of_the_server else []), MONO, own]


def _of_the_server(device: Device) -> Layout | None:
    """Return the layout of the sound server's source; None if there is no server to ask."""
    try:
        info = run_tool(["pactl", "info"]).out.decode(errors="replace")
        listed = run_tool(["pactl", "list", "sources"]).out.decode(errors="replace")
    except ToolError:
        return None
    name = os.environ.get("PULSE_SOURCE") or _value("Default Source", info)
    source = next((each for each in listed.split("\n\n") if _value("Name", each) == name), "")
    positions = _value("Channel Map", source).split(",")
    count = len(positions)
    if count == 1:
        return MONO
    # PulseAudio's device drops channels without a place among those that are opened.
    if "PipeWire" not in _value("Server Name", info) and device.channels == len(_POSITIONS):
        index = {position: at for at, position in enumerate(_POSITIONS)}
        return Layout(device.channels, tuple(map(index.get, positions)))
    return Layout(count, tuple(range(count))) if count <= device.channels else None


def _value(field: str, text: str) -> str:
    found = re.search(rf"^\s*{field}: (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
