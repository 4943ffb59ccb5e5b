"""Options of transcription."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from streamwhisper.audio.constants import WINDOW_SECONDS
from streamwhisper.errors import RecognitionError, check_fields
from streamwhisper.recognition import Task
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.search import SearchOptions
from streamwhisper.whisper.timing import Punctuation

if TYPE_CHECKING:
    from streamwhisper.transcription.recognizer import WindowRecognizer

__all__ = [
    "ChunkOptions",
    "Clip",
    "Method",
    "PromptOptions",
    "TranscriptionOptions",
    "WordOptions",
]

Method = Literal["chunked", "sequential"]
Clip = tuple[float, float | None]
"""Start and end in seconds; an end of None or infinity is the end of the recording."""


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """Text that guides the decoder.

    Attributes:
        initial: text before the first window, or before each chunk; sets names, spelling, style.
        prefix: text that every window begins with.
        condition_on_previous_text: prompt each window with the text so far, unless that text was
            drawn at a temperature above 0.5; sequential method only.
        carry_initial: put the initial prompt before every window; sequential method only.
        vocabulary: words and phrases to prefer when the audio is ambiguous; chunked method only.
    """

    initial: str | None = None
    prefix: str | None = None
    condition_on_previous_text: bool = True
    carry_initial: bool = False
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WordOptions:
    """Word timestamps.

    Attributes:
        punctuation: signs that are merged with words.
        hallucination_silence_threshold: skip doubtful words that have silence of so many seconds
            around them; None keeps all words. Sequential method only.
    """

    punctuation: Punctuation = field(default_factory=Punctuation)
    hallucination_silence_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """Options for cutting recordings into chunks that are decoded in batches.

    Attributes:
        batch_size: number of chunks computed together.
        vad: skip silence, and cut at pauses; False transcribes all audio, and the chunked method
            cuts where a chunk is full, with overlap. Both methods heed it.
        longest: length of a chunk in seconds, at most 30. The cost of attention grows with its
            square; 24 s and 30 s have the same word error rate.
        longest_pause: longest pause within a chunk, in seconds.
        overlap: seconds shared by neighbouring chunks where there is no pause to cut at.
    """

    batch_size: int = 16
    vad: bool = True
    longest: float = 24.0
    longest_pause: float = 3.0
    overlap: float = 3.0

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of range."""
        check_fields(
            self,
            ("batch_size", self.batch_size >= 1, "1 or more"),
            ("longest", 5 <= self.longest <= WINDOW_SECONDS, f"5 to {WINDOW_SECONDS} s"),
            ("longest_pause", self.longest_pause >= 0, "0 s or more"),
            ("overlap", 0 <= self.overlap <= self.longest / 2, "0 s to half of `longest`"),
        )


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """Options of a transcription.

    Attributes:
        method: "chunked" transcribes chunks side by side and is fast; "sequential" begins each
            window where the text of the one before it ends, as openai-whisper does.
        language: code, tag or English name, e.g. ``"en"`` or ``"zh-TW"``; None detects it
            from the speech, and again where another one is clear.
        task: "transcribe", or "translate" into English.
        clips: stretches to transcribe; empty for the whole recording.
        prompts: text that guides the decoder.
        words: options of word timestamps; None for no timed words.
        search: how the text of a window is searched for.
        fallback: when a text is searched for again, and when it is dropped.
        chunks: how the chunked method cuts recordings.
    """

    method: Method = "chunked"
    language: str | None = None
    task: Task = "transcribe"
    clips: tuple[Clip, ...] = ()
    prompts: PromptOptions = field(default_factory=PromptOptions)
    words: WordOptions | None = None
    search: SearchOptions = field(default_factory=SearchOptions)
    fallback: FallbackOptions = field(default_factory=FallbackOptions)
    chunks: ChunkOptions = field(default_factory=ChunkOptions)

    def __post_init__(self) -> None:
        """Raise ValueError for fields out of range, or that do not fit together."""
        skips = self.words and self.words.hallucination_silence_threshold is not None
        ends = [(start, math.inf if end is None else end) for start, end in self.clips]
        ordered = all(0 <= start < end for start, end in ends)
        clips = tuple((start, None if end == math.inf else end) for start, end in ends)
        object.__setattr__(self, "clips", clips)
        check_fields(
            self,
            ("method", self.method in ("chunked", "sequential"), '"chunked" or "sequential"'),
            (
                "method",
                self.method == "sequential" or not skips,
                '"sequential" with a hallucination_silence_threshold',
            ),
            (
                "clips",
                ordered and all(math.isfinite(start) for start, _ in ends),
                "starts of 0 s or more, each before its end",
            ),
        )

    def late_clips(self, seconds: float) -> list[str]:
        """Return a message for each clip that begins after the end of a recording."""
        return [
            f"clip from {start:g} s: the recording ends at {seconds:.1f} s; nothing to transcribe"
            for start, _ in self.clips
            if start >= seconds and start > 0
        ]

    def check(self, model: WindowRecognizer) -> None:
        """Raise RecognitionError if the model does not support the language or the task."""
        self.for_model(model)

    def for_model(self, model: WindowRecognizer) -> TranscriptionOptions:
        """Return the options with the language's code, and its script in the initial prompt.

        Raises:
            RecognitionError: the model does not support the language or the task.
        """
        info = model.info
        if not info.multilingual and self.task == "translate":
            raise RecognitionError(
                f"{info.name} only supports English, so it cannot translate; use a multilingual "
                "model"
            )
        language = None if self.language is None else info.language(self.language)
        if language is None:
            return replace(self, language=None)
        prompts = self.prompts
        # The sequential method prompts as openai-whisper does, unless a script was chosen.
        chosen = bool(language.script) or self.method == "chunked"
        prompt = language.prompt(prompts.initial or "") if chosen else ""
        if prompt and self.task == "transcribe":
            carried = prompts.carry_initial or not prompts.initial
            prompts = replace(prompts, initial=prompt, carry_initial=carried)
        return replace(self, language=language.code, prompts=prompts)
