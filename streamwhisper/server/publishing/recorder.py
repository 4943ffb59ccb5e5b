"""Records: the committed text of each session as JSON lines and subtitles, optionally its audio.

Text is written to the record before the client receives it, so the record is complete even if the
process is killed. At the end of each utterance it is also synced to the disk, on a separate thread:
no session waits for a disk. During the session its files are named ``….part.jsonl`` and so on; the
subtitles are valid at any moment. `finish_records` finishes the files of a killed server.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.wav import WavWriter
from streamwhisper.events import Committed, Done, Event
from streamwhisper.protocol import plain_message
from streamwhisper.server.publishing.recovery import PART, finish_records, lock
from streamwhisper.subtitles.live_cues import SRT_HEAD, VTT_HEAD, Captions, as_srt, as_vtt

__all__ = ["Record", "Recorder", "RecordingOptions"]

log = logging.getLogger(__name__)

_TEXT_RESERVE = 8 * 1024 * 1024
"""Bytes of a disk that audio leaves free: text is small, and more valuable."""


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Options of recording: folder and contents.

    Attributes:
        folder: folder of the records, created if missing. It should be on a local disk: text is
            written to it before the client receives it.
        audio: whether to record the audio, too, as 16 kHz mono WAV.
    """

    folder: Path
    audio: bool = False


class Recorder:
    """Opens the record of each session, and syncs records to the disk."""

    def __init__(
        self, options: RecordingOptions, on_failure: Callable[[], None] = lambda: None
    ) -> None:
        """Create the folder if it is missing, and finish the records of killed servers in it.

        Args:
            options: what to record, and where.
            on_failure: called for each record that cannot be continued.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._options = options
        self._on_failure = on_failure
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        try:
            options.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=options.folder):
                pass
        except OSError as error:
            raise OSError(
                error.errno,
                f"cannot record in {options.folder}: {error.strerror or error}; choose a writable "
                "folder",
            ) from error
        finish_records(options.folder)

    def open(self, session: str, about: Mapping[str, object]) -> Record:
        """Open the record of a session.

        Args:
            session: name of the session; becomes part of the file names.
            about: further fields of the record's first line.
        """
        started = datetime.datetime.now(datetime.UTC)
        name = f"{started:%Y%m%dT%H%M%SZ}-{session}"
        heading = {
            "type": "session",
            "session": session,
            "started": started.isoformat(timespec="milliseconds"),
            **about,
        }
        return Record(self._options, name, heading, self._threads, self._on_failure)

    def close(self) -> None:
        """Wait until all records are synced to the disk."""
        self._threads.shutdown()


class Record:
    """The files of one session; a `SessionObserver`.

    An error of the text ends the record, one of the audio only the audio, and none the session.
    """

    def __init__(
        self,
        options: RecordingOptions,
        name: str,
        heading: Mapping[str, object],
        threads: ThreadPoolExecutor,
        on_failure: Callable[[], None],
    ) -> None:
        self._threads = threads
        self._on_failure = on_failure
        self._name = name
        self._folder = options.folder
        self._files: dict[str, _Growing] = {}
        self._wav: WavWriter | None = None
        self._captions = Captions()
        self._cue = 0  # number of the last cue
        self._broken = False
        self._syncing = False  # a sync is queued and has not begun
        with self._failing():
            for kind, head in (
                ("jsonl", _line(heading)),
                ("srt", SRT_HEAD),
                ("vtt", VTT_HEAD),
            ):
                self._files[kind] = _Growing(self._path(kind), head.encode())
        if options.audio and not self._broken:
            with self._failing_audio():
                self._files["wav"] = _Growing(self._path("wav"), b"")
                self._wav = WavWriter(self._files["wav"].descriptor)

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        """Record audio, if that is enabled."""
        if self._wav is not None and not self._broken:
            with self._failing_audio():
                _check_space(self._files["wav"].descriptor)
                self._wav.write(samples)

    def on_event(self, event: Event) -> None:
        """Record committed text."""
        if self._broken or not isinstance(event, Committed | Done):
            return
        with self._failing():
            self._files["jsonl"].append(_line(plain_message(event)).encode())
            if isinstance(event, Committed):
                self._caption(event)
                if event.final and not self._syncing:
                    self._syncing = True
                    self._threads.submit(self._sync)

    def close(self) -> None:
        """Finish the record: give the files their final names."""
        self._threads.submit(self._finish)

    def _caption(self, event: Committed) -> None:
        for number, cue in self._captions.add(event):
            for kind, written in (("srt", as_srt), ("vtt", as_vtt)):
                piece = written(number, cue).encode()
                if number == self._cue:
                    self._files[kind].replace_last(piece)
                else:
                    self._files[kind].append(piece)
            self._cue = number

    @contextlib.contextmanager
    def _failing_audio(self) -> Iterator[None]:
        """End the recording of audio at an error. It needs most of the disk; text goes on."""
        try:
            yield
        except OSError as error:
            self._wav = None
            self._on_failure()
            log.error(
                "record %s: its audio cannot be written (%s); its text is still recorded, and the "
                "audio so far is kept in %s",
                self._name,
                error.strerror or error,
                self._folder,
            )

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._broken = True
        self._on_failure()
        log.error(
            "record %s: cannot be written (%s); the session continues without it. The part in %s "
            "is kept",
            self._name,
            error.strerror or error,
            self._folder,
        )

    def _path(self, kind: str, part: str = PART) -> Path:
        return self._folder / f"{self._name}{part}.{kind}"

    def _sync(self) -> None:
        self._syncing = False  # first: later data needs another sync
        for file in self._files.values():
            with contextlib.suppress(OSError):
                os.fsync(file.descriptor)

    def _finish(self) -> None:
        self._sync()
        for kind, file in self._files.items():
            if not self._broken:
                with contextlib.suppress(OSError):
                    self._path(kind).rename(self._path(kind, ""))
            os.close(file.descriptor)  # this releases the lock
        self._files = {}


def _check_space(descriptor: int) -> None:
    """Check that the disk has room for text, too, where the system can tell.

    Raises:
        OSError: audio must not use the rest.
    """
    if hasattr(os, "fstatvfs"):
        found = os.fstatvfs(descriptor)
        if found.f_bavail * found.f_frsize < _TEXT_RESERVE:
            raise OSError(
                errno.ENOSPC,
                f"less than {_TEXT_RESERVE >> 20} MiB are free, which are kept for text",
            )


class _Growing:
    """A file that grows by pieces; the last one can be replaced by one that is not shorter."""

    def __init__(self, path: Path, head: bytes) -> None:
        # Readable by the owner only, and never over an existing file.
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):  # some file systems have no locks
            lock(self.descriptor)
        self._last = b""
        self._at = 0  # position of the last piece
        self.append(head)

    def append(self, piece: bytes) -> None:
        """Append a piece.

        Raises:
            OSError: the piece cannot be written; the file is unchanged.
        """
        at, last = self._at + len(self._last), self._last
        self._at, self._last = at, b""
        try:
            self.replace_last(piece)
        except OSError:
            self._at, self._last = at - len(last), last
            raise

    def replace_last(self, piece: bytes) -> None:
        """Replace the last piece in one write, so that no reader sees half of it.

        Raises:
            OSError: the piece cannot be written; the file is unchanged.
        """
        try:
            if os.pwrite(self.descriptor, piece, self._at) != len(piece):
                raise OSError("the disk is full")
        except OSError:
            with contextlib.suppress(OSError):
                os.pwrite(self.descriptor, self._last, self._at)
                os.ftruncate(self.descriptor, self._at + len(self._last))
            raise
        self._last = piece


def _line(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
