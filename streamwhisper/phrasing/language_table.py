"""What is said in a language, and what becomes of it: its data file under ``languages/``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Generic, Literal, TypeVar

from streamwhisper.phrasing.numerals import NumberWords
from streamwhisper.phrasing.text_buffer import Kind
from streamwhisper.phrasing.words import Key, Spoken, key_of, keyed

__all__ = ["LONGEST", "Command", "LanguageTable", "Named", "languages", "read_table"]

T = TypeVar("T")

WORD_LISTS = (
    "determiners",
    "adjectives",
    "pronouns",
    "prepositions",
    "followers",
    "spans",
    "fillers",
    "profanity",
)

LONGEST = 12
"""Words that a phrase can have."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a phrase does.

    Attributes:
        kind: how its signs are written, or what it does: ``scratch`` takes back an utterance,
            ``once`` and ``span`` change the casing of the next word and of all that follow.
        write: the signs; of a casing, its name.
        strict: whether it needs a pause, an end or another command beside it.
        not_after, not_before: words that make a plain word of it; `endings`: what the former may
            end with behind a determiner.
    """

    kind: Kind | Literal["scratch", "once", "span"]
    write: str = ""
    strict: bool = False
    not_after: frozenset[Key] = frozenset()
    not_before: frozenset[Key] = frozenset()
    endings: tuple[str, ...] = ()


class Named(Generic[T]):
    """Things that are found by what is said for them.

    Attributes:
        things: by their names' keys.
        longest: words of the longest name.
    """

    def __init__(self, things: Mapping[Key, T] | None = None) -> None:
        self.things = things or {}
        self.longest = max(map(len, self.things), default=0)
        self._firsts = {key[0] for key in self.things}

    def at(self, words: Sequence[Spoken], at: int) -> Sequence[tuple[int, T]]:
        """What is named from a word on, longest name first, each with how many words that takes.

        A pause inside, or quotes around a word, make something else of it.
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
class LanguageTable:
    """All that is known of a language.

    Attributes:
        commands: by their names.
        determiners, adjectives: words that make a noun of a command's name behind them.
        pronouns: words that do it with a strict one alone.
        prepositions, followers: words that do it with a sign's name behind, or before them.
        spans: words that do it before a determiner and another word.
        escapes: phrases after which it is one, too, and whether they are left out themselves.
        small: words that have no capital of their own.
        fillers, profanity: words that may be left out, or masked.
        numbers: how numbers are said.
    """

    commands: Named[Command] = field(default_factory=Named)
    determiners: frozenset[Key] = frozenset()
    adjectives: frozenset[Key] = frozenset()
    pronouns: frozenset[Key] = frozenset()
    prepositions: frozenset[Key] = frozenset()
    followers: frozenset[Key] = frozenset()
    spans: frozenset[Key] = frozenset()
    escapes: Named[bool] = field(default_factory=Named)
    small: frozenset[str] = frozenset()
    fillers: frozenset[Key] = frozenset()
    profanity: frozenset[Key] = frozenset()
    numbers: NumberWords | None = None


def languages() -> list[str]:
    """The codes of the languages that have a table."""
    folder = files(__package__) / "languages"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@cache
def read_table(language: str) -> LanguageTable:
    """The table of a language, by its code; an empty one for a language that has none."""
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
        escapes=Named(keyed(escapes)),
        small=frozenset(found["small"]),
        numbers=NumberWords(**found["numbers"]),
        **{name: _keys(found[name]) for name in WORD_LISTS},
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
