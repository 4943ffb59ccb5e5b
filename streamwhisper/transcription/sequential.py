"""One window after the other, each from where the text of the one before it ends.

Means what openai-whisper's ``transcribe`` means ("Robust Speech Recognition via Large-Scale
Weak Supervision", Radford et al., 2022, section 4.5). Windows are padded to 30 s as there, with
zeros on the scale of log-mel frames, so the numbers are the same. A recording's windows wait for
each other, but not for those of another recording: several are searched side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamwhisper.audio.constants import (
    FRAMES_PER_POSITION,
    FRAMES_PER_SECOND,
    SAMPLE_RATE,
    WINDOW_FRAMES,
    WINDOW_SAMPLES,
)
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.segment import Segment
from streamwhisper.transcription.hallucination import first_with_words, is_anomalous, suspect
from streamwhisper.transcription.options import (
    Clip,
    PromptOptions,
    TranscriptionOptions,
    WordOptions,
)
from streamwhisper.transcription.segments import Cut, SegmentWindow, cut
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.fallback import search_with_fallback
from streamwhisper.whisper.search import SearchResult, SearchTask, text_tokens
from streamwhisper.whisper.tail import EncodedAudio, encode_padded
from streamwhisper.whisper.timing import AlignmentTask, align, with_words

__all__ = ["SequentialTranscriber", "hear_windows"]

TRUSTED_TEMPERATURE = 0.5
"""Text that was drawn at a higher one is no prompt."""


@dataclass(slots=True)
class _DecodedWindow:
    """The text so far, and what of it is a prompt."""

    initial: tuple[int, ...]
    options: PromptOptions
    tokens: list[int] = field(default_factory=list)
    reset: int = 0

    def prompt(self, most: int) -> tuple[int, ...]:
        """What the next window is told, of which the last `most` tokens count."""
        since = self.tokens[self.reset :]
        if not self.options.carry_initial:
            return (*self.initial, *since)
        room = most - len(self.initial)
        return (*self.initial, *since[-room:]) if room > 0 else self.initial

    def add(self, segments: Sequence[Segment], temperature: float) -> None:
        """Take in a window's text."""
        self.tokens += [token for segment in segments for token in segment.tokens]
        if not self.options.condition_on_previous_text or temperature > TRUSTED_TEMPERATURE:
            self.reset = len(self.tokens)
            self.initial = self.initial if self.options.carry_initial else ()


