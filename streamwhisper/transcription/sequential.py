"""The sequential method: each window begins where the text of the one before it ends.

The results equal those of openai-whisper's ``transcribe`` ("Robust Speech Recognition via
Large-Scale Weak Supervision", Radford et al., 2022, section 4.5). Windows are padded to 30 s with
zeros on the scale of log-mel frames, as in that program. The windows of one recording depend on
each other; windows of several recordings are transcribed side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import (
    FRAMES_PER_SECOND,
    HOP,
    SAMPLE_RATE,
    WINDOW_FRAMES,
    WINDOW_SAMPLES,
)
from streamwhisper.audio.mel import log_mel
from streamwhisper.segment import Segment
from streamwhisper.transcription.clock import on_the_clock
from streamwhisper.transcription.hallucination import first_with_words, is_anomalous, suspect
from streamwhisper.transcription.languages import (
    detected_languages,
    language_units,
    main_language,
    spoken_languages,
)
from streamwhisper.transcription.options import (
    Clip,
    PromptOptions,
    TranscriptionOptions,
    WordOptions,
)
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.transcription.segments import Cut, SegmentWindow, cut
from streamwhisper.transcription.stretches import stretches
from streamwhisper.vad.spans import Span, map_speech
from streamwhisper.whisper.search import text_tokens
from streamwhisper.whisper.timing import AlignedWord, with_words
from streamwhisper.whisper.windows import WindowHypothesis, WindowRequest

__all__ = ["SequentialTranscriber", "hear_windows"]

TRUSTED_TEMPERATURE = 0.5
"""Text drawn at a higher temperature is not used as a prompt."""


@dataclass(slots=True)
class _DecodedText:
    """The text so far, and the part of it that prompts the next window."""

    initial: tuple[int, ...]
    options: PromptOptions
    tokens: list[int] = field(default_factory=list)
    reset: int = 0

    def prompt(self, most: int) -> tuple[int, ...]:
        """Return the prompt of the next window, of which the last `most` tokens count."""
        since = self.tokens[self.reset :]
        if not self.options.carry_initial:
            return (*self.initial, *since)
        room = most - len(self.initial)
        return (*self.initial, *since[-room:]) if room > 0 else self.initial

    def forget(self) -> None:
        """Prompt the next window without the text so far, which is in another language."""
        self.reset = len(self.tokens)

    def add(self, segments: Sequence[Segment], temperature: float) -> None:
        """Add a window's text."""
        self.tokens += [token for segment in segments for token in segment.tokens]
        if not self.options.condition_on_previous_text or temperature > TRUSTED_TEMPERATURE:
            self.reset = len(self.tokens)
            self.initial = self.initial if self.options.carry_initial else ()


