"""Recognition requests, hypotheses, and the `Recognizer` protocol between sessions and engines.

A `RecognitionRequest` carries everything that its answer depends on, so `Recognizer.recognize` is
a pure function: requests of different sessions can share a batch, a failed request can be sent
again, and the recognizer can run in another process or on another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streamwhisper.deprecation import grouped_fields
from streamwhisper.errors import RecognitionError, UnknownLanguageError
from streamwhisper.languages import LANGUAGES, Language, language_name, parse_language

__all__ = [
    "DecodingOptions",
    "Figure",
    "Hypothesis",
    "HypothesisWord",
    "LanguageOptions",
    "ModelInfo",
    "RecognitionRequest",
    "Recognizer",
    "RemoteRecognizer",
    "RemoteState",
    "Task",
    "TextContext",
    "remote_state",
]

Task = Literal["transcribe", "translate"]
Ending = Literal["end_of_text", "length", "rate", "loop", "rewind", "no_speech"]
_USUAL_LANGUAGES = tuple(code for code in LANGUAGES if code != "yue")
_FEW = 8


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """Decoding options of one request.

    Attributes:
        timestamps: let the model write its timestamp tokens; they never become words.
        max_tokens: maximum number of new tokens in a hypothesis.
        max_tokens_per_second: maximum number of new tokens per second of audio after the prefix.
            A decoder in a loop writes far more than a fast talker says.
        no_speech_threshold: probability of no speech above which a hypothesis is empty, if its
            mean log probability is also below `log_probability_threshold`.
        log_probability_threshold: mean log probability below which `no_speech_threshold` applies.
        compression_ratio_threshold: ratio of zlib compression above which a text counts as
            repetitive; the hypothesis is cut where the repetition begins.
    """

    timestamps: bool = False
    max_tokens: int = 224
    max_tokens_per_second: float = 9.0
    no_speech_threshold: float = 0.6
    log_probability_threshold: float = -1.0
    compression_ratio_threshold: float = 2.4


@dataclass(frozen=True, slots=True)
class TextContext:
    """Context of a window: text known besides the window's own words.

    Attributes:
        prompt: tokens of the text before the window.
        initial_prompt: text before the prompt, for names, spelling and style.
        vocabulary: words and phrases to prefer when the audio is ambiguous.
    """

    prompt: tuple[int, ...] = ()
    initial_prompt: str = ""
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """Languages of a request's speech and of its text.

    Attributes:
        languages: codes or tags that detection chooses from; empty allows all of the model.
        detect: report language probabilities although the language is given.
        task: "transcribe", or "translate" for English text of speech in any language.
    """

    languages: tuple[str, ...] = ()
    detect: bool = False
    task: Task = "transcribe"


@grouped_fields("context", TextContext, "prompt", "initial_prompt", "vocabulary")
@grouped_fields("language_options", LanguageOptions, "languages", "detect", "task")
@dataclass(frozen=True, slots=True, eq=False)
class RecognitionRequest:
    """One window of audio and what is already known of its text.

    Attributes:
        mel: clamped and scaled log-mel frames of the audio without padding, float32
            ``[n_mels, n_frames]``, 10 ms each, 1 to 3000 frames.
        prefix: tokens already committed in this window; the hypothesis continues them.
        prefix_end: end of the last prefix word, in seconds from the window's start.
        draft: expected tokens after the prefix. A draft never changes the answer; a correct one
            makes it faster.
        context: text before the window, and vocabulary.
        language: language code, e.g. ``"en"``; None lets a multilingual model detect it.
        language_options: candidates of the detection, and whether to translate.
        final: the answer commits the rest of an utterance; schedulers prefer such requests.
        options: decoding options.
        past: `Hypothesis.past` of an earlier, shorter state of this window. It makes the answer
            much cheaper. Without it everything is computed afresh, with nearly the same result.
    """

    mel: NDArray[np.float32]
    prefix: tuple[int, ...] = ()
    prefix_end: float = 0.0
    draft: tuple[int, ...] = ()
    context: TextContext = field(default_factory=TextContext)
    language: str | None = None
    language_options: LanguageOptions = field(default_factory=LanguageOptions)
    final: bool = False
    options: DecodingOptions = field(default_factory=DecodingOptions)
    past: object | None = None


@dataclass(frozen=True, slots=True)
class HypothesisWord:
    """One whole word of a hypothesis; never part of a UTF-8 sequence.

    Attributes:
        text: spelling of the tokens, with the leading space if there is one.
        tokens: tokens of the word.
        start: onset by cross-attention, in seconds from the window's start.
        end: onset of the next word, or the end of the audio, in seconds from the window's start.
        log_probability: mean over the tokens.
        mark_tokens: number of tokens at the end that spell only punctuation.
    """

    text: str
    tokens: tuple[int, ...]
    start: float
    end: float
    log_probability: float
    mark_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Recognized text after the prefix of one request.

    Attributes:
        words: recognized words, in order.
        language: code of the given or detected language.
        ending: reason why decoding stopped. Anything other than ``"end_of_text"`` means that a
            guard stopped it, so the last words are less reliable.
        no_speech_probability: probability of no speech according to the model.
        log_probability: mean over all new tokens; 0.0 if there are none.
        drafted: number of draft tokens that were accepted.
        languages: probability by language code, most likely first; empty if not requested.
        past: opaque state for the next request about the same window once it has grown; only the
            recognizer that returned it can use it.
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
        """Text of all words, as the model spelled it."""
        return "".join(word.text for word in self.words)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Tokens of all words."""
        return tuple(token for word in self.words for token in word.tokens)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Properties of a model that sessions depend on.

    Attributes:
        name: name of the model, e.g. ``"tiny.en"``.
        n_mels: mel bins that the model takes, 80 or 128.
        multilingual: whether a transcript begins with its language and task.
        languages: codes of the languages that the model knows. By default English, or the 99
            languages that every multilingual Whisper knows.
    """

    name: str
    n_mels: int
    multilingual: bool
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        usual = _USUAL_LANGUAGES if self.multilingual else ("en",)
        object.__setattr__(self, "languages", tuple(self.languages) or usual)

    def language(self, value: str) -> Language | None:
        """Return the language that a client names; None: it is to be detected.

        Args:
            value: a code, a tag or an English name; see `parse_language`.

        Raises:
            UnknownLanguageError: the model does not know the language.
        """
        found = parse_language(value, {*self.languages, *LANGUAGES})
        if found is None or found.code in self.languages:
            return found
        if self.languages == ("en",):
            raise UnknownLanguageError(
                f'language is "{found.code}", but model "{self.name}" only supports English; '
                'use "en" or a multilingual model'
            )
        few = len(self.languages) <= _FEW
        others = f"one of {', '.join(self.languages)}" if few else "another language"
        raise UnknownLanguageError(
            f"{self.name} does not know {language_name(found.code)}; choose {others}, or leave it "
            "out to detect the language"
        )

    def check_languages(self, languages: Iterable[str]) -> None:
        """Raise UnknownLanguageError if the model does not know one of these languages."""
        for language in languages:
            self.language(language)

    def check_task(self, task: Task) -> None:
        """Raise RecognitionError if the model does not support the task."""
        if task != "transcribe" and not self.multilingual:
            raise RecognitionError(
                f'task is "{task}", but model "{self.name}" only supports English; use '
                '"transcribe" or a multilingual model'
            )


class Figure(NamedTuple):
    """One value that a recognizer reports to the metrics of a server.

    Attributes:
        name: metric name.
        explanation: description for readers of the metrics.
        value: function that returns the current value; called on any thread.
    """

    name: str
    explanation: str
    value: Callable[[], float]


class RemoteState(Protocol):
    """State of a recognizer that runs elsewhere, with a queue of its own."""

    @property
    def wait(self) -> float:
        """Current waiting time of requests there, in seconds."""
        ...

    @property
    def cost(self) -> float:
        """Seconds by which one more request delays all others."""
        ...

    @property
    def idle(self) -> float:
        """Current idle share of its machines, 0 to 1."""
        ...

    @property
    def obstacle(self) -> str | None:
        """Reason why it cannot be reached at present; None while it can."""
        ...

    def figures(self) -> Iterable[Figure]:
        """Return values for the metrics of a server."""
        ...


class Recognizer(Protocol):
    """Engine that answers recognition requests; thread-safe, without session state.

    A recognizer in this process may leave `remote` out; read it with `remote_state`.
    """

    @property
    def info(self) -> ModelInfo:
        """Properties of the model."""
        ...

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Return one hypothesis for each request, in order.

        The answers do not depend on which requests share a call.

        Raises:
            RecognitionError: a request cannot be answered.
        """
        ...


class RemoteRecognizer(Recognizer, Protocol):
    """Recognizer that runs elsewhere and declares its state."""

    @property
    def remote(self) -> RemoteState | None:
        """State of the recognizer; None if it runs in this process."""
        ...


def remote_state(recognizer: Recognizer) -> RemoteState | None:
    """Return the `remote` member of a recognizer; None if it has none."""
    state: RemoteState | None = getattr(recognizer, "remote", None)
    return state
