"""Sound inside a container (WebM, Ogg, MP3, WAV, FLAC, ...), decoded while its bytes arrive.

PyAV pulls bytes where a stream pushes them, so a worker thread runs it in lock-step: the caller
hands over bytes and waits until the thread has used them up and asks for more. The two never
run at the same time, so what `decode` returns depends on nothing but the bytes.
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

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import bounded
from streamwhisper.errors import AudioFormatError

__all__ = ["ContainerDecoder", "Resampler", "decode_container"]

log = logging.getLogger(__name__)

_MAX_SECONDS = 1800  # of sound from one call: a few bytes of FLAC may claim hours of silence
_MAX_DAMAGED = 8  # damaged packets in a row
# Playlists and scripts are left out: they would make the decoder open other files and addresses.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,matroska,webm,mov,mp4,m4a,mp3,"
    "mpc,mpc8,mpeg,mpegts,ogg,rm,tta,voc,w64,wav,wv"
)
# Look at little before the first sound, and take WAV in small packets. Not "fflags": "nobuffer",
# which throws away the sound that was looked at. (FFmpeg reads 64 KiB of any PCM WAV beforehand.)
_LIVE = {
    "probesize": "2048",
    "analyzeduration": "0",
    "formatprobesize": "4096",
    "max_size": "1024",
}
# Tags in a foreign or broken spelling are no reason to refuse the sound; since PyAV 19 none are.
_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__[:2]) < 19 else {}


class Source(Protocol):
    """What PyAV pulls from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


def decode_container(
    source: str | Source, sample_rate: int, *, live: bool = False, channels: int | None = None
) -> Generator[NDArray[np.float32], None, None]:
    """Decode the first audio stream of a file or a byte source.

    Args:
        source: a path, or an object to read from.
        sample_rate: of the result, in hertz.
        live: probe as little as will do, so that the sound starts at once.
        channels: that must be there, and are left as they are; None: they are mixed.

    Yields:
        float32 ``[n]`` within ±1, in order: mono, or the channels interleaved.

    Raises:
        AudioFormatError: not a container, no sound in it, or damaged beyond reading.
    """
    options = {"format_whitelist": _DEMUXERS, **(_LIVE if live else {})}
    try:
        with av.open(source, "r", options=options, **_TAGS) as container:
            if not container.streams.audio:
                kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
                raise AudioFormatError(
                    f"no sound in this {container.format.long_name} data, only {kinds}"
                )
            resampler = Resampler(sample_rate, channels)
            damaged, decoded = 0, 0
            for packet in container.demux(container.streams.audio[0]):
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
                    yield from resampler.convert(frame)
            yield from resampler.flush()
            if not decoded:
                raise AudioFormatError(
                    f"no sound could be decoded from this {container.format.long_name} data"
                )
    except av.error.FFmpegError as error:
        raise AudioFormatError(
            f"the sound cannot be read ({error.strerror or error}); expected WebM, Ogg, MP3, "
            "WAV, FLAC, MP4 (fragmented, when streamed) or another sound container; "
            "raw samples need their encoding declared"
        ) from error


