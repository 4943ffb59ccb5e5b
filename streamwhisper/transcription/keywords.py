"""Keywords of `streamwhisper.transcribe`: the common options, flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict, cast

from streamwhisper.keywords import check_known, merge
from streamwhisper.languages import normalize_language
from streamwhisper.recognition import Task
from streamwhisper.transcription.options import Clip, Method, TranscriptionOptions, WordOptions

__all__ = ["TranscriptionKeywords", "with_keywords"]


class TranscriptionKeywords(TypedDict, total=False):
    """Options of a transcription as plain keywords.

    Attributes:
        language: code, tag or English name, e.g. ``"de"``, ``"zh-TW"`` or ``"German"``; the
            default detects it.
        task: "transcribe", or "translate" into English.
        method: "chunked" is fast; "sequential" works as openai-whisper does.
        clips: stretches to transcribe, as pairs of seconds, of which the last end may be None; the
            default is the whole recording.
        word_timestamps: time every word.
        initial_prompt: text before the first window; sets names, spelling and style.
        carry_initial_prompt: put the initial prompt before every window; sequential only.
        prefix: text that every window begins with.
        condition_on_previous_text: prompt each window with the text so far; sequential only.
        vocabulary: names and terms to prefer when the audio is ambiguous; chunked only.
        hallucination_silence_threshold: skip silence of so many seconds around doubtful words;
            sequential only, needs `word_timestamps`.
        timestamps: cut the text into segments; False is faster and gives one for each chunk.
        beam_size: texts searched side by side; the default is greedy.
        best_of: texts drawn at temperatures above 0.
        patience: the beam search ends after this many times `beam_size` texts.
        length_penalty: exponent of the length, 0 to 1; the default is the mean.
        suppress_tokens: tokens never written; -1 stands for all non-speech signs.
        temperature: one temperature, or those to try in turn while a text is not accepted.
        compression_ratio_threshold: a text that compresses better is not accepted.
        logprob_threshold: a text with a lower mean log-probability is not accepted.
        no_speech_threshold: a doubtful window above this probability of no speech is silence.
        no_repeat_ngram: runs of so many tokens occur only once; 0 for no limit.
        repetition_penalty: penalty on tokens that occurred; 1 for none.
        batch_size: chunks computed together; chunked only.
        vad: skip silence; False transcribes all audio, as openai-whisper does.
    """

    language: str | None
    task: Task
    method: Method
    clips: Sequence[Clip]
    word_timestamps: bool
    initial_prompt: str | None
    carry_initial_prompt: bool
    prefix: str | None
    condition_on_previous_text: bool
    vocabulary: Sequence[str]
    hallucination_silence_threshold: float | None
    timestamps: bool
    beam_size: int | None
    best_of: int | None
    patience: float | None
    length_penalty: float | None
    suppress_tokens: Sequence[int] | None
    temperature: float | Sequence[float]
    compression_ratio_threshold: float | None
    logprob_threshold: float | None
    no_speech_threshold: float | None
    no_repeat_ngram: int
    repetition_penalty: float
    batch_size: int
    vad: bool


_FIELDS = {
    "language": "language",
    "task": "task",
    "method": "method",
    "clips": "clips",
    "word_timestamps": "words",
    "initial_prompt": "prompts.initial",
    "carry_initial_prompt": "prompts.carry_initial",
    "prefix": "prompts.prefix",
    "condition_on_previous_text": "prompts.condition_on_previous_text",
    "vocabulary": "prompts.vocabulary",
    "timestamps": "search.timestamps",
    "beam_size": "search.beam_size",
    "best_of": "search.best_of",
    "patience": "search.patience",
    "length_penalty": "search.length_penalty",
    "suppress_tokens": "search.suppress_tokens",
    "temperature": "fallback.temperatures",
    "compression_ratio_threshold": "fallback.compression_ratio_threshold",
    "logprob_threshold": "fallback.log_probability_threshold",
    "no_speech_threshold": "fallback.no_speech_threshold",
    "no_repeat_ngram": "search.repetition.no_repeat_ngram",
    "repetition_penalty": "search.repetition.repetition_penalty",
    "batch_size": "chunks.batch_size",
    "vad": "chunks.vad",
}
_SEQUENCES = ("clips", "vocabulary", "suppress_tokens", "temperature")
_SILENCE = "hallucination_silence_threshold"


def with_keywords(
    function: str, options: TranscriptionOptions | None, keywords: TranscriptionKeywords
) -> TranscriptionOptions:
    """Return `options` with the keywords of a call of `function`.

    Raises:
        TypeError: a keyword is unknown.
        ValueError: a keyword contradicts `options` or another keyword, or is out of range.
    """
    values: dict[str, object] = dict(keywords)
    check_known(function, values, [*_FIELDS, _SILENCE])
    silence = values.pop(_SILENCE, None)
    words = options.words if options is not None else None
    if "word_timestamps" in values:
        words = (words or WordOptions()) if values["word_timestamps"] else None
        values["word_timestamps"] = words
    if silence is not None:
        if words is None:
            raise ValueError(f"{_SILENCE} is {silence}; expected word_timestamps=True with it")
        values["word_timestamps"] = replace(
            words, hallucination_silence_threshold=cast("float", silence)
        )
    for name in _SEQUENCES:
        if name in values:
            values[name] = _as_tuple(name, values[name])
    if isinstance(language := values.get("language"), str):
        values["language"] = normalize_language(language) or None
    return merge(function, TranscriptionOptions(), options, values, _FIELDS)


def _as_tuple(name: str, value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"{name} is {value!r}; expected a list, e.g. {name}=[{value!r}]")
    if isinstance(value, int | float):
        return (value,)
    return value if value is None else tuple(cast("Sequence[object]", value))
