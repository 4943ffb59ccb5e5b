"""Spoken numbers as digits: amounts, ordinals, decimals, years, times, digit by digit.

A number below ten stays a word, unless it has decimals, a percentage, a currency or a time of day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from streamwhisper.phrasing.words import Key, Spoken, key_of, keyed

__all__ = ["WORDS", "NumberWords", "read_number"]

WORDS = 12
"""Maximum number of words in a number."""
FROM = 10
"""Smallest number that is written in digits by itself."""
DIGITS = 3
"""Minimum number of consecutive digits that form one number."""
LARGE = 1_000_000
"""Smallest scale that is written in letters: 5 million."""


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
        return {name: keyed(signs) for name, signs in said.items()} | {
            "scales": {key_of(name): name for name in self.scales},
            "ordinals": {key_of(name): name for name in self.ordinals},
        }

    def grouped(self, value: int) -> str:
        """Return `value` in digits, from 10,000 on with a sign between thousands."""
        return f"{value:,}".replace(",", self.group) if value >= 10_000 else str(value)

    def ordinal(self, value: int) -> str:
        """Return `value` in digits as an ordinal."""
        one = 0 if value % 100 in (11, 12, 13) else value % 10
        return self.grouped(value) + self.endings[one if one < len(self.endings) else 0]


def read_number(words: Sequence[Spoken], at: int, numbers: NumberWords) -> tuple[int, str] | None:
    """Return the number that begins at a word: its count of words, and its written form.

    None if no number begins there, or it is better left in words.
    """
    parts: list[str] = []
    ends = [0]  # where words end, in parts
    for word in words[at : at + WORDS]:
        if word.mentioned or not word.key:
            break
        parts += word.key
        ends.append(len(parts))
        if word.paused:
            break
    found = _NumeralReader(parts, numbers).number()
    if found is None or found[0] not in ends:
        return None
    return ends.index(found[0]), found[1]


Read = tuple[int, str] | None


class _NumeralReader:
    """Parser of numbers; methods return the end of a number and its written form."""

    def __init__(self, parts: Sequence[str], numbers: NumberWords) -> None:
        self.parts = parts
        self.numbers = numbers

    def number(self) -> Read:
        return self.time() or self.digits() or self.ordinal() or self.year() or self.amount()

    def time(self) -> Read:
        """Parse a time of day: "three thirty p.m."."""
        end, hour = self.value(0)
        if not 1 <= hour <= 24:
            return None
        text = str(hour)
        minutes = self.pair(end)
        if minutes and minutes[1] < "60":
            end, text = minutes[0], f"{text}:{minutes[1]}"
        end, sign = self.name(end, "times")
        return (end, text + sign) if sign else None

    def digits(self) -> Read:
        """Parse single digits: "five five five oh one"."""
        text = ""
        while (digit := self.digit(len(text))) is not None:
            text += digit
        spelled = len(text) >= DIGITS and self.parts[0] not in self.numbers.zeros
        return (len(text), text) if spelled else None

    def ordinal(self) -> Read:
        """Parse an ordinal, from the tenth on."""
        end, value, _ = self.cardinal()
        if end and self.part(end) in self.numbers.joins:
            end += 1
        end, name = self.name(end, "ordinals")
        if not name:
            return None
        last = self.numbers.ordinals[name]
        if value and last >= 100:
            value *= last
        elif value % 100 == 0 or (
            value % 100 >= 20 and value % 10 == 0 and last in (1, *range(3, 10))
        ):
            value += last  # except 2: "twenty second" is ambiguous
        else:
            return None
        return (end, self.numbers.ordinal(value)) if value >= FROM else None

    def year(self) -> Read:
        """Parse a year in two numbers: "nineteen eighty-four", "nineteen oh five"."""
        end, century = self.value(0)
        rest = self.pair(end)
        if not self.numbers.years or not rest or not 10 <= century <= 21:
            return None
        return rest[0], f"{century}{rest[1]}"

    def amount(self) -> Read:
        """Parse an amount with decimals and a unit."""
        end, value, text = self.cardinal()
        if not end:
            return None
        figure = value >= FROM
        if self.part(end) in self.numbers.points:
            decimals = ""
            while (digit := self.digit(end + 1 + len(decimals))) is not None:
                decimals += digit
            if decimals:
                end, text = end + 1 + len(decimals), text + self.numbers.point + decimals
                figure = True
                after, scale = self.name(end, "scales")
                if scale and self.numbers.scales[scale] >= LARGE:
                    end, text = after, f"{text} {scale}"
        after, sign = self.name(end, "after")
        if sign:
            return after, text + sign
        after, sign = self.name(end, "before")
        if sign:
            after, cents = self.cents(after)
            return after, sign + text + cents
        doubtful = self.name(end, "ordinals")[1]  # "twenty second" may be an ordinal or a duration
        return (end, text) if figure and not doubtful else None

    def cents(self, at: int) -> tuple[int, str]:
        """Parse hundredth parts: "and fifty cents"; return an empty text without them."""
        end, value = self.value(at + (self.part(at) in self.numbers.joins))
        if value < 0 or self.part(end) not in self.numbers.cents:
            return at, ""
        return end + 1, f"{self.numbers.point}{value:02}"

    def cardinal(self) -> tuple[int, int, str]:
        """Parse a whole number; return its end (0 without one), value and written form."""
        end = total = current = 0
        last, large = 10**18, ""
        fits = True  # whether a number below 100 may follow
        while True:
            after, value = self.value(end + (end > 0 and self.part(end) in self.numbers.joins))
            if fits and value >= 0:
                end, current, fits = after, current + value, False
                continue
            after, name = self.name(end, "scales")
            scale = self.numbers.scales.get(name, 0)
            if not (current or (self.numbers.bare and fits)):
                break
            if scale == 100 and current < 100:
                current = (current or 1) * 100
            elif 100 < scale < last:
                large = f"{current or 1} {name}" if scale >= LARGE and not total else ""
                total, current, last = total + (current or 1) * scale, 0, scale
            else:
                break
            end, fits = after, True
        if current or not large:
            large = self.numbers.grouped(total + current)
        return end, total + current, large

    def value(self, at: int) -> tuple[int, int]:
        """Parse the longest name of 0 to 99; return its end and value, −1 without one."""
        for end in range(min(at + 4, len(self.parts)), at, -1):
            value = self.numbers.values.get(tuple(self.parts[at:end]))
            if value is not None:
                return end, value
        return at, -1

    def pair(self, at: int) -> Read:
        """Parse two digits after a number: "eighty-four", "oh five"."""
        end, value = self.value(at)
        if value >= 10:
            return end, str(value)
        digit = self.digit(at + 1)
        return (at + 2, f"0{digit}") if self.part(at) in self.numbers.zeros and digit else None

    def digit(self, at: int) -> str | None:
        """Return a single digit; None if the part is none."""
        if self.part(at) in self.numbers.zeros:
            return "0"
        value = self.numbers.values.get((self.part(at),), 10)
        return str(value) if value < 10 else None

    def name(self, at: int, kind: str) -> tuple[int, str]:
        """Parse the longest name of a kind; return its end and written form, empty without one."""
        for end in range(min(at + 3, len(self.parts)), at, -1):
            if name := self.numbers.names[kind].get(tuple(self.parts[at:end])):
                return end, name
        return at, ""

    def part(self, at: int) -> str:
        return self.parts[at] if at < len(self.parts) else ""
