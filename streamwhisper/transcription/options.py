"""How recordings are transcribed."""

from __future__ import annotations

from dataclasses import dataclass, field
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
"""Start and end in seconds; None as the end is that of the recording."""


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """What the model is told before it listens.

    Attributes:
        initial: text before that of the first window; chunks have it before them each.
        prefix: text that every window begins with.
        condition_on_previous_text: whether the text so far is the prompt of the next window; not
            after one that was drawn at a temperature above 0.5. Sequential.
        carry_initial: whether the initial prompt comes before it each time. Sequential.
        vocabulary: words and phrases to prefer where the sound allows it. Chunked.
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
        hallucination_silence_threshold: silence of so many seconds around words that are hardly
            believed is skipped, and these words with it; None for none. Sequential.
    """

    punctuation: Punctuation = field(default_factory=Punctuation)
    hallucination_silence_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How recordings are cut into chunks that are heard side by side.

    Attributes:
        batch_size: chunks that go through the model together.
        vad: cut at pauses and leave out where nobody speaks; else where a chunk is full, with
            overlap.
        longest: seconds in a chunk, at most 30. Attention grows with the square of it; with 24 s
            and with 30 s as many words are wrong.
        longest_pause: seconds; a longer one begins another chunk.
        overlap: seconds shared by neighbours where there is no pause to cut at.
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
    """How a recording is transcribed.

    Attributes:
        method: "chunked" hears chunks side by side, which is fast; "sequential" hears one window
            after the other, each from where the text of the one before it ends, as
            openai-whisper does.
        language: its code; None lets a multilingual model find it at the beginning.
        task: write down, or translate into English.
        clips: stretches to transcribe; none for all of it.
        prompts: what the model is told before it listens.
        words: None for no words.
        search: how the text of a window is found; its timestamps cut it into segments.
        fallback: when it is sought once more, and when it is left out.
        chunks: how to cut where it is chunked.
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
        ordered = all(start >= 0 and (end is None or end >= start) for start, end in self.clips)
        check_fields(
            self,
            ("method", self.method in ("chunked", "sequential"), '"chunked" or "sequential"'),
            (
                "method",
                self.method == "sequential" or not skips,
                '"sequential" with a hallucination_silence_threshold',
            ),
            ("clips", ordered, "starts of 0 s or more, each before its end"),
        )

    def check(self, model: WindowRecognizer) -> None:
        """Raise RecognitionError for what the model cannot do."""
        name = model.info.name
        if not model.info.multilingual and self.task == "translate":
            raise RecognitionError(
                f"{name} only supports English, so it cannot translate; use a multilingual model"
            )
        if not model.info.multilingual and self.language not in (None, "en"):
            raise RecognitionError(
                f"language is {self.language!r}, but {name} only supports English; use a "
                'multilingual model, or "en"'
            )
        if self.language is not None and self.language not in model.tokenizer.languages:
            raise RecognitionError(
                f"{name} has no language {self.language!r}; expected one of "
                f"{', '.join(model.tokenizer.languages)}"
            )
