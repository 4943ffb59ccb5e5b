"""Streaming decoder of audio containers (WebM, Ogg, MP3, WAV, FLAC, ...).

PyAV pulls bytes, but a stream pushes them. A worker thread therefore runs PyAV in lock-step: the
caller passes bytes and waits until the thread asks for more. The two never run at the same time, so
the result of `decode` depends only on the bytes.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, NoReturn, Protocol

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from streamwhisper.audio.channels import Mixer
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import bounded
from streamwhisper.audio.limits import DecodingBudget
from streamwhisper.errors import AudioFormatError

__all__ = ["ContainerDecoder", "Resampler", "decode_container"]

log = logging.getLogger(__name__)

_MAX_SECONDS = 1800  # of audio from one call; a few bytes of FLAC can claim hours of silence
_MAX_DAMAGED = 8  # damaged packets in a row
# Playlists and scripts are left out: they would make the decoder open other files and addresses.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,matroska,webm,mov,mp4,m4a,mp3,"
    "mpc,mpc8,mpeg,mpegts,ogg,rm,tta,voc,w64,wav,wv"
)
# Probe little before the first audio, and read WAV in small packets. Not "fflags": "nobuffer",
# which discards the probed audio. (FFmpeg always probes 64 KiB of PCM WAV.)
_LIVE = {
    "probesize": "2048",
    "analyzeduration": "0",
    "formatprobesize": "4096",
    "max_size": "1024",
}
# Accept audio whose tags are badly encoded; PyAV 19 and later always do.
_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__[:2]) < 19 else {}


class Source(Protocol):
    """Byte source of PyAV."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


def decode_container(
    source: str | Source,
    sample_rate: int,
    *,
    live: bool = False,
    channels: int | None = None,
    channel: int | None = None,
) -> Generator[NDArray[np.float32], None, None]:
    """Decode the first audio stream of a file or a byte source.

    Args:
        source: a path, or an object to read from.
        sample_rate: sample rate of the result (Hz).
        live: probe as little as possible, so that decoding starts at once.
        channels: required number of channels, which stay separate; None mixes any number to mono.
        channel: the only channel to use, counted from 1; None mixes all (see `Mixer`).

    Yields:
        float32 ``[n]`` within ±1, in order: mono, or the channels interleaved.

    Raises:
        AudioFormatError: the data is not a container, has no audio, is damaged, or claims more than
            `DecodingLimits` allow.
    """
    options = {"format_whitelist": _DEMUXERS, **(_LIVE if live else {})}
    try:
        with av.open(source, "r", options=options, **_TAGS) as container:
            if not container.streams.audio:
                kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
                raise AudioFormatError(
                    f"no audio in this {container.format.long_name} data, only {kinds}"
                )
            resampler = Resampler(sample_rate, channels, channel)
            budget = DecodingBudget()
            damaged, decoded = 0, 0
            for packet in container.demux(container.streams.audio[0]):
                budget.count(packet.size)
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    damaged += 1
                    if damaged >= _MAX_DAMAGED:
                        raise
                    log.warning("skipped a damaged packet of %d bytes", packet.size)
                    continue
                for frame in frames:
                    damaged, decoded = 0, decoded + 1
                    budget.check(frame)
                    yield from resampler.convert(frame)
            yield from resampler.flush()
            if not decoded:
                raise AudioFormatError(
                    f"no audio could be decoded from this {container.format.long_name} data"
                )
    except av.error.FFmpegError as error:
        raise AudioFormatError(
            f"the audio cannot be read ({error.strerror or error}); expected WebM, Ogg, MP3, "
            "WAV, FLAC, MP4 (fragmented, when streamed) or another audio container; "
            "for raw samples, declare the encoding"
        ) from error


