"""Tokenizer of Whisper: text to tokens and back, special tokens, and whole words.

The byte-pair ranks are in ``assets/*.tiktoken``: one line per token, with its bytes in base64
and its rank. The special tokens follow the ranks in the order that OpenAI's reference
implementation gives them (Radford et al., 2022).
"""

from __future__ import annotations

import base64
import codecs
import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType

import tiktoken

from streamwhisper.audio.constants import (
    POSITIONS_PER_SECOND,
    SECONDS_PER_POSITION,
    WINDOW_POSITIONS,
)
from streamwhisper.errors import CheckpointError, RecognitionError
from streamwhisper.languages import LANGUAGES
from streamwhisper.recognition import Task
from streamwhisper.typography import punctuates
from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.word_boundaries import SpelledWord, word_runs

__all__ = ["Detokenizer", "SpelledWord", "Tokenizer", "get_tokenizer"]

_TIMESTAMPS = WINDOW_POSITIONS + 1
LATEST_START = POSITIONS_PER_SECOND
"""Latest first timestamp of the reference implementation, 1 s, in timestamp steps."""
# GPT-2's: contractions; letters, digits or signs with the space before them; white space.
_PATTERN = r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# (ranks, languages) of each vocabulary, by its size.
_VOCABULARIES = {51864: ("gpt2", 99), 51865: ("multilingual", 99), 51866: ("multilingual", 100)}
# Signs that are not spoken: transcripts use them in speaker labels, sound effects and lyrics.
_NON_SPEECH = [
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))", "(((", ")))"),
    *("[[", "]]", "{{", "}}", "♪♪", "♪♪♪"),
]
_MUSIC = "♩♪♫♬♭♮♯"
_BROKEN = "\ufffd"


