"""Container between a dialect and its sessions: its audio is passed on in bounded steps."""

from __future__ import annotations

from collections.abc import Callable

from streamwhisper.audio.formats import AudioFormat
from streamwhisper.audio.steps import StepDecoder
from streamwhisper.errors import AudioFormatError
from streamwhisper.protocol import ErrorMessage

__all__ = ["DECODED", "ContainerInput"]

DECODED = AudioFormat("pcm_f32le")
"""Format of the audio that containers are decoded to."""
_DISCARDING = ("session_too_long",)
"""Codes of errors after which received audio is not decoded any further."""


class ContainerInput:
    """Decodes a container for a dialect; see `Dialect.backlog` and `Dialect.advance`."""

    def __init__(
        self,
        decoder: StepDecoder,
        *,
        on_audio: Callable[[bytes], None],
        on_error: Callable[[str], None],
        on_end: Callable[[], None],
    ) -> None:
        """Wait for bytes.

        Args:
            decoder: decodes the container.
            on_audio: receives decoded audio in the format `DECODED`, or of several channels.
            on_error: receives the message of data that cannot be read; more audio may follow
                if the dialect has called `finish` before.
            on_end: called once after `finish`, when all audio is passed on.
        """
        self._decoder = decoder
        self._on_audio = on_audio
        self._on_error = on_error
        self._on_end = on_end
        self._finishing = False
        self._over = False

    @property
    def backlog(self) -> StepDecoder | None:
        """The decoder, if there is audio to take, or the end of it to pass on."""
        ending = self._finishing and not self._over
        return self._decoder if ending or self._decoder.more else None

    def give(self, data: bytes) -> None:
        """Add bytes of the container."""
        self._decoder.give(data)

    def finish(self, error: ErrorMessage | None) -> None:
        """End the container after the bytes received, or at once if `error` says so."""
        self._finishing = True
        if error is not None and error.code in _DISCARDING:
            self._decoder.close()
        else:
            self._decoder.end()
        self._check_end()

    def advance(self) -> None:
        """Pass on the next step of audio."""
        try:
            self._on_audio(self._decoder.take().tobytes())
        except AudioFormatError as error:
            self._on_error(str(error))
        self._check_end()

    def close(self) -> None:
        """Free all resources."""
        self._decoder.close()

    def _check_end(self) -> None:
        if self._finishing and not self._over and not self._decoder.more:
            self._over = True
            self._on_end()