class Resampler:
    """Resampler of frames to float32; restarts when their format changes."""

    def __init__(
        self, sample_rate: int, channels: int | None = None, channel: int | None = None
    ) -> None:
        """Resample to `sample_rate` (Hz).

        Args:
            sample_rate: sample rate of the result (Hz).
            channels: required number of channels, returned interleaved; None mixes to mono.
            channel: the only channel to use, counted from 1; None mixes all (see `Mixer`).
        """
        self._rate = sample_rate
        self._channels = channels
        self._channel = channel
        self._seen: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._mixer: Mixer | None = None

    def convert(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Yield the complete samples, float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the frame has another number of channels.
        """
        count = frame.layout.nb_channels
        if self._channels not in (None, count):
            raise AudioFormatError(
                f"the audio has {count} channels, but channels is {self._channels}"
            )
        seen = (frame.format.name, frame.layout.name, frame.sample_rate)
        if seen != self._seen:
            yield from self.flush()
            self._resampler = AudioResampler(
                format="flt", layout=frame.layout.name, rate=self._rate
            )
            if self._channels is None:
                self._mixer = Mixer(count, self._rate, self._channel)
            self._seen = seen
        yield from self._resample(frame)

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples that resampler and mixer hold back."""
        yield from self._resample(None)
        if self._mixer is not None:
            yield self._mixer.finish()

    def _resample(self, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        if self._resampler is not None:
            for resampled in self._resampler.resample(frame):
                samples = bounded(resampled.to_ndarray().astype(np.float32, copy=False))
                if self._mixer is None:
                    yield samples.reshape(-1)
                else:
                    yield self._mixer.mix(samples.reshape(-1, resampled.layout.nb_channels))


class ContainerDecoder:
    """Decoder of a container stream, cut anywhere, to float32.

    Has the methods of `AudioDecoder`; `close` frees resources early.
    """

    def __init__(self, target_rate: int = SAMPLE_RATE, *, channels: int | None = None) -> None:
        """Decode to `target_rate` (Hz).

        Args:
            target_rate: sample rate of the result (Hz).
            channels: required number of channels, returned interleaved; None mixes to mono.
        """
        self._feed = _Feed(target_rate * _MAX_SECONDS * (channels or 1))
        self._thread = threading.Thread(
            target=_work,
            args=(self._feed, target_rate, channels),
            name="container-decoder",
            daemon=True,
        )
        # The thread only references the feed, so dropping the decoder ends it.
        weakref.finalize(self, self._feed.finish)

    def decode(self, data: bytes | bytearray | memoryview) -> NDArray[np.float32]:
        """Decode the next bytes: float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the data cannot be read; every later call raises again.
        """
        if len(data):
            if self._thread.ident is None:
                self._thread.start()
                self._feed.wait()
            self._feed.give(bytes(data))
        return self._feed.take()

    def finish(self) -> NDArray[np.float32]:
        """Return the rest of the audio, float32 ``[n]``, and end the stream.

        Raises:
            AudioFormatError: the data cannot be read to its end. A second call returns the audio
                before the damage.
        """
        if self._thread.ident is None:
            return np.zeros(0, dtype=np.float32)
        self._feed.finish()
        self._thread.join()
        self._feed.check()
        return self._feed.take()

    def close(self) -> None:
        """End the thread and free all resources."""
        self._feed.finish()
        if self._thread.is_alive():
            self._thread.join()


def _work(feed: _Feed, rate: int, channels: int | None) -> None:
    """Pull bytes from `feed` through the decoder until either ends."""
    error: Error | None = None
    try:
        with closing(decode_container(feed, rate, live=True, channels=channels)) as chunks:
            for samples in chunks:
                feed.put(samples)
    except AudioFormatError as raised:
        error = AudioFormatError, str(raised)
    except Exception as raised:  # outermost level of a thread; the caller raises it
        log.exception("the decoder failed")
        error = RuntimeError, f"the decoder failed with {type(raised).__name__}: {raised}"
    feed.end(error)


Error = tuple[type[Exception], str]
"""Type and message of an error. The exception itself would keep the decoder alive forever, because
the decoder's finalizer references the feed, and the feed the error."""


class _Feed:
    """Exchange between caller and worker thread; each waits while the other runs."""

    def __init__(self, max_samples: int) -> None:
        self._turn = threading.Condition()
        self._data = b""
        self._finished = False  # no more bytes will come
        self._idle = False  # the worker waits for bytes, or has ended
        self._ended = False
        self._error: Error | None = None
        self._raised = False  # the caller got the error
        self._samples: list[NDArray[np.float32]] = []
        self._room = self._max_samples = max_samples

    def give(self, data: bytes) -> None:
        """Pass bytes to the worker and wait until they are consumed."""
        with self._turn:
            if self._ended:
                if self._error is None:
                    log.warning("ignored %d bytes after the end of the container", len(data))
                return
            self._data += data
            self._idle = False
            self._turn.notify_all()
        self.wait()

    def wait(self) -> None:
        """Wait until the worker asks for bytes or ends."""
        with self._turn:
            self._turn.wait_for(lambda: self._idle)

    def take(self) -> NDArray[np.float32]:
        """Return the audio since the last call; without any, raise the worker's error."""
        with self._turn:
            samples, self._samples = self._samples, []
            self._room = self._max_samples
            if not samples and self._error is not None:
                self._raise(self._error)
        return np.concatenate(samples) if samples else np.zeros(0, dtype=np.float32)

    def check(self) -> None:
        """Raise the worker's error, unless it was raised before."""
        if self._error is not None and not self._raised:
            self._raise(self._error)

    def finish(self) -> None:
        """End the input; the worker decodes the rest."""
        with self._turn:
            self._finished = True
            self._turn.notify_all()

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes to the worker; none at the end."""
        with self._turn:
            if not self._data and not self._finished:
                self._idle = True
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._data or self._finished)
                self._idle = False
            data, self._data = self._data[:size], self._data[size:]
            return data

    def put(self, samples: NDArray[np.float32]) -> None:
        """Add decoded audio of the worker.

        Raises:
            AudioFormatError: the bytes of one call contain too much audio.
        """
        with self._turn:
            self._room -= len(samples)
            if self._room < 0:
                raise AudioFormatError(
                    f"a piece of data holds more than {_MAX_SECONDS} s of audio; "
                    "send it in smaller pieces"
                )
            self._samples.append(samples)

    def _raise(self, error: Error) -> NoReturn:
        self._raised = True
        kind, message = error
        raise kind(message)

    def end(self, error: Error | None) -> None:
        """Mark the worker as ended."""
        with self._turn:
            self._error = error
            self._ended = self._idle = True
            self._data = b""
            self._turn.notify_all()