class Tokenizer:
    """Tokens of one Whisper vocabulary; immutable.

    Attributes:
        n_vocab: number of tokens.
        multilingual: whether there are languages other than English.
        languages: language codes, in the order of their tokens.
        eot: end of text; every later token is special.
        sot: start of transcript.
        translate: task token for English text.
        transcribe: task token for text in the language of the speech.
        sot_lm: start of language model; never used in transcripts.
        sot_prev: start of the text before the window.
        no_speech: the window has no speech.
        no_timestamps: the transcript has no timestamp tokens.
        timestamp_begin: token for 0.00 s; later ones follow in steps of 0.02 s.
        latest_start: latest first timestamp of a transcript, in steps of 0.02 s.
    """

    def __init__(self, n_vocab: int, generation: GenerationConfig | None = None) -> None:
        """Read the ranks; `get_tokenizer` does so only once.

        Args:
            n_vocab: number of tokens of the model.
            generation: generation settings of the model.

        Raises:
            CheckpointError: no Whisper vocabulary has this size, or `generation` is for another
                vocabulary.
        """
        if n_vocab not in _VOCABULARIES:
            raise CheckpointError(
                f"no Whisper vocabulary has {n_vocab} tokens; expected one of "
                f"{', '.join(map(str, _VOCABULARIES))}"
            )
        name, languages = _VOCABULARIES[n_vocab]
        ranks = _read_ranks(name)
        self.n_vocab = n_vocab
        self._known_languages = tuple(LANGUAGES)[:languages]
        self._encoding = tiktoken.Encoding(
            name=name, pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={}
        )
        self._bytes = tuple(ranks)
        self.eot = len(ranks)
        self.sot = self.eot + 1
        self.translate = self.sot + 1 + languages
        self.transcribe = self.translate + 1
        self.sot_lm = self.translate + 2
        self.sot_prev = self.translate + 3
        self.no_speech = self.translate + 4
        self.no_timestamps = self.translate + 5
        self.timestamp_begin = self.translate + 6
        self._declared = generation = generation or GenerationConfig()
        self.multilingual = name == "multilingual" and generation.multilingual is not False
        self.languages = tuple(self.language_tokens)
        latest = generation.latest_start
        self.latest_start = LATEST_START if latest is None else latest
        self._refuse_another_vocabulary(name)

    def _refuse_another_vocabulary(self, name: str) -> None:
        declared = self._declared
        place = self.no_timestamps if declared.no_timestamps is None else declared.no_timestamps
        if place != self.no_timestamps:
            raise CheckpointError(
                f"generation_config.json declares no_timestamps_token_id = {place}; the "
                f"vocabulary of {self.n_vocab} tokens has it at {self.no_timestamps}"
            )
        if declared.multilingual and name != "multilingual":
            raise CheckpointError(
                "generation_config.json declares is_multilingual = true; the vocabulary of "
                f"{self.n_vocab} tokens only supports English"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n_vocab})"

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text`; spellings of special tokens are plain text."""
        return self._encoding.encode_ordinary(text)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token, maybe part of a character; special tokens have none."""
        return self._bytes[token] if token < self.eot else b""

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of `tokens` without special ones and without broken characters."""
        text = b"".join(map(self.token_bytes, tokens)).decode("utf-8", "ignore")
        return text.replace(_BROKEN, "")

    @cached_property
    def language_tokens(self) -> Mapping[str, int]:
        """Language tokens by language code. English-only models have them but ignore them."""
        declared = self._declared.languages
        if declared is not None:
            return MappingProxyType(dict(declared))
        return MappingProxyType(
            {code: token for token, code in enumerate(self._known_languages, self.sot + 1)}
        )

    @cached_property
    def special_tokens(self) -> Mapping[str, int]:
        """Every special token by the way it is written, such as ``<|endoftext|>``."""
        names = [
            "endoftext",
            "startoftranscript",
            *self._known_languages,
            "translate",
            "transcribe",
            "startoflm",
            "startofprev",
            "nospeech",
            "notimestamps",
            *(f"{step * SECONDS_PER_POSITION:.2f}" for step in range(_TIMESTAMPS)),
        ]
        return MappingProxyType(
            {f"<|{name}|>": token for token, name in enumerate(names, self.eot)}
        )

    @cached_property
    def non_speech_tokens(self) -> tuple[int, ...]:
        """Tokens to suppress because they are not spoken: brackets, speaker dashes, notes.

        Hyphens and apostrophes are suppressed only at the beginning of a word. Tokens that the
        model declares replace these.
        """
        if self._declared.suppress is not None:
            return self._declared.suppress
        tokens = {self.encode(" -")[0], self.encode(" '")[0]}
        for sign in (*_NON_SPEECH, *_MUSIC):
            for spelt in (self.encode(sign), self.encode(f" {sign}")):
                # The signs for music share their first bytes only with each other.
                if len(spelt) == 1 or sign in _MUSIC:
                    tokens.add(spelt[0])
        return tuple(sorted(tokens))

    @cached_property
    def blank_tokens(self) -> tuple[int, ...]:
        """Tokens that no transcript begins with, because it would be empty."""
        declared = self._declared.begin_suppress
        return (*self.encode(" "), self.eot) if declared is None else declared

    def sot_sequence(self, *, language: str | None, task: Task) -> tuple[int, ...]:
        """Return the tokens that begin a transcript, without ``<|notimestamps|>``.

        Raises:
            RecognitionError: the language is missing or not supported by the multilingual model.
        """
        if not self.multilingual:
            return (self.sot,)
        if language is None or language not in self.language_tokens:
            raise RecognitionError(
                f"language is {language!r}, which this model does not support; expected one of "
                f"{', '.join(self.languages)}"
            )
        return (
            self.sot,
            self.language_tokens[language],
            self.translate if task == "translate" else self.transcribe,
        )

    def timestamp_seconds(self, token: int) -> float | None:
        """Return the time of a timestamp token in seconds, or None for other tokens."""
        if token < self.timestamp_begin:
            return None
        return round((token - self.timestamp_begin) * SECONDS_PER_POSITION, 2)

    def split_words(self, tokens: Sequence[int]) -> list[SpelledWord]:
        """Split tokens into whole words (see `word_runs`); no word has half a character.

        Special tokens, which have no text, belong to a neighbour.

        Returns:
            the words. Together they cover the first n of `tokens`. The rest, ``tokens[n:]``, is
            incomplete: part of a character, or a space or opening bracket without its word.
        """
        texts, groups = self.characters(tokens)
        return [
            (
                "".join(texts[run.start : run.stop]),
                tuple(itertools.chain.from_iterable(groups[run.start : run.stop])),
            )
            for run in word_runs(texts)
        ]

    def mark_tokens(self, tokens: Sequence[int]) -> int:
        """Return how many tokens at the end of a word spell only punctuation."""
        texts, groups = self.characters(tokens)
        count = 0
        for text, group in zip(reversed(texts), reversed(groups), strict=True):
            if not all(map(punctuates, text.strip())):
                break
            count += len(group)
        return count

    def characters(self, tokens: Iterable[int]) -> tuple[list[str], list[tuple[int, ...]]]:
        """Return the smallest runs of tokens that end where a character ends, and their texts.

        Tokens at the end that are part of a character are left out.
        """
        detokenizer = Detokenizer(self)
        texts, groups = list[str](), list[tuple[int, ...]]()
        text, group = "", tuple[int, ...]()
        for token in tokens:
            text, group = text + detokenizer.push(token), (*group, token)
            if not detokenizer.pending:
                texts.append(text)
                groups.append(group)
                text, group = "", ()
        return texts, groups


class Detokenizer:
    """Incremental decoder of tokens; returns each character once it is complete.

    Bytes that form no character are dropped.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    @property
    def pending(self) -> bytes:
        """Bytes of an incomplete character."""
        return self._decoder.getstate()[0]

    def push(self, token: int) -> str:
        """Return the characters that `token` completes; often one word, sometimes none."""
        return self._decoder.decode(self._tokenizer.token_bytes(token)).replace(_BROKEN, "")


@lru_cache(maxsize=8)
def get_tokenizer(n_vocab: int, generation: GenerationConfig | None = None) -> Tokenizer:
    """Return the tokenizer of a model with `n_vocab` tokens; equal arguments share one.

    Args:
        n_vocab: number of tokens of the model.
        generation: generation settings of the model.

    Raises:
        CheckpointError: no Whisper vocabulary has this size, or `generation` does not fit it.
    """
    return Tokenizer(n_vocab, generation)


def _read_ranks(name: str) -> dict[bytes, int]:
    lines = Path(__file__).with_name("assets").joinpath(f"{name}.tiktoken").read_bytes()
    pairs = (line.split(b" ") for line in lines.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}
