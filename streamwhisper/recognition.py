"""The seam between the listening wing and the recognizing wing.

A `RecognitionRequest` carries everything that is needed to answer it, so `Recognizer.recognize`
is a pure function: requests of any sessions may share a batch, a failed one may be sent again,
and the recognizer may live in another process or on another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamwhisper.errors import RecognitionError

__all__ = [
    "DecodingOptions",
    "Figure",
    "Hypothesis",
    "HypothesisWord",
    "ModelInfo",
    "RecognitionRequest",
    "Recognizer",
    "RemoteRecognizer",
    "Task",
]

Task = Literal["transcribe", "translate"]
Ending = Literal["end_of_text", "length", "rate", "loop", "rewind", "no_speech"]


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How a hypothesis is searched for.

    Attributes:
        timestamps: let the model write its timestamp tokens (they never become words).
        max_tokens: the most new tokens one hypothesis may have.
        max_tokens_per_second: the most new tokens for each second of sound after the prefix
            (a runaway decoder writes far more than a fast talker says).
        no_speech_threshold: with `log_probability_threshold`: above this probability of
            no speech, and below that mean log-probability, the hypothesis is empty.
        compression_ratio_threshold: a hypothesis that zlib packs better than this repeats
            itself, and ends where it begins to.
    """

    timestamps: bool = False
    max_tokens: int = 224
    max_tokens_per_second: float = 9.0
    no_speech_threshold: float = 0.6
    log_probability_threshold: float = -1.0
    compression_ratio_threshold: float = 2.4


@dataclass(frozen=True, slots=True, eq=False)
class RecognitionRequest:
    """One window of sound and what is already known of its text.

    Attributes:
        mel: clamped and scaled log-mel frames of the sound alone, float32
            ``[n_mels, n_frames]``, 10 ms each, at most 3000; no padding.
        prefix: tokens already committed in this window; the hypothesis continues them.
        prefix_end: where the last prefix word ends, in seconds from the window's start.
        draft: a guess for the tokens after the prefix. It never changes the answer,
            only how soon it comes.
        prompt: tokens of the text before the window.
        initial_prompt: text before those, as it is written: names, spelling and style.
        language: a code such as ``"en"``; None lets a multilingual model detect it.
        languages: codes of those that it may be; none: any that the model knows.
        detect: whether to say how likely each is though the language is given.
        final: whether somebody waits for this answer to commit everything.
        vocabulary: words and phrases to prefer where the sound allows it, as they are written.
        past: what the answer about an earlier, shorter state of this window left
            (`Hypothesis.past`). It makes this answer much cheaper; without it everything is
            computed afresh, with very nearly the same result.
    """

    mel: NDArray[np.float32]
    prefix: tuple[int, ...] = ()
    prefix_end: float = 0.0
    draft: tuple[int, ...] = ()
    prompt: tuple[int, ...] = ()
    language: str | None = None
    languages: tuple[str, ...] = ()
    detect: bool = False
    task: Task = "transcribe"
    final: bool = False
    vocabulary: tuple[str, ...] = ()
    options: DecodingOptions = field(default_factory=DecodingOptions)
    past: object | None = None
    initial_prompt: str = ""


@dataclass(frozen=True, slots=True)
class HypothesisWord:
    """One whole word of a hypothesis, never part of a UTF-8 sequence.

    Attributes:
        text: as the tokens spell it, with its leading space if it has one.
        tokens: the tokens that spell it.
        start: onset by cross-attention, in seconds from the window's start.
        end: where the next word's onset (or the sound's end) lies at the latest.
        log_probability: mean over the tokens.
    """

    text: str
    tokens: tuple[int, ...]
    start: float
    end: float
    log_probability: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the recognizer heard after the prefix.

    Attributes:
        words: the words, in order.
        language: the language that was given or detected.
        ending: why decoding stopped; anything but ``"end_of_text"`` is a guard's work, and
            then the last words deserve less trust.
        no_speech_probability: the model's own, at the first position.
        log_probability: mean over all new tokens (0.0 when there are none).
        drafted: how many tokens of the draft were accepted.
        languages: how likely each language is, likeliest first, where that was asked for.
        past: for the next request about the same window, once it has grown; only the recognizer
            that made it knows what is inside.
    """

    words: tuple[HypothesisWord, ...]
    language: str | None
    ending: Ending
    no_speech_probability: float
    log_probability: float
    drafted: int = 0
    languages: Mapping[str, float] = field(default_factory=dict)
    past: object | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The words joined as the model spelt them."""
        return "".join(word.text for word in self.words)

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens of all words."""
        return tuple(token for word in self.words for token in word.tokens)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a session must know of the model behind a recognizer.

    Attributes:
        name: such as ``"tiny.en"``.
        n_mels: mel bins its front end expects (80 or 128).
        multilingual: whether it knows other languages than English.
    """

    name: str
    n_mels: int
    multilingual: bool

    def check_languages(self, languages: Iterable[str]) -> None:
        """Raise RecognitionError for a language that an English model does not know."""
        other = [language for language in languages if language != "en"]
        if other and not self.multilingual:
            raise RecognitionError(
                f'language is "{other[0]}", but model "{self.name}" knows English alone; leave the '
                "language out, or take a multilingual model"
            )

    def check_task(self, task: Task) -> None:
        """Raise RecognitionError for a task that an English model cannot do."""
        if task != "transcribe" and not self.multilingual:
            raise RecognitionError(
                f'task is "{task}", but model "{self.name}" knows English alone; use "transcribe", '
                "or take a multilingual model"
            )


class Recognizer(Protocol):
    """Anything that answers recognition requests; thread-safe, without session state."""

    @property
    def info(self) -> ModelInfo:
        """The model behind it."""
        ...

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Answer each request, in order; N requests together answer as N alone.

        Raises:
            RecognitionError: a request that cannot be answered.
        """
        ...


class Figure(NamedTuple):
    """Something that a recognizer counts or knows, for the metrics of a server.

    Attributes:
        value: asked whenever it is read; on any thread.
    """

    name: str
    explanation: str
    value: Callable[[], float]


@runtime_checkable
class RemoteRecognizer(Recognizer, Protocol):
    """A recognizer elsewhere, with a queue of its own, that may be out of reach for a while."""

    @property
    def wait(self) -> float:
        """Seconds that requests wait there at present."""
        ...

    @property
    def cost(self) -> float:
        """Seconds by which one request more makes all others wait."""
        ...

    @property
    def idle(self) -> float:
        """Share of their time for which its machines have nothing to do at present."""
        ...

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be reached at present."""
        ...

    def figures(self) -> Iterable[Figure]:
        """What there is to know of it."""
        ...
