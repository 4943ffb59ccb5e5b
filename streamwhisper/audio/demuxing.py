"""Reads one track of an audio or video container."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import Any, cast

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from streamwhisper.audio.damage import SkippedBytes
from streamwhisper.audio.limits import DecodingBudget
from streamwhisper.audio.opening import (
    Selection,
    Source,
    bytes_at,
    explain,
    open_container,
    select_track,
)
from streamwhisper.audio.resampling import Resampler
from streamwhisper.audio.timeline import TOLERANCE, ReadReport, Timeline
from streamwhisper.errors import AudioFormatError

__all__ = ["decode_container"]

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]

_MAX_DAMAGED = 8  # damaged packets before the first that can be decoded
# Raw streams of frames: their times are counted, so a gap does not show in them.
_COUNTED = (
    *("aac", "ac3", "amr", "amrnb", "amrwb", "dts", "dtshd", "eac3", "loas", "mlp", "mp3"),
    "truehd",
)


def decode_container(
    source: str | Source,
    sample_rate: int,
    *,
    live: bool = False,
    channels: int | None = None,
    selection: Selection | None = None,
    report: ReadReport | None = None,
) -> Generator[Samples, None, None]:
    """Decode one audio track of a file or a byte source.

    Every sample is at its place on the container's time line: holes are silence, and what repeats
    is left out (see `Timeline`).

    Args:
        source: a path, or an object to read from.
        sample_rate: sample rate of the result (Hz).
        live: probe as little as possible, so that decoding starts at once.
        channels: required number of channels, which stay separate; None mixes any number to mono.
        selection: track and channel; the default is the default track with its channels mixed.
        report: filled with what is found. Damage that ends the data is noted there; without a
            report it is an error.

    Yields:
        float32 ``[n]`` within ±1, in order: mono, or the channels interleaved. Nothing if the
        container declares that it holds no samples.

    Raises:
        AudioFormatError: the data is not a container, has no audio, has no such track or channel,
            is damaged, or claims more than `DecodingLimits` allow.
    """
    chosen = selection or Selection()
    try:
        with open_container(source, live=live) as container:
            reader = _TrackReader(
                container,
                select_track(container, chosen.track),
                Resampler(sample_rate, channels, chosen.channel),
                report,
                None if live else source,
            )
            yield from reader.read()
    except av.error.FFmpegError as error:
        raise AudioFormatError(explain(error, None if live else source)) from error


class _TrackReader:
    """Reader of one track of an open container."""

    def __init__(
        self,
        container: InputContainer,
        stream: AudioStream,
        resampler: Resampler,
        report: ReadReport | None,
        source: str | Source | None,
    ) -> None:
        self._container = container
        self._stream = stream
        self._resampler = resampler
        self._lenient = report is not None
        self._report = report = report or ReadReport()
        self._source = source  # to look at skipped bytes; None if it cannot be read twice
        self._counted = container.format.name in _COUNTED
        self._budget = DecodingBudget()
        self._line = Timeline()
        self._skipped = SkippedBytes()
        start: int | None = container.start_time
        self._start = None if start is None else start / av.time_base
        self._decoded = self._packets = 0
        self._failures: list[float] = []
        self._failed = False  # since the last frame
        report.tracks = len(container.streams.audio)
        report.track = 1 + container.streams.audio.index(stream)
        if report.tracks > 1:
            log.info("reading audio track %d of %d", report.track, report.tracks)

    def read(self) -> Iterator[Samples]:
        """Yield the samples of the track."""
        for packet in self._demuxed():
            self._budget.count(packet.size)
            if packet.stream.index != self._stream.index:
                self._skipped.others += packet.size
                self._begin(packet)
                continue
            self._begin(packet)
            for frame in self._frames(cast("Packet[AudioStream]", packet)):
                self._budget.check(frame)
                yield from self._place(frame)
        yield from self._resampler.flush()
        self._report_uncounted()
        if not self._decoded and not self._empty:
            raise AudioFormatError(
                f"no audio could be decoded from this {self._container.format.long_name} data"
            )

    def _demuxed(self) -> Iterator[Packet[Any]]:
        try:
            yield from self._container.demux()
        except av.error.FFmpegError:
            # The last frame of a raw stream may be cut off.
            if not (self._decoded and (self._lenient or self._counted)):
                raise
            self._report.broken = True

    @property
    def _empty(self) -> bool:
        """True if the container declares that the track has no samples."""
        declared = self._stream.duration or self._container.duration
        return not (self._packets or declared or self._counted)

    def _begin(self, packet: Packet[Any]) -> None:
        """Note the first time if the container declares no start."""
        if self._start is None and packet.pts is not None and packet.time_base:
            self._start = float(packet.pts * packet.time_base)

    def _frames(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        if packet.size:
            self._packets += 1
            lost = self._skipped.count(packet)
            if self._counted and self._decoded and lost > TOLERANCE and not self._is_tag():
                self._line.skip(lost)
        try:
            return packet.decode()
        except av.error.FFmpegError:
            if not (self._failures and self._decoded):  # only the first matters later
                self._failures.append(self._line.position)
                log.info("skipped a damaged packet of %d bytes", packet.size)
            if not self._decoded and len(self._failures) >= _MAX_DAMAGED:
                raise
            self._failed = True
            if self._counted and packet.pos is not None:
                self._skipped.end = packet.pos  # a part of it may be audio that is lost
            return []

    def _place(self, frame: AudioFrame) -> Iterator[Samples]:
        seconds = frame.samples / frame.sample_rate
        time = None if frame.time is None else frame.time - (self._start or 0.0)
        position = self._line.position
        silence = self._line.place(time, seconds)
        if silence is None:
            return
        if silence:
            self._budget.spend(silence)
            if self._decoded and (self._failed or self._skipped.explain(silence)):
                noted = self._report.note_damage(position, position + silence)
                if noted:  # a caller with a report says so in its own words
                    level = logging.INFO if self._lenient else logging.WARNING
                    log.log(level, "%.1f s at %.1f s could not be read", silence, position)
            yield from self._resampler.silence(silence)
        self._decoded += 1
        self._failed = False
        yield from self._resampler.convert(frame)
        self._report.end = self._line.position

    def _report_uncounted(self) -> None:
        """Report damage of raw frames that showed neither in times nor in positions."""
        if not (self._counted and self._decoded and self._failures) or self._report.damage:
            return
        lost = self._skipped.held_by(self._container.size - self._skipped.size)
        if lost > TOLERANCE:
            self._report.note_damage(self._failures[0], self._failures[0] + lost)

    def _is_tag(self) -> bool:
        """Return whether the skipped bytes are a tag between two recordings."""
        head = bytes_at(self._source, self._skipped.at, 8)
        return head is None or head.startswith((b"ID3", b"TAG", b"APETAGEX", b"LYRICS"))
