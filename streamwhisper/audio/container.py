"""Streaming decoder of audio containers (WebM, Ogg, MP3, WAV, FLAC, ...).

PyAV pulls bytes, but a stream pushes them. A worker thread therefore runs PyAV: `Feed` passes it
bytes, and pauses it while its audio waits to be taken.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, Protocol

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from streamwhisper.audio.channels import Mixer
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.feed import Error, Feed, FeedClosed
from streamwhisper.audio.formats import bounded
from streamwhisper.audio.limits import DecodingBudget
from streamwhisper.audio.steps import STEP_SECONDS, StepDecoder
from streamwhisper.errors import AudioFormatError

__all__ = ["ContainerDecoder", "Resampler", "decode_container"]

log = logging.getLogger(__name__)

_MAX_DAMAGED = 8  # damaged packets in a row
_CLOSE_SECONDS = 0.05  # a thread that takes longer, e.g. for a large index, ends by itself
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


class ContainerDecoder(StepDecoder):
    """Decoder of a container stream, cut anywhere; see `StepDecoder`."""

    def __init__(self, target_rate: int = SAMPLE_RATE, *, channels: int | None = None) -> None:
        """Decode to `target_rate` (Hz).

        Args:
            target_rate: sample rate of the result (Hz).
            channels: required number of channels, returned interleaved; None mixes to mono.
        """
        super().__init__()
        self._feed = Feed(round(STEP_SECONDS * target_rate) * (channels or 1))
        self._thread = threading.Thread(
            target=_work,
            args=(self._feed, target_rate, channels),
            name="container-decoder",
            daemon=True,
        )
        self._warned = False
        # The thread only references the feed, so dropping the decoder ends it.
        weakref.finalize(self, self._feed.close)

    @property
    def more(self) -> bool:
        """True if there is audio to take, or will be, without further bytes."""
        return self._feed.more

    @property
    def ready(self) -> bool:
        """True if `take` returns all that it can."""
        return self._feed.ready

    def on_ready(self, notify: Callable[[], object]) -> None:
        """Have `notify` called, on another thread, whenever `ready` becomes true."""
        self._feed.notify = notify

    def wait(self) -> None:
        """Wait until `ready`."""
        self._feed.wait()

    def give(self, data: bytes) -> None:
        """Add the next bytes, and return at once."""
        if data and self._feed.ended and not self._warned:
            self._warned = True
            log.warning("ignored %d bytes and more after the end of the container", len(data))
        self._feed.give(data)
        if data and self._thread.ident is None:
            self._thread.start()

    def end(self) -> None:
        """Declare the end of the bytes; `take` returns the rest of the audio."""
        if self._thread.ident is None:
            self._feed.close()
        self._feed.finish()

    def take(self) -> NDArray[np.float32]:
        """Return the next audio, float32 ``[n]`` within ±1, at most `STEP_SECONDS`.

        Raises:
            AudioFormatError: the data cannot be read; every later call raises again.
        """
        return self._feed.take()

    def close(self) -> None:
        """End the thread after its current frame, and free all resources."""
        self._feed.close()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)


def _work(feed: Feed, rate: int, channels: int | None) -> None:
    """Pull bytes from `feed` through the decoder until either ends."""
    error: Error | None = None
    try:
        with closing(decode_container(feed, rate, live=True, channels=channels)) as chunks:
            for samples in chunks:
                feed.put(samples)
    except FeedClosed:
        pass
    except AudioFormatError as raised:
        error = AudioFormatError, str(raised)
    except Exception as raised:  # outermost level of a thread; the caller raises it
        log.exception("the decoder failed")
        error = RuntimeError, f"the decoder failed with {type(raised).__name__}: {raised}"
    feed.end(error)