class SequentialTranscriber:
    """Transcribes one recording.

    Attributes:
        task: what is to be searched for in the next window; None at the end.
        segments: what was heard so far.
    """

    def __init__(
        self,
        recognizer: LocalRecognizer,
        samples: NDArray[np.float32],
        options: TranscriptionOptions,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare it; finds the language where it is not given.

        Args:
            samples: float32 mono ``[n]`` at 16 kHz.
            progress: called with the seconds of sound dealt with since it was called last.
        """
        self.recognizer, self.options = recognizer, options
        self._samples = len(samples)
        # Half a minute of silence behind it, for windows at its end.
        padded = np.pad(samples, (0, WINDOW_SAMPLES))
        self._mel = torch.from_numpy(log_mel(padded, recognizer.info.n_mels))
        self.frames = self._mel.shape[1] - WINDOW_FRAMES
        self.language = options.language or self._detected()
        self._last_speech = 0.0
        initial, prefix = (
            text_tokens(recognizer.tokenizer, text) if text else ()
            for text in (options.prompts.initial, options.prompts.prefix)
        )
        self._said, self._prefix = _DecodedWindow(initial, options.prompts), prefix
        self.segments: list[Segment] = []
        self._windows = self._hear_all(progress)
        self.task: SearchTask | None = next(self._windows, None)

    def take(self, result: SearchResult) -> None:
        """Take in what was found for the task, and go on to the next window."""
        try:
            self.task = self._windows.send(result)
        except StopIteration:
            self.task = None

    def _hear_all(
        self, progress: Callable[[float], None] | None
    ) -> Generator[SearchTask, SearchResult, None]:
        for seek, end in _in_frames(self.options.clips, self.frames):
            while seek < end:
                window = SegmentWindow(seek, min(WINDOW_FRAMES, end - seek))
                sound = self._encoded(window)
                result = yield self._task(sound)
                heard, seek = self._heard(window, sound, result)
                first = len(self.segments)
                self.segments += [replace(s, id=id) for id, s in enumerate(heard, first)]
                if progress:
                    progress((min(seek, end) - window.first) / FRAMES_PER_SECOND)

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return self._samples / SAMPLE_RATE

    @property
    def text(self) -> str:
        """What was heard so far."""
        return self.recognizer.tokenizer.decode(self._said.tokens)

    def _heard(
        self, window: SegmentWindow, sound: EncodedAudio, result: SearchResult
    ) -> tuple[list[Segment], int]:
        """The segments of a window, and the frame at which the next one begins."""
        if self.options.fallback.is_silence(result):
            return [], window.first + window.frames
        found = cut(self.recognizer.tokenizer, window, result)
        segments, seek = found.segments, window.first + found.frames
        if self.options.words:
            timed = self._with_words(segments, sound, window)
            kept, seek = self._after_words(timed, seek, found, window, self.options.words)
            if kept is None:
                return [], seek
            segments = kept
            self._last_speech = _end(segments, self._last_speech)
        segments = [
            replace(s, text="", tokens=(), words=() if self.options.words else None)
            if s.start == s.end or not s.text.strip()
            else s
            for s in segments
        ]
        self._said.add(segments, result.temperature)
        return segments, seek

    def _encoded(self, window: SegmentWindow) -> EncodedAudio:
        mel = self._mel[:, window.first : window.first + window.frames]
        return _encoded(self.recognizer, mel)

    def _task(self, sound: EncodedAudio) -> SearchTask:
        most, task = self.recognizer.model.dims.n_text_ctx // 2 - 1, self.options.task
        return SearchTask(sound, self.language, task, self._said.prompt(most), self._prefix)

    def _with_words(
        self, segments: Sequence[Segment], sound: EncodedAudio, window: SegmentWindow
    ) -> list[Segment]:
        recognizer, words = self.recognizer, self.options.words
        assert words is not None
        eot = recognizer.tokenizer.eot
        tokens = tuple(t for segment in segments for t in segment.tokens if t < eot)
        task = AlignmentTask(sound, tokens, self.language, self.options.task)
        (aligned,) = align(recognizer.model, recognizer.search_output, recognizer.tokenizer, [task])
        return with_words(
            segments,
            aligned,
            window.start,
            self._last_speech,
            text_end=eot,
            punctuation=words.punctuation,
        )

    def _after_words(
        self,
        segments: list[Segment],
        seek: int,
        found: Cut,
        window: SegmentWindow,
        options: WordOptions,
    ) -> tuple[list[Segment] | None, int]:
        """What stays of a window's segments (None: it is heard again), and the next frame."""
        threshold = options.hallucination_silence_threshold
        last = _end(segments, window.start)
        if not found.complete and last > window.start:
            seek = round(last * FRAMES_PER_SECOND)
        if threshold is None:
            return segments, seek
        end = (window.first + WINDOW_FRAMES) / FRAMES_PER_SECOND
        if not found.complete and last > window.start and end - last <= threshold:
            seek = window.first + window.frames
        first = first_with_words(segments)
        if first is not None and is_anomalous(first):
            gap = first.start - window.start
            if gap > threshold:
                return None, window.first + round(gap * FRAMES_PER_SECOND)
        index = suspect(segments, window, end, self._last_speech, threshold)
        if index is None:
            return segments, seek
        doubted = segments[index]
        seek = round(max(window.start + 1, doubted.start) * FRAMES_PER_SECOND)
        if self.frames / FRAMES_PER_SECOND - doubted.end < threshold:
            seek = self.frames
        return segments[:index], seek

    def _detected(self) -> str:
        if not self.recognizer.info.multilingual:
            return "en"
        sound = _encoded(self.recognizer, self._mel[:, :WINDOW_FRAMES])
        (found,) = detect_languages(self.recognizer.model, self.recognizer.tokenizer, [sound])
        return next(iter(found))


def hear_windows(transcribers: Sequence[SequentialTranscriber]) -> None:
    """Hear the next window of each, side by side; all have one, the same model and options."""
    recognizer, options = transcribers[0].recognizer, transcribers[0].options
    results = search_with_fallback(
        recognizer.model,
        recognizer.search_output,
        recognizer.tokenizer,
        [transcriber.task for transcriber in transcribers if transcriber.task],
        options.search,
        options.fallback,
    )
    for transcriber, result in zip(transcribers, results, strict=True):
        transcriber.take(result)


def _encoded(recognizer: LocalRecognizer, mel: Tensor) -> EncodedAudio:
    """A window, encoded with zeros behind it, which are no silence; they are not listened to."""
    frames = mel.shape[1]
    padded = torch.nn.functional.pad(mel, (0, WINDOW_FRAMES - frames))
    (sound,) = encode_padded(recognizer.model, [padded])
    return replace(sound, audible=max(1, frames // FRAMES_PER_POSITION))


def _end(segments: Sequence[Segment], otherwise: float) -> float:
    """Where the last word ends, or the last segment where there are no words."""
    ends = (word.end for segment in reversed(segments) for word in reversed(segment.words or ()))
    return next(ends, segments[-1].end if segments else otherwise)


def _in_frames(clips: Sequence[Clip], frames: int) -> list[tuple[int, int]]:
    """Where clips begin and end within the recording."""
    return [
        (
            round(start * FRAMES_PER_SECOND),
            frames if end is None else min(frames, round(end * FRAMES_PER_SECOND)),
        )
        for start, end in clips or [(0.0, None)]
    ]
