"""Number words of a language, and the signs with which numbers are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from streamwhisper.phrasing.words import Key, key_of, keyed

__all__ = ["NumberWords"]


@dataclass(frozen=True)
class NumberWords:
    """Section ``[numbers]`` of a language's data file: how numbers are spoken and written.

    Attributes:
        cardinals: names of 0 to 99, or of 0 to 19 with `tens`.
        scales: values of 100, 1000 and so on by name.
        point: sign before decimals.
        group: sign between thousands.
        tens: names of 20, 30, ... 90.
        ordinals: values of ordinals by name.
        endings: suffixes of written ordinals: the usual one, then those of 1, 2 and 3.
        joins: words for "and" inside a number.
        points: words for the decimal point.
        zeros: other words for a zero among digits.
        before: signs written before an amount, by name, e.g. currencies.
        after: signs written after an amount, by name.
        cents: names of the hundredth part of a unit in `before`.
        times: written form of words after a time of day, by name.
        at: words before a time of day, after which hour and minutes may follow each other.
        around: other words before a time of day; after these, later hours are years.
        clock: signs between hours and minutes, by the word between them; without a sign, such a
            time stays in words.
        fractions: words after a number with which it stays in words.
        hundreds: names of 200, 300, ... 900, if they are one word.
        years: whether years are spoken as two numbers.
        bare: whether a scale may stand without a number before it.
    """

    cardinals: Sequence[str]
    scales: Mapping[str, int]
    point: str
    group: str
    tens: Sequence[str] = ()
    ordinals: Mapping[str, int] = field(default_factory=dict)
    endings: Sequence[str] = ("",)
    joins: Sequence[str] = ()
    points: Sequence[str] = ()
    zeros: Sequence[str] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    cents: Sequence[str] = ()
    times: Mapping[str, str] = field(default_factory=dict)
    at: Sequence[str] = ()
    around: Sequence[str] = ()
    clock: Mapping[str, str] = field(default_factory=dict)
    fractions: Sequence[str] = ()
    hundreds: Mapping[str, int] = field(default_factory=dict)
    years: bool = False
    bare: bool = False

    @cached_property
    def values(self) -> dict[Key, int]:
        """Values of 0 to 99 by name."""
        found = {key_of(name): value for value, name in enumerate(self.cardinals)}
        for ten, name in enumerate(self.tens, 2):
            found[key_of(name)] = ten * 10
            for one in range(1, 10):
                found[key_of(f"{name} {self.cardinals[one]}")] = ten * 10 + one
        return found

    @cached_property
    def names(self) -> dict[str, dict[Key, str]]:
        """Written scales, ordinals and signs by spoken words."""
        said = {"before": self.before, "after": self.after, "times": self.times}
        listed = {
            "scales": self.scales,
            "ordinals": self.ordinals,
            "hundreds": self.hundreds,
            "clock": self.clock,
            "fractions": self.fractions,
        }
        return {name: keyed(signs) for name, signs in said.items()} | {
            kind: {key_of(name): name for name in names} for kind, names in listed.items()
        }

    def grouped(self, value: int) -> str:
        """Return `value` in digits, from 10,000 on with a sign between thousands."""
        return f"{value:,}".replace(",", self.group) if value >= 10_000 else str(value)

    def ordinal(self, value: int) -> str:
        """Return `value` in digits as an ordinal."""
        one = 0 if value % 100 in (11, 12, 13) else value % 10
        return self.grouped(value) + self.endings[one if one < len(self.endings) else 0]