class Resampler:
    """Resamples frames to float32, starting anew when their format changes midway."""

    def __init__(self, sample_rate: int, channels: int | None = None) -> None:
        """Resample to `sample_rate` hertz, to mono or to as many interleaved channels as there are.

        Args:
            channels: that must be there; None: they are mixed.
        """
        self._rate = sample_rate
        self._channels = channels
        self._seen: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def convert(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Sound that is complete: float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: it has another number of channels.
        """
        if self._channels not in (None, frame.layout.nb_channels):
            raise AudioFormatError(
                f"the sound has {frame.layout.nb_channels} channels, {self._channels} were "
                "announced; check channels"
            )
        seen = (frame.format.name, frame.layout.name, frame.sample_rate)
        if seen != self._seen:
            yield from self.flush()
            layout = "mono" if self._channels is None else frame.layout.name
            self._resampler = AudioResampler(format="flt", layout=layout, rate=self._rate)
            self._seen = seen
        yield from self._resample(frame)

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """What was held back."""
        yield from self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        if self._resampler is not None:
            for resampled in self._resampler.resample(frame):
                yield bounded(resampled.to_ndarray().astype(np.float32, copy=False).reshape(-1))


class ContainerDecoder:
    """Turns the bytes of a container into float32 at `target_rate`, cut anywhere.

    The same calls as `AudioDecoder`, and `close` to let go early.
    """

    def __init__(self, target_rate: int = SAMPLE_RATE, *, channels: int | None = None) -> None:
        """Decode to `target_rate` hertz.

        Args:
            channels: that must be there, and come interleaved; None: they are mixed.
        """
        self._feed = _Feed(target_rate * _MAX_SECONDS * (channels or 1))
        self._thread = threading.Thread(
            target=_work,
            args=(self._feed, target_rate, channels),
            name="container-decoder",
            daemon=True,
        )
        # The thread knows the feed alone: a decoder that is dropped ends it.
        weakref.finalize(self, self._feed.finish)

    def decode(self, data: bytes | bytearray | memoryview) -> NDArray[np.float32]:
        """Decode the next bytes: float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the data cannot be read; every later call says so again.
        """
        if len(data):
            if self._thread.ident is None:
                self._thread.start()
                self._feed.wait()
            self._feed.give(bytes(data))
        return self._feed.take()

    def finish(self) -> NDArray[np.float32]:
        """The rest of the sound: float32 ``[n]``. The decoder is done then.

        Raises:
            AudioFormatError: the data cannot be read to its end. A second call returns what
                could be read.
        """
        if self._thread.ident is None:
            return np.zeros(0, dtype=np.float32)
        self._feed.finish()
        self._thread.join()
        self._feed.check()
        return self._feed.take()

    def close(self) -> None:
        """End the thread and let go of everything."""
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
    except Exception as raised:  # outermost loop of a worker: the caller raises it
        log.exception("the decoder failed")
        error = RuntimeError, f"the decoder failed with {type(raised).__name__}: {raised}"
    feed.end(error)


Error = tuple[type[Exception], str]
"""Not the exception: its traceback would keep decoder, codec and resampler alive for ever, for
the finalizer of the decoder knows the feed, and the feed the error."""


class _Feed:
    """Where caller and worker meet. Either waits while the other runs."""

    def __init__(self, max_samples: int) -> None:
        self._turn = threading.Condition()
        self._data = b""
        self._finished = False  # no more bytes will come
        self._idle = False  # the worker waits for bytes, or has ended
        self._ended = False
        self._error: Error | None = None
        self._told = False  # the caller knows the error
        self._samples: list[NDArray[np.float32]] = []
        self._room = self._max_samples = max_samples

    def give(self, data: bytes) -> None:
        """Hand over bytes and wait until they are used up."""
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
        """What was decoded since the last call; the worker's error when that is all there is."""
        with self._turn:
            samples, self._samples = self._samples, []
            self._room = self._max_samples
            if not samples and self._error is not None:
                self._raise(self._error)
        return np.concatenate(samples) if samples else np.zeros(0, dtype=np.float32)

    def check(self) -> None:
        """Raise the worker's error, unless that was done before."""
        if self._error is not None and not self._told:
            self._raise(self._error)

    def finish(self) -> None:
        """No more bytes will come."""
        with self._turn:
            self._finished = True
            self._turn.notify_all()

    def read(self, size: int) -> bytes:
        """The worker pulls at most `size` bytes; none at the end."""
        with self._turn:
            if not self._data and not self._finished:
                self._idle = True
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._data or self._finished)
                self._idle = False
            data, self._data = self._data[:size], self._data[size:]
            return data

    def put(self, samples: NDArray[np.float32]) -> None:
        """The worker adds sound.

        Raises:
            AudioFormatError: one call's bytes hold more than is reasonable.
        """
        with self._turn:
            self._room -= len(samples)
            if self._room < 0:
                raise AudioFormatError(
                    f"a piece of data holds more than {_MAX_SECONDS} s of sound; "
                    "send it in smaller pieces"
                )
            self._samples.append(samples)

    def _raise(self, error: Error) -> NoReturn:
        self._told = True
        kind, message = error
        raise kind(message)

    def end(self, error: Error | None) -> None:
        """The worker is done."""
        with self._turn:
            self._error = error
            self._ended = self._idle = True
            self._data = b""
            self._turn.notify_all()
