"""Whisper's tokens: text to and from them, the special ones, and whole words.

The byte-pair ranks are in ``assets/*.tiktoken``: one line for each token, its bytes in base64
and its rank. The special tokens follow the ranks in the order that OpenAI's reference
implementation gives them (Radford et al., 2022).
"""

from __future__ import annotations

import base64
import codecs
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from streamwhisper.recognition import Task
from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.languages import LANGUAGES, UNSPACED_LANGUAGES

__all__ = ["Detokenizer", "SpelledWord", "Tokenizer", "get_tokenizer", "unspaced"]

SpelledWord = tuple[str, tuple[int, ...]]
"""A word as it is spelt, with its leading space if it has one, and its tokens."""

_TIMESTAMPS = WINDOW_POSITIONS + 1
LATEST_START = POSITIONS_PER_SECOND
"""The reference lets a transcript begin at 1 s at the latest."""
# GPT-2's: contractions; letters, digits or signs with the space before them; white space.
_PATTERN = r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# (ranks, languages) of each vocabulary, by its size.
_VOCABULARIES = {51864: ("gpt2", 99), 51865: ("multilingual", 99), 51866: ("multilingual", 100)}
# Signs nobody says: transcripts have them in speaker labels, sound notes and lyrics.
_NON_SPEECH = [
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))", "(((", ")))"),
    *("[[", "]]", "{{", "}}", "♪♪", "♪♪♪"),
]
_MUSIC = "♩♪♫♬♭♮♯"
_SPOKEN_SIGNS = frozenset("&%@#*/\\")
# Marks, modifiers (the Japanese long vowel, the Thai repetition) and joiners follow a letter.
_CLINGING = frozenset({"Mn", "Mc", "Me", "Lm", "Sk", "Cf"})
# Thai and Lao, Myanmar, East Asian signs and kana, Han, full and half width forms.
_UNSPACED_SCRIPTS = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0x3000, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFEF),
    (0x20000, 0x3FFFF),
)


