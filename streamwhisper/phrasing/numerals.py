"""Numbers that are said, as digits: amounts, ordinals, decimals, years, times, digit by digit.

Below ten a number stays a word, unless a point, a percentage, a currency or a time of day makes
a figure of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from streamwhisper.phrasing.words import Key, Spoken, key_of, keyed

__all__ = ["WORDS", "NumberWords", "read_number"]

WORDS = 12
"""Words that a number can have."""
FROM = 10
"""The least number that is written in digits by itself."""
DIGITS = 3
"""The least digits in a row that are one number."""
LARGE = 1_000_000
"""From here on a scale is written in letters: 5 million."""


@dataclass(frozen=True)
class NumberWords:
    """How numbers are said and written in a language, as its data file says it.

    Attributes:
        cardinals: the names of 0 to 99; of 0 to 19 if there are `tens`, of 20, 30, ... 90.
        scales: 100, 1000 and so on; `bare`: whether they may stand without a number before them.
        ordinals: by their names; `endings`: how they are written: most, and those of 1, 2, 3.
        joins, points, zeros: "and", "point", and what else a zero is called among digits.
        point, group: the signs before decimals and between thousands.
        years: whether a year is said as two numbers.
        before, after: signs of what is counted, and on which side they are written.
        cents: names of the hundredth part of what is in `before`.
        times: what follows a time of day, and how it is written.
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
        """0 to 99 by their names."""
        found = {key_of(name): value for value, name in enumerate(self.cardinals)}
        for ten, name in enumerate(self.tens, 2):
            found[key_of(name)] = ten * 10
            for one in range(1, 10):
                found[key_of(f"{name} {self.cardinals[one]}")] = ten * 10 + one
        return found

    @cached_property
    def names(self) -> dict[str, dict[Key, str]]:
        """Scales, ordinals and signs as they are written, by what is said."""
        said = {"before": self.before, "after": self.after, "times": self.times}
        return {name: keyed(signs) for name, signs in said.items()} | {
            "scales": {key_of(name): name for name in self.scales},
            "ordinals": {key_of(name): name for name in self.ordinals},
        }

    def grouped(self, value: int) -> str:
        """In digits, from 10,000 on with a sign between the thousands."""
        return f"{value:,}".replace(",", self.group) if value >= 10_000 else str(value)

    def ordinal(self, value: int) -> str:
        """In digits, as a place in a row."""
        one = 0 if value % 100 in (11, 12, 13) else value % 10
        return self.grouped(value) + self.endings[one if one < len(self.endings) else 0]


def read_number(words: Sequence[Spoken], at: int, numbers: NumberWords) -> tuple[int, str] | None:
    """The number that begins at a word: how many words it takes, and how it is written.

    None if there is none, or it is better left in words.
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
    """Reads numbers off parts of words: where each ends, and how it is written."""

    def __init__(self, parts: Sequence[str], numbers: NumberWords) -> None:
        self.parts = parts
        self.numbers = numbers

    def number(self) -> Read:
        return self.time() or self.digits() or self.ordinal() or self.year() or self.amount()

    def time(self) -> Read:
        """A time of day: "three thirty p.m."."""
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
        """Digit by digit: "five five five oh one"."""
        text = ""
        while (digit := self.digit(len(text))) is not None:
            text += digit
        spelled = len(text) >= DIGITS and self.parts[0] not in self.numbers.zeros
        return (len(text), text) if spelled else None

    def ordinal(self) -> Read:
        """A place in a row, from the tenth on."""
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
            value += last  # but for 2: twenty second what?
        else:
            return None
        return (end, self.numbers.ordinal(value)) if value >= FROM else None

    def year(self) -> Read:
        """Two numbers for a year: "nineteen eighty-four", "nineteen oh five"."""
        end, century = self.value(0)
        rest = self.pair(end)
        if not self.numbers.years or not rest or not 10 <= century <= 21:
            return None
        return rest[0], f"{century}{rest[1]}"

    def amount(self) -> Read:
        """An amount, with decimals and what is counted."""
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
        doubtful = self.name(end, "ordinals")[1]  # "twenty second": a place, or a time?
        return (end, text) if figure and not doubtful else None

    def cents(self, at: int) -> tuple[int, str]:
        """The hundredth parts: "and fifty cents"; empty if there are none."""
        end, value = self.value(at + (self.part(at) in self.numbers.joins))
        if value < 0 or self.part(end) not in self.numbers.cents:
            return at, ""
        return end + 1, f"{self.numbers.point}{value:02}"

    def cardinal(self) -> tuple[int, int, str]:
        """A whole number: its end, 0 if there is none; its value; how it is written."""
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
        """The longest name of 0 to 99: its end and value; −1 if there is none."""
        for end in range(min(at + 4, len(self.parts)), at, -1):
            value = self.numbers.values.get(tuple(self.parts[at:end]))
            if value is not None:
                return end, value
        return at, -1

    def pair(self, at: int) -> Read:
        """Two digits that follow a number: "eighty-four", "oh five"."""
        end, value = self.value(at)
        if value >= 10:
            return end, str(value)
        digit = self.digit(at + 1)
        return (at + 2, f"0{digit}") if self.part(at) in self.numbers.zeros and digit else None

    def digit(self, at: int) -> str | None:
        """A single digit."""
        if self.part(at) in self.numbers.zeros:
            return "0"
        value = self.numbers.values.get((self.part(at),), 10)
        return str(value) if value < 10 else None

    def name(self, at: int, kind: str) -> tuple[int, str]:
        """The longest name of a kind: its end, and how it is written; empty if there is none."""
        for end in range(min(at + 3, len(self.parts)), at, -1):
            if name := self.numbers.names[kind].get(tuple(self.parts[at:end])):
                return end, name
        return at, ""

    def part(self, at: int) -> str:
        return self.parts[at] if at < len(self.parts) else ""
