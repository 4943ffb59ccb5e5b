"""Microphone that survives the loss of the device and of the sound server.

PortAudio reports little: an unplugged device or a dead sound server ends the stream without an
error, and a suspended source only goes quiet. A watchdog on the callback therefore detects all
failures, and the stream is opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.dictation.channels import Layout, layouts
from streamwhisper.dictation.devices import (
    Device,
    MicrophoneError,
    find_device,
    list_devices,
    look_again,
    portaudio,
)
from streamwhisper.errors import AudioFormatError

__all__ = ["Capture", "Microphone", "MicrophoneOptions"]

_BLOCK = 0.1  # seconds between two callbacks
_LAST = 0.25  # seconds that the last audio may take to arrive
Samples = NDArray[np.float32]
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MicrophoneOptions:
    """Options of the microphone: device, and handling of its loss; times in seconds.

    Attributes:
        device: name, part of a name, or number; None: the system's default.
        backlog: audio kept while it is not taken, e.g. while the model loads.
        quiet: time without data after which the stream is opened again.
        retry: time between two attempts to open it again.
        channel: the only channel to use, counted from 1; None mixes those that carry audio.

    Raises:
        MicrophoneError: the channel is less than 1.
    """

    device: str | None = None
    backlog: float = 300.0
    quiet: float = 2.0
    retry: float = 1.0
    channel: int | None = None

    def __post_init__(self) -> None:
        if self.channel is not None and self.channel < 1:
            raise MicrophoneError(f"channel is {self.channel}; expected 1 or more")


class Capture:
    """Open input stream. Its callback mixes audio to 16 kHz mono, which is kept until taken."""

    def __init__(
        self,
        device: Device,
        backlog: float,
        wake: Callable[[], None],
        channel: int | None = None,
    ) -> None:
        """Open and start the stream; blocks for some milliseconds.

        Args:
            device: microphone; opened at 16 kHz if possible, otherwise at its own rate.
            backlog: seconds of audio that are kept; further audio is counted and dropped.
            wake: called from a thread of PortAudio when audio is available.
            channel: the only channel to use, counted from 1; None mixes those that carry audio.

        Raises:
            MicrophoneError: the device cannot be opened, or has no such channel.
        """
        self.device = device
        self.lost = 0.0  # seconds of audio dropped for lack of room
        self.overflows = 0  # drops by the system, of unknown length
        self.received_at = time.monotonic()
        self._blocks: deque[Samples] = deque()
        self._most = round(backlog / _BLOCK)
        self._wake = wake
        self._stream = self._open(portaudio(), channel)

    @property
    def alive(self) -> bool:
        """True if PortAudio reports the stream as active."""
        return bool(self._stream.active)

    def take(self) -> Samples:
        """Return the audio since the last call: float32 ``[n]`` at 16 kHz."""
        blocks = [self._blocks.popleft() for _ in range(len(self._blocks))]
        return np.concatenate([np.zeros(0, np.float32), *blocks])

    def close(self) -> None:
        """Close the stream; captured audio may still be taken."""
        with contextlib.suppress(portaudio().PortAudioError):  # the device is lost
            self._stream.close()

    def _receive(self, data: Any, frames: int, _: object, status: Any) -> None:
        self.received_at = time.monotonic()
        self.overflows += bool(status.input_overflow)
        if len(self._blocks) < self._most:
            samples = np.frombuffer(data, "<f4").reshape(-1, self._opened)
            self._blocks.append(self._decoder.decode(samples[:, self._used].tobytes()))
        else:
            self.lost += _BLOCK
        self._wake()

    def _open(self, sounddevice: Any, channel: int | None) -> Any:
        """Start and return a stream with the first channels and sample rate that work."""
        own, refusal = self.device, ""
        known = layouts(own)
        possible = [each for each in known if (channel or 1) <= len(each.used)]
        if not possible:
            count = max(len(each.used) for each in known)
            raise MicrophoneError(
                f"channel is {channel}, but {own.name} has {count}; expected 1 to {count}"
            )
        for layout, rate in product(possible, (SAMPLE_RATE, own.sample_rate)):
            self._opened, self._used = layout.opened, _used(layout, channel)
            try:
                sounddevice.check_input_settings(own.index, layout.opened, "float32", None, rate)
                self._decoder = AudioDecoder(AudioFormat("pcm_f32le", rate, len(self._used)))
                stream = sounddevice.RawInputStream(
                    rate,
                    round(rate * _BLOCK),
                    own.index,
                    layout.opened,
                    "float32",
                    callback=self._receive,
                    finished_callback=self._wake,
                )
                stream.start()
            except (sounddevice.PortAudioError, AudioFormatError) as error:
                refusal = str(error)
            else:
                return stream
        raise MicrophoneError(f"{own.name} cannot be opened: {refusal}")


def _used(layout: Layout, channel: int | None) -> list[int]:
    """Return the indices of the channels to mix."""
    used = [at for at in layout.used if at is not None]
    if channel is None:  # a channel without a place is mixed into others
        return used if len(used) == len(layout.used) else list(range(layout.opened))
    chosen = layout.used[channel - 1]
    if chosen is None:
        raise MicrophoneError(
            f"the sound server does not deliver channel {channel} by itself; choose the device "
            "itself with --microphone (see --list-devices)"
        )
    return [chosen]


class Microphone:
    """Audio from `open` to `stop`, across losses of the device and of the sound server."""

    def __init__(self, options: MicrophoneOptions, notice: Notice) -> None:
        """Prepare a microphone; `notice` receives messages for the user about losses."""
        self.options = options
        self._notice = notice
        self._capture: Capture | None = None
        self._changed = asyncio.Event()
        self._stopped = False

    async def open(self) -> Device:
        """Open the microphone; audio is kept from now on.

        Raises:
            MicrophoneError: the microphone cannot be opened.
        """
        self._capture = await asyncio.to_thread(self._open, asyncio.get_running_loop())
        return self._capture.device

    async def stop(self) -> None:
        """Wait for the last audio, then end the iteration."""
        await asyncio.sleep(_LAST)
        self._stopped = True
        self._changed.set()

    async def close(self) -> None:
        """Close the device."""
        if self._capture is not None:
            await asyncio.to_thread(self._capture.close)

    async def __aiter__(self) -> AsyncIterator[Samples | None]:
        """Iterate over chunks: float32 ``[n]`` at 16 kHz; None where audio is missing."""
        while True:
            capture = self._capture
            if capture is None:
                raise MicrophoneError("the microphone is not open; open it first")
            self._changed.clear()
            chunk = capture.take()
            if len(chunk):
                yield chunk
            if self._report_losses(capture):
                yield None
            if self._stopped:
                return
            silence = time.monotonic() - capture.received_at
            if capture.alive and silence < self.options.quiet:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.options.quiet - silence + 0.01):
                        await self._changed.wait()
                continue
            yield None
            await self._reopen(capture)

    def _report_losses(self, capture: Capture) -> bool:
        lost, overflows = capture.lost, capture.overflows
        capture.lost, capture.overflows = 0.0, 0
        if lost:
            self._notice(f"{lost:.1f} s of audio are lost: this machine is too slow for the model")
        elif overflows:
            self._notice("some audio is lost: the system was too busy to deliver it")
        return bool(lost or overflows)

    async def _reopen(self, lost: Capture) -> None:
        """Open the microphone again, until it delivers audio."""
        self._notice(f"Microphone {lost.device.name} is disconnected; waiting for it.")
        loop, name = asyncio.get_running_loop(), lost.device.name
        await asyncio.to_thread(lost.close)
        while not self._stopped:
            try:
                capture = await asyncio.to_thread(self._open_afresh, loop)
            except MicrophoneError:
                await self._pause()
                continue
            opened = capture.received_at
            until = time.monotonic() + self.options.quiet
            # The callback runs in a thread of PortAudio: a field is all that it may set.
            while capture.alive and capture.received_at == opened and time.monotonic() < until:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            self._capture = capture
            if capture.received_at > opened:
                name = capture.device.name
                self._notice(f"Microphone {name} is connected again.")
                return
            await asyncio.to_thread(capture.close)
            await self._pause()

    async def _pause(self) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.options.retry):
                await self._changed.wait()

    def _open_afresh(self, loop: asyncio.AbstractEventLoop) -> Capture:
        look_again()
        return self._open(loop)

    def _open(self, loop: asyncio.AbstractEventLoop) -> Capture:
        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._changed.set)

        device = find_device(self.options.device, list_devices())
        return Capture(device, self.options.backlog, wake, self.options.channel)