class SequentialTranscriber:
    """Transcribes one recording, window by window.

    Attributes:
        recognizer: answers `request`; the caller passes the answer to `take`.
        options: how the recording is transcribed.
        request: the next window; None at the end.
        frames: length of the recording in frames of 10 ms.
        segments: segments so far.
    """

    def __init__(
        self,
        recognizer: WindowRecognizer,
        samples: NDArray[np.float32],
        options: TranscriptionOptions,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare the first window; detect the language if the options have none.

        Args:
            recognizer: detects the language.
            samples: float32 mono ``[n]`` at 16 kHz.
            options: how the recording is transcribed.
            progress: called with the seconds of audio processed since the last call.
        """
        self.recognizer, self.options = recognizer, options
        self._samples = len(samples)
        # Windows at the end of the recording reach into 30 s of silence.
        self._mel = log_mel(samples, recognizer.info.n_mels, silence=WINDOW_SAMPLES)
        self.frames = self._mel.shape[1] - WINDOW_FRAMES
        self._parts = self._heard_parts(samples)
        self._language = ""
        self._last_speech = 0.0
        initial, prefix = (
            text_tokens(recognizer.tokenizer, text) if text else ()
            for text in (options.prompts.initial, options.prompts.prefix)
        )
        self._said, self._prefix = _DecodedText(initial, options.prompts), prefix
        self.segments: list[Segment] = []
        self._windows = self._hear_all(progress)
        self.request: WindowRequest | None = next(self._windows, None)

    def take(self, found: WindowHypothesis) -> None:
        """Take the answer to `request`, and go on to the next window."""
        try:
            self.request = self._windows.send(found)
        except StopIteration:
            self.request = None

    def _hear_all(
        self, progress: Callable[[float], None] | None
    ) -> Generator[WindowRequest, WindowHypothesis, None]:
        reported = 0
        for seek, end, language in self._parts:
            if language != self._language:
                self._said.forget()
                self._language = language
            while seek < end:
                window = SegmentWindow(seek, min(WINDOW_FRAMES, end - seek))
                found = yield self._request(window)
                heard, seek = self._heard(window, found)
                first = len(self.segments)
                self.segments += [replace(s, id=id) for id, s in enumerate(heard, first)]
                if progress:
                    progress((min(seek, end) - reported) / FRAMES_PER_SECOND)
                    reported = min(seek, end)
        if progress:
            progress((self.frames - reported) / FRAMES_PER_SECOND)

    @property
    def seconds(self) -> float:
        """Length of the recording in seconds."""
        return self._samples / SAMPLE_RATE

    @property
    def language(self) -> str:
        """Code of the language that was given or is spoken longest; empty without speech."""
        if self.options.language is not None:
            return self.options.language
        return main_language(self.segments) if self.recognizer.info.multilingual else "en"

    @property
    def text(self) -> str:
        """The text so far."""
        return self.recognizer.tokenizer.decode(self._said.tokens)

    def _heard(
        self, window: SegmentWindow, hypothesis: WindowHypothesis
    ) -> tuple[list[Segment], int]:
        """Return the segments of a window, and the first frame of the next one."""
        result = hypothesis.result
        if self.options.fallback.is_silence(result):
            return [], window.first + window.frames
        found = cut(self.recognizer.tokenizer, window, result)
        segments, seek = found.segments, window.first + found.frames
        if self.options.words:
            timed = self._with_words(segments, hypothesis.words, window)
            kept, seek = self._after_words(timed, seek, found, window, self.options.words)
            if kept is None:
                return [], seek
            segments = kept
            self._last_speech = _end(segments, self._last_speech)
        segments = [s for s in segments if s.start != s.end and s.text.strip()]
        self._said.add(segments, result.temperature)
        reached = self.segments[-1].end if self.segments else 0.0
        return on_the_clock(segments, self.seconds, reached), seek

    def _request(self, window: SegmentWindow) -> WindowRequest:
        most = self.recognizer.n_text_ctx // 2 - 1
        return WindowRequest(
            self._mel[:, window.first : window.first + window.frames],
            self._language,
            self.options.task,
            self._said.prompt(most)[-most:],
            self._prefix,
            search=self.options.search,
            fallback=self.options.fallback,
            words_below=math.inf if self.options.words else 0.0,
            padded=True,
        )

    def _with_words(
        self, segments: Sequence[Segment], aligned: Sequence[AlignedWord], window: SegmentWindow
    ) -> list[Segment]:
        assert self.options.words is not None
        return with_words(
            segments,
            aligned,
            window.start,
            self._last_speech,
            text_end=self.recognizer.tokenizer.eot,
            punctuation=self.options.words.punctuation,
        )

    def _after_words(
        self,
        segments: list[Segment],
        seek: int,
        found: Cut,
        window: SegmentWindow,
        options: WordOptions,
    ) -> tuple[list[Segment] | None, int]:
        """Return the segments to keep (None: transcribe again), and the next window's frame."""
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

    def _heard_parts(self, samples: NDArray[np.float32]) -> list[tuple[int, int, str]]:
        """Return the parts to transcribe: first frame, the one after the last, and language."""
        language = self.options.language if self.recognizer.info.multilingual else "en"
        if self.options.chunks.vad:
            spans = map_speech(samples).spans()
            spoken = self._in_languages(samples, spans, language)
        else:
            spoken = [(Span(0, len(samples)), language or self._detected())]
        clips = _in_frames(self.options.clips, self.frames)
        parts = [
            (
                max(first, span.start // HOP),
                min(end, self.frames if span.end == len(samples) else span.end // HOP),
                code,
            )
            for first, end in clips
            for span, code in spoken
        ]
        return [part for part in parts if part[0] < part[1]]

    def _in_languages(
        self, samples: NDArray[np.float32], spans: Sequence[Span], language: str | None
    ) -> list[tuple[Span, str]]:
        """Return the stretches of speech, cut where the language changes in a pause."""
        heard = stretches(len(samples), spans)
        if language is not None:
            return [(span, language) for span in heard]
        own = [
            language_units([s for s in spans if span.start <= s.start < span.end]) for span in heard
        ]
        units = [unit for each in own for unit in each]
        languages = spoken_languages(detected_languages(self.recognizer, samples, units))
        codes = dict(zip(units, languages, strict=True))
        cut: list[tuple[Span, str]] = []
        for span, (first, *rest) in zip(heard, own, strict=True):
            cut.append((span, codes[first]))
            for unit in rest:
                before, code = cut[-1]
                if codes[unit] != code:
                    cut[-1:] = [
                        (Span(before.start, unit.start), code),
                        (Span(unit.start, span.end), codes[unit]),
                    ]
        return cut

    def _detected(self) -> str:
        beginning = WindowRequest(self._mel[:, :WINDOW_FRAMES], search=None, padded=True)
        (found,) = self.recognizer.transcribe_windows([beginning])
        return found.result.language


def hear_windows(transcribers: Sequence[SequentialTranscriber]) -> None:
    """Transcribe the next window of each, side by side; all have one and the same model."""
    requests = [transcriber.request for transcriber in transcribers if transcriber.request]
    found = transcribers[0].recognizer.transcribe_windows(requests)
    for transcriber, own in zip(transcribers, found, strict=True):
        transcriber.take(own)


def _end(segments: Sequence[Segment], otherwise: float) -> float:
    """Return the end of the last word, or of the last segment if there are no words."""
    ends = (word.end for segment in reversed(segments) for word in reversed(segment.words or ()))
    return next(ends, segments[-1].end if segments else otherwise)


def _in_frames(clips: Sequence[Clip], frames: int) -> list[tuple[int, int]]:
    """Return the first frame of each clip and the one after its last."""
    return [
        (
            round(start * FRAMES_PER_SECOND),
            frames if end is None else min(frames, round(end * FRAMES_PER_SECOND)),
        )
        for start, end in clips or [(0.0, None)]
    ]