class Tokenizer:
    """The tokens of one Whisper vocabulary; immutable, without a language of its own.

    Attributes:
        n_vocab: tokens in all.
        multilingual: whether there is more than English.
        languages: codes of its languages, in the order of their tokens.
        eot: end of text; every token from here on is special.
        sot: start of transcript.
        translate: the task of translating into English.
        transcribe: the task of writing down.
        sot_lm: start of language model (never used in transcripts).
        sot_prev: start of the text before the window.
        no_speech: nobody speaks.
        no_timestamps: the transcript has no timestamp tokens.
        timestamp_begin: the token for 0.00 s; the later ones follow in steps of 0.02 s.
        latest_start: the first timestamp of a transcript at the most, in these steps.
    """

    def __init__(self, n_vocab: int, generation: GenerationConfig | None = None) -> None:
        """Read the ranks; `get_tokenizer` does so once.

        Args:
            generation: what a model's folder declares, which is honoured.

        Raises:
            CheckpointError: no Whisper vocabulary has this size, or what is declared is of
                another one.
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
        """Return the tokens of `text`; what looks like a special token is text like any."""
        return self._encoding.encode_ordinary(text)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token, which may be part of a character; special: none."""
        return self._bytes[token] if token < self.eot else b""

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of `tokens`; special ones have none, broken characters are U+FFFD."""
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", "replace")

    @cached_property
    def language_tokens(self) -> Mapping[str, int]:
        """The language tokens by language code. English models have them but ignore them."""
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
        """Tokens to suppress because nobody says them: brackets, speaker dashes, notes.

        Hyphens and apostrophes are among them only at the beginning of a word. Where the model
        declares other tokens, they are these.
        """
        if self._declared.suppress is not None:
            return self._declared.suppress
        tokens = {self.encode(" -")[0], self.encode(" '")[0]}
        for sign in (*_NON_SPEECH, *_MUSIC):
            for spelt in (self.encode(sign), self.encode(f" {sign}")):
                # The signs for music share their first bytes with their kind alone.
                if len(spelt) == 1 or sign in _MUSIC:
                    tokens.add(spelt[0])
        return tuple(sorted(tokens))

    @cached_property
    def blank_tokens(self) -> tuple[int, ...]:
        """Tokens that no transcript begins with, as it would be empty."""
        declared = self._declared.begin_suppress
        return (*self.encode(" "), self.eot) if declared is None else declared

    def sot_sequence(self, *, language: str | None, task: Task) -> tuple[int, ...]:
        """Return the tokens that begin a transcript, without ``<|notimestamps|>``.

        Raises:
            RecognitionError: a multilingual model needs a language, and one it knows.
        """
        if not self.multilingual:
            return (self.sot,)
        if language is None or language not in self.language_tokens:
            raise RecognitionError(
                f"this model has no language {language!r}; expected one of "
                f"{', '.join(self.languages)}"
            )
        return (
            self.sot,
            self.language_tokens[language],
            self.translate if task == "translate" else self.transcribe,
        )

    def timestamp_seconds(self, token: int) -> float | None:
        """Return the seconds a timestamp token stands for, or None for any other token."""
        if token < self.timestamp_begin:
            return None
        return round((token - self.timestamp_begin) * SECONDS_PER_POSITION, 2)

    def split_words(
        self, tokens: Sequence[int], *, language: str | None = None
    ) -> list[SpelledWord]:
        """Split tokens into whole words; no word has half a character.

        A word begins at a space. Where a script has none (Chinese, Japanese, Thai, Lao,
        Burmese), it begins at each group of whole characters. Punctuation that stands alone
        belongs to the word before it, opening punctuation to the one after it, and special
        tokens, which have no text, to a neighbour.

        Args:
            tokens: of a text.
            language: its code; None to go by the script alone.

        Returns:
            The words. Together they cover the first n of `tokens`; the rest, ``tokens[n:]``,
            is what still waits: a character that is not whole yet, a space or an opening
            bracket without its word.
        """
        by_script = language is None or language in UNSPACED_LANGUAGES
        words: list[tuple[str, list[int]]] = []
        for text, group in self._whole_characters(tokens):
            if words and not _begins_word(words[-1][0], text, by_script=by_script):
                words[-1] = (words[-1][0] + text, words[-1][1] + group)
            else:
                words.append((text, group))
        return _join_punctuation(words)

    def _whole_characters(self, tokens: Iterable[int]) -> Iterator[tuple[str, list[int]]]:
        """The smallest runs of tokens that end where a character ends."""
        detokenizer = Detokenizer(self)
        text, group = "", []
        for token in tokens:
            text += detokenizer.push(token)
            group.append(token)
            if not detokenizer.pending:
                yield text, group
                text, group = "", []


class Detokenizer:
    """Turns tokens into text as they come; a character comes out when it is whole."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def pending(self) -> bytes:
        """The bytes of a character that is not whole yet."""
        return self._decoder.getstate()[0]

    def push(self, token: int) -> str:
        """Return the characters that `token` completes; often one word, sometimes nothing."""
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def finish(self) -> str:
        """Return U+FFFD for a character that was never completed, or nothing; start anew."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest


@lru_cache(maxsize=8)
def get_tokenizer(n_vocab: int, generation: GenerationConfig | None = None) -> Tokenizer:
    """Return the tokenizer of a model with `n_vocab` tokens, the same one each time.

    Args:
        generation: what the model's folder declares.

    Raises:
        CheckpointError: no Whisper vocabulary has this size, or what is declared does not fit.
    """
    return Tokenizer(n_vocab, generation)


def _read_ranks(name: str) -> dict[bytes, int]:
    lines = Path(__file__).with_name("assets").joinpath(f"{name}.tiktoken").read_bytes()
    pairs = (line.split(b" ") for line in lines.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def _begins_word(before: str, text: str, *, by_script: bool) -> bool:
    """Whether `text` begins a new word after `before`, by spaces and scripts alone."""
    if not text or not before.strip():
        return False  # special tokens, and spaces that wait for their word
    return text[0].isspace() or (by_script and _breaks(before, text[0]))


def _breaks(before: str, right: str) -> bool:
    """Whether the character `right` may begin a word after `before` without a space."""
    if _opens(before[-1]) or unicodedata.category(right) in _CLINGING:
        return False
    if _punctuates(right) and not _opens(right):
        return False
    left = next((sign for sign in reversed(before) if not _punctuates(sign)), before[-1])
    return unspaced(left) or unspaced(right)


def _join_punctuation(words: Iterable[tuple[str, list[int]]]) -> list[SpelledWord]:
    """Give punctuation that stands alone to the word before it, or else to the next one."""
    joined: list[SpelledWord] = []
    text, tokens = "", tuple[int, ...]()
    for word, group in words:
        text, tokens = text + word, (*tokens, *group)
        signs = "".join(text.split())
        if all(map(_opens, signs)):
            continue
        if not all(map(_punctuates, signs)):
            joined.append((text, tokens))
        elif joined:
            joined[-1] = (joined[-1][0] + text, joined[-1][1] + tokens)
        else:
            continue
        text, tokens = "", ()
    if not all(map(_opens, "".join(text.split()))):
        joined.append((text, tokens))
    return joined


def _opens(sign: str) -> bool:
    return unicodedata.category(sign) in ("Ps", "Pi") or sign in "¿¡"


def _punctuates(sign: str) -> bool:
    return unicodedata.category(sign).startswith("P") and sign not in _SPOKEN_SIGNS


def unspaced(character: str) -> bool:
    """Whether a character's script is written without spaces between words."""
    return any(first <= ord(character) <= last for first, last in _UNSPACED_SCRIPTS)
