"""A microphone that may be lost and come back.

PortAudio says little: a device that is unplugged or a sound server that dies ends the stream
without an error, a source that is suspended just goes quiet. So the clock of the callback is
watched, and whatever is wrong, the stream is opened afresh.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.dictation.devices import (
    Device,
    MicrophoneError,
    find_device,
    list_devices,
    look_again,
    portaudio,
)

__all__ = ["Capture", "Microphone", "MicrophoneOptions"]

_BLOCK = 0.1  # seconds between two callbacks
_LAST = 0.25  # seconds that the last words may be on their way when listening ends
Samples = NDArray[np.float32]
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MicrophoneOptions:
    """What to listen to; times in seconds.

    Attributes:
        device: a name, part of one, or a number; None: the system's default.
        backlog: how much sound is kept while nobody takes it, as when the model loads.
        quiet: a stream that brings nothing for so long is given up.
        retry: between two tries to open it again.
    """

    device: str | None = None
    backlog: float = 300.0
    quiet: float = 2.0
    retry: float = 1.0


class Capture:
    """One open stream. Its callback only copies."""

    def __init__(self, device: Device, backlog: float, wake: Callable[[], None]) -> None:
        """Open and start the stream; blocks for some milliseconds.

        Args:
            device: what to listen to, at 16 kHz where it can do that and else at its own rate.
            backlog: seconds that are kept; what comes when it is full is counted and dropped.
            wake: called, from a thread of PortAudio's, when there is something to take.

        Raises:
            MicrophoneError: it cannot be opened.
        """
        self.device = device
        self.lost = 0.0  # seconds that found no room
        self.overflows = 0  # times that the system had no room, for an unknown time
        self.heard_at = time.monotonic()
        self._blocks: deque[bytes] = deque()
        self._most = round(backlog / _BLOCK)
        self._wake = wake
        sounddevice = portaudio()
        rate, channels = self._choose(sounddevice)
        self._decoder = AudioDecoder(AudioFormat("pcm_f32le", rate, channels), SAMPLE_RATE)
        try:
            self._stream = sounddevice.RawInputStream(
                rate,
                round(rate * _BLOCK),
                device.index,
                channels,
                "float32",
                callback=self._hear,
                finished_callback=wake,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise MicrophoneError(f"{device.name} cannot be opened: {error}") from error

    @property
    def alive(self) -> bool:
        """Whether PortAudio says that it runs."""
        return bool(self._stream.active)

    def take(self) -> Samples:
        """What came since the last call: float32 ``[n]`` at 16 kHz."""
        blocks = [self._blocks.popleft() for _ in range(len(self._blocks))]
        return self._decoder.decode(b"".join(blocks))

    def close(self) -> None:
        """Close the stream; what was captured may still be taken."""
        with contextlib.suppress(portaudio().PortAudioError):  # it is lost: no more can be done
            self._stream.close()

    def _hear(self, sound: Any, frames: int, _: object, status: Any) -> None:
        self.heard_at = time.monotonic()
        self.overflows += bool(status.input_overflow)
        if len(self._blocks) < self._most:
            self._blocks.append(bytes(sound))
        else:
            self.lost += _BLOCK
        self._wake()

    def _choose(self, sounddevice: Any) -> tuple[int, int]:
        """The first rate and count of channels that the device takes."""
        own, refusal = self.device, ""
        ways = [(SAMPLE_RATE, 1), (own.sample_rate, 1), (own.sample_rate, own.channels)]
        for rate, channels in ways:
            try:
                sounddevice.check_input_settings(own.index, channels, "float32", None, rate)
            except sounddevice.PortAudioError as error:
                refusal = str(error)
            else:
                return rate, channels
        raise MicrophoneError(f"{own.name} cannot be opened: {refusal}")


class Microphone:
    """Sound from now until `stop`, over losses of the device and of the sound server."""

    def __init__(self, options: MicrophoneOptions, notice: Notice) -> None:
        """Say what to listen to; `notice` is told of losses and returns, for people."""
        self.options = options
        self._notice = notice
        self._capture: Capture | None = None
        self._news = asyncio.Event()
        self._stopped = False

    async def open(self) -> Device:
        """Begin to listen; sound is kept from here on.

        Raises:
            MicrophoneError: it cannot be opened.
        """
        self._capture = await asyncio.to_thread(self._open, asyncio.get_running_loop())
        return self._capture.device

    async def stop(self) -> None:
        """Hear out what is on its way, then have the iteration end."""
        await asyncio.sleep(_LAST)
        self._stopped = True
        self._news.set()

    async def close(self) -> None:
        """Let go of the device."""
        if self._capture is not None:
            await asyncio.to_thread(self._capture.close)

    async def __aiter__(self) -> AsyncIterator[Samples | None]:
        """Sound as it comes: float32 ``[n]`` at 16 kHz; None where some is missing."""
        while True:
            capture = self._capture
            if capture is None:
                raise MicrophoneError("the microphone is not open; open it first")
            self._news.clear()
            sound = capture.take()
            if len(sound):
                yield sound
            if self._say_what_is_missing(capture):
                yield None
            if self._stopped:
                return
            silence = time.monotonic() - capture.heard_at
            if capture.alive and silence < self.options.quiet:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.options.quiet - silence + 0.01):
                        await self._news.wait()
                continue
            yield None
            await self._come_back(capture)

    def _say_what_is_missing(self, capture: Capture) -> bool:
        lost, overflows = capture.lost, capture.overflows
        capture.lost, capture.overflows = 0.0, 0
        if lost:
            self._notice(f"{lost:.1f} s of speech are lost: this machine is too slow for the model")
        elif overflows:
            self._notice("some sound is lost: the system was too busy to hand it over")
        return bool(lost or overflows)

    async def _come_back(self, lost: Capture) -> None:
        """Wait for the microphone and open it again; it is back once sound comes."""
        self._notice(f"the microphone ({lost.device.name}) is gone; waiting for it")
        loop, name = asyncio.get_running_loop(), lost.device.name
        await asyncio.to_thread(lost.close)
        while not self._stopped:
            try:
                capture = await asyncio.to_thread(self._open_afresh, loop)
            except MicrophoneError:
                await self._pause()
                continue
            opened = capture.heard_at
            until = time.monotonic() + self.options.quiet
            # The callback runs in a thread of PortAudio: a field is all that it may set.
            while capture.alive and capture.heard_at == opened and time.monotonic() < until:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            self._capture = capture
            if capture.heard_at > opened:
                name = capture.device.name
                self._notice(f"the microphone ({name}) is back")
                return
            await asyncio.to_thread(capture.close)
            await self._pause()

    async def _pause(self) -> None:
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.options.retry):
                await self._news.wait()

    def _open_afresh(self, loop: asyncio.AbstractEventLoop) -> Capture:
        look_again()
        return self._open(loop)

    def _open(self, loop: asyncio.AbstractEventLoop) -> Capture:
        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(self._news.set)

        device = find_device(self.options.device, list_devices())
        return Capture(device, self.options.backlog, wake)
