"""Number words of a language, and the signs with which numbers are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from streamwhisper.phrasing.words import Key, key_of, keyed

__all__ = ["Cardinals", "Clock", "Decimals", "NumberWords", "Ordinals", "Units"]


@dataclass(frozen=True)
class Cardinals:
    """Words of whole numbers: ``[numbers.cardinals]`` of a data file.

    Attributes:
        names: names of 0 to 99, or of 0 to 19 with `tens`.
        scales: values of 100, 1000 and so on by name.
        tens: names of 20, 30, ... 90.
        hundreds: values of the names of 200, 300, ... 900, if they are one word.
        joins: words for "and" inside a number.
        zeros: other words for a zero among digits.
        years: whether years are spoken as two numbers.
        bare: whether a scale may stand without a number before it.
    """

    names: Sequence[str]
    scales: Mapping[str, int]
    tens: Sequence[str] = ()
    hundreds: Mapping[str, int] = field(default_factory=dict)
    joins: Sequence[str] = ()
    zeros: Sequence[str] = ()
    years: bool = False
    bare: bool = False

    @cached_property
    def values(self) -> dict[Key, int]:
        """Values of 0 to 99 by name."""
        found = {key_of(name): value for value, name in enumerate(self.names)}
        for ten, name in enumerate(self.tens, 2):
            found[key_of(name)] = ten * 10
            for one in range(1, 10):
                found[key_of(f"{name} {self.names[one]}")] = ten * 10 + one
        return found


@dataclass(frozen=True, slots=True)
class Decimals:
    """Decimals, fractions and the signs inside a number: ``[numbers.decimals]`` of a data file.

    Attributes:
        point: sign before decimals.
        group: sign between thousands.
        points: words for the decimal point.
        fractions: words after a number with which it stays in words.
    """

    point: str
    group: str
    points: Sequence[str] = ()
    fractions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ordinals:
    """Words of ordinals: ``[numbers.ordinals]`` of a data file.

    Attributes:
        values: values of ordinals by name.
        endings: suffixes of written ordinals: the usual one, then those of 1, 2 and 3.
    """

    values: Mapping[str, int] = field(default_factory=dict)
    endings: Sequence[str] = ("",)


@dataclass(frozen=True, slots=True)
class Units:
    """Words and signs of units: ``[numbers.units]`` of a data file.

    Attributes:
        before: signs written before an amount, by name, e.g. currencies.
        after: signs written after an amount, by name.
        cents: names of the hundredth part of a unit in `before`.
    """

    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    cents: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """Words of times of day: ``[numbers.clock]`` of a data file.

    Attributes:
        at: words before a time of day, after which hour and minutes may follow each other.
        around: other words before a time of day; after these, later hours are years.
        between: signs between hours and minutes, by the word between them; without a sign, such a
            time stays in words.
        after: written form of words after a time of day, by name.
    """

    at: Sequence[str] = ()
    around: Sequence[str] = ()
    between: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


_TOPICS: dict[str, type[Any]] = {
    "cardinals": Cardinals,
    "decimals": Decimals,
    "ordinals": Ordinals,
    "units": Units,
    "clock": Clock,
}


@dataclass(frozen=True)
class NumberWords:
    """Number words and formats of a language: the tables below ``[numbers]`` of a data file.

    Attributes:
        cardinals: words of whole numbers.
        decimals: decimals, fractions and the signs inside a number.
        ordinals: words of ordinals.
        units: words and signs of units.
        clock: words of times of day.
    """

    cardinals: Cardinals
    decimals: Decimals
    ordinals: Ordinals = field(default_factory=Ordinals)
    units: Units = field(default_factory=Units)
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def read(cls, tables: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return the number words in the tables of a data file."""
        return cls(**{topic: _TOPICS[topic](**words) for topic, words in tables.items()})

    @cached_property
    def names(self) -> dict[str, dict[Key, str]]:
        """Written scales, ordinals and signs by spoken words."""
        said = {"before": self.units.before, "after": self.units.after, "times": self.clock.after}
        listed = {
            "scales": self.cardinals.scales,
            "ordinals": self.ordinals.values,
            "hundreds": self.cardinals.hundreds,
            "clock": self.clock.between,
            "fractions": self.decimals.fractions,
        }
        return {name: keyed(signs) for name, signs in said.items()} | {
            kind: {key_of(name): name for name in names} for kind, names in listed.items()
        }

    def grouped(self, value: int) -> str:
        """Return `value` in digits, from 10,000 on with a sign between thousands."""
        sign = self.decimals.group
        return f"{value:,}".replace(",", sign) if value >= 10_000 else str(value)

    def ordinal(self, value: int) -> str:
        """Return `value` in digits as an ordinal."""
        one, endings = (0 if value % 100 in (11, 12, 13) else value % 10), self.ordinals.endings
        return self.grouped(value) + endings[one if one < len(endings) else 0]
