"""Recognizer interface for recordings: whole windows, in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeGuard

from streamwhisper.recognition import Recognizer
from streamwhisper.whisper.tokenizer import Tokenizer
from streamwhisper.whisper.windows import Watch, WindowHypothesis, WindowRequest

__all__ = ["WindowRecognizer", "is_window_recognizer"]


class WindowRecognizer(Recognizer, Protocol):
    """A recognizer that transcribes whole windows of recordings as well; thread-safe."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokens."""
        ...

    @property
    def n_text_ctx(self) -> int:
        """Tokens in the model's text context."""
        ...

    @property
    def windows_at_once(self) -> int:
        """Number of windows worth passing to one call of `transcribe_windows`."""
        ...

    @property
    def window_calls(self) -> int:
        """Number of calls of `transcribe_windows` worth making at the same time."""
        ...

    def transcribe_windows(
        self, requests: Sequence[WindowRequest], watch: Watch | None = None
    ) -> list[WindowHypothesis]:
        """Transcribe whole windows, in order; N requests together are answered as N alone.

        Args:
            requests: the windows.
            watch: may be called with the index of a request and the share of it that is done, 0
                to 1, in the calling thread.

        Raises:
            RecognitionError: a request cannot be answered.
        """
        ...


def is_window_recognizer(recognizer: Recognizer) -> TypeGuard[WindowRecognizer]:
    """Return whether a recognizer transcribes recordings, and not live audio only."""
    return hasattr(recognizer, "transcribe_windows")
