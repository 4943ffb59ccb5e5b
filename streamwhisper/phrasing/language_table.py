"""Data of a language for spoken commands and numbers, from a file in ``languages/``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any, Generic, Literal, TypeVar

from streamwhisper.phrasing.number_words import NumberWords
from streamwhisper.phrasing.text_buffer import Kind
from streamwhisper.phrasing.words import Key, Spoken, key_of, keyed

__all__ = ["LONGEST", "Command", "LanguageTable", "Named", "NounContext", "languages", "read_table"]

T = TypeVar("T")

LONGEST = 12
"""Maximum number of words in a phrase."""


@dataclass(frozen=True, slots=True)
class Command:
    """Effect of a spoken command.

    Attributes:
        kind: spacing of its signs, or its effect: ``scratch`` erases an utterance, ``once`` and
            ``span`` change the case of the next word or of all following words.
        write: signs to write, or the name of a case.
        strict: whether it needs a pause, an end or another command beside it.
        not_after: words before it that make it a plain word.
        not_before: words after it that make it a plain word.
        endings: endings of `not_after` words behind a determiner.
    """

    kind: Kind | Literal["scratch", "once", "span"]
    write: str = ""
    strict: bool = False
    not_after: frozenset[Key] = frozenset()
    not_before: frozenset[Key] = frozenset()
    endings: tuple[str, ...] = ()


class Named(Generic[T]):
    """Lookup of values by spoken name.

    Attributes:
        things: values by the keys of their names.
        longest: number of words in the longest name.
    """

    def __init__(self, things: Mapping[Key, T] | None = None) -> None:
        self.things = things or {}
        self.longest = max(map(len, self.things), default=0)
        self._firsts = {key[0] for key in self.things}

    def at(self, words: Sequence[Spoken], at: int) -> Sequence[tuple[int, T]]:
        """Return the values whose names begin at a word, longest first, with their word counts.

        A pause inside a name, or quotes around a word, prevent a match.
        """
        found: list[tuple[int, T]] = []
        if at == len(words) or words[at].key[:1] == () or words[at].key[0] not in self._firsts:
            return found
        key: Key = ()
        for count, word in enumerate(words[at : at + self.longest], 1):
            key += word.key
            if word.mentioned:
                break
            if key in self.things:
                found.insert(0, (count, self.things[key]))
            if word.paused:
                break
        return found


@dataclass(frozen=True, slots=True)
class NounContext:
    """Words around a command's name that make it a noun; a language's file has one list of each.

    Attributes:
        determiners: words after which a command's name is a noun.
        adjectives: words after a determiner, after which a command's name is a noun.
        pronouns: words after which the name of a strict command is a noun.
        prepositions: words after which the name of a sign is a noun.
        followers: words before which the name of a sign is a noun.
        spans: words that make a name a noun before a determiner and another word.
    """

    determiners: frozenset[Key] = frozenset()
    adjectives: frozenset[Key] = frozenset()
    pronouns: frozenset[Key] = frozenset()
    prepositions: frozenset[Key] = frozenset()
    followers: frozenset[Key] = frozenset()
    spans: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class LanguageTable:
    """Data of a language, from its file.

    Attributes:
        commands: commands by name.
        nouns: words around a command's name that make it a noun.
        escapes: phrases that make the following name plain text; True omits the phrase itself.
        small: words without a capital of their own.
        fillers: words that may be left out.
        profanity: words that may be masked.
        numbers: how numbers are spoken and written.
    """

    commands: Named[Command] = field(default_factory=Named)
    nouns: NounContext = field(default_factory=NounContext)
    escapes: Named[bool] = field(default_factory=Named)
    small: frozenset[str] = frozenset()
    fillers: frozenset[Key] = frozenset()
    profanity: frozenset[Key] = frozenset()
    numbers: NumberWords | None = None


def languages() -> list[str]:
    """Return the codes of the languages that have a data file."""
    folder = files(__package__) / "languages"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@cache
def read_table(language: str) -> LanguageTable:
    """Return the data of a language by code; empty for a language without a file."""
    if language not in languages():
        return LanguageTable()
    file = files(__package__) / "languages" / f"{language}.toml"
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    commands: dict[Key, Command] = {}
    for entry in found["command"]:
        commands |= dict.fromkeys(map(key_of, entry.pop("said")), _command(**entry))
    escapes = dict.fromkeys(found["mention"], False) | dict.fromkeys(found["literal"], True)
    return LanguageTable(
        commands=Named(commands),
        nouns=NounContext(**{part.name: _keys(found[part.name]) for part in fields(NounContext)}),
        escapes=Named(keyed(escapes)),
        small=frozenset(found["small"]),
        fillers=_keys(found["fillers"]),
        profanity=_keys(found["profanity"]),
        numbers=NumberWords.read(found["numbers"]),
    )


def _command(
    not_after: Sequence[str] = (),
    not_before: Sequence[str] = (),
    endings: Sequence[str] = (),
    **rest: Any,
) -> Command:
    return Command(
        not_after=_keys(not_after), not_before=_keys(not_before), endings=tuple(endings), **rest
    )


def _keys(words: Iterable[str]) -> frozenset[Key]:
    return frozenset(map(key_of, words))
