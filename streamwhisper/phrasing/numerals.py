"""Spoken numbers as digits: amounts, ordinals, decimals, years, times, digit by digit.

A number below ten stays a word, unless it has decimals, a percentage, a currency or a time of day.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamwhisper.phrasing.number_words import NumberWords
from streamwhisper.phrasing.words import Spoken

__all__ = ["WORDS", "read_number"]

WORDS = 12
"""Maximum number of words in a number."""
FROM = 10
"""Smallest number that is written in digits by itself."""
DIGITS = 3
"""Minimum number of consecutive digits that form one number."""
LARGE = 1_000_000
"""Smallest scale that is written in letters: 5 million."""


def read_number(
    words: Sequence[Spoken], at: int, numbers: NumberWords
) -> tuple[int, str | None] | None:
    """Return the number that begins at a word: its count of words, and its written form.

    None if no number begins there. The written form is None if it is better left in words: words
    that belong together are never part words, part digits.
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
    before = words[at - 1] if at else None
    heard = before.key[-1] if before and before.key and not before.paused else ""
    reader = _NumeralReader(parts, numbers, heard)
    run = reader.run()
    found = reader.number()
    if not run and found is None:
        return None
    if found is None or found[0] not in ends or found[0] < run:
        return next(count for count, end in enumerate(ends) if end >= run), None
    return ends.index(found[0]), found[1]


Read = tuple[int, str] | None


class _NumeralReader:
    """Parser of numbers; methods return the end of a number and its written form."""

    def __init__(self, parts: Sequence[str], numbers: NumberWords, before: str = "") -> None:
        self.parts = parts
        self.numbers = numbers
        self.cardinals = numbers.cardinals
        self.before = before

    def run(self) -> int:
        """Return the end of the words that belong to one number, or to several in a row."""
        end = points = 0
        most = WORDS if self.numbers.decimals.point == "." else 1
        while after := self.number_word(end):
            end = after
            for kind in ("fractions", "clock"):
                after, name = self.name(end, kind)
                if name and (kind == "fractions" or self.number_word(after)):
                    end = after
            # A second comma is a spoken sign; a second point is that of a version.
            point = self.part(end) in self.numbers.decimals.points and points < most
            points += point
            if (point or self.joined(end)) and self.number_word(end + 1):
                end += 1
        return end

    def number(self) -> Read:
        return (
            self.time()
            or self.digits()
            or self.ordinal()
            or self.price()
            or self.year()
            or self.amount()
        )

    def time(self) -> Read:
        """Parse a time of day: "three thirty p.m.", "eleven forty-five" after "at"."""
        end, hour = self.value(0)
        if not 1 <= hour <= 24:
            return None
        text = str(hour)
        minutes = self.pair(end)
        if minutes and minutes[1] < "60":
            end, text = minutes[0], f"{text}:{minutes[1]}"
        after, sign = self.name(end, "times")
        if sign:
            return after, text + sign
        exact = self.before in self.numbers.clock.at
        if ":" in text and (exact or (hour <= 12 and self.before in self.numbers.clock.around)):
            measured = any(self.name(end, kind)[1] for kind in ("before", "after", "scales"))
            return None if measured else (end, text)
        return self.clock(exact)

    def clock(self, exact: bool) -> Read:
        """Parse an hour, a word, and minutes: "trois heures trente", "tres y veinte" after "las".

        Args:
            exact: whether the words before are those before a time of day.
        """
        end, hour = self.value(0)
        end, word = self.name(end, "clock")
        end, minutes = self.value(end)
        sign = self.numbers.clock.between.get(word, "")
        if not sign or not 0 <= minutes < 60 or (sign == ":" and not exact):
            return None
        return end, f"{hour}{sign}{minutes:02}"

    def digits(self) -> Read:
        """Parse single digits: "five five five oh one"."""
        text = ""
        while (digit := self.digit(len(text))) is not None:
            text += digit
        spelled = len(text) >= DIGITS and self.parts[0] not in self.cardinals.zeros
        return (len(text), text) if spelled else None

    def ordinal(self) -> Read:
        """Parse an ordinal, from the tenth on."""
        end, value, _ = self.cardinal()
        if end and self.part(end) in self.cardinals.joins:
            end += 1
        end, name = self.name(end, "ordinals")
        if not name:
            return None
        last = self.numbers.ordinals.values[name]
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
        if not self.cardinals.years or not rest:
            return None
        # "Twelve thirty" is a time, "ten sixty-six" is not.
        if 13 <= century <= 20 or (10 <= century <= 12 and rest[1] >= "60"):
            return rest[0], f"{century}{rest[1]}"
        return None

    def price(self) -> Read:
        """Parse a price in two numbers: "nineteen ninety-nine dollars"."""
        end, units = self.value(0)
        cents = self.pair(end)
        if not self.cardinals.years or not cents or units < FROM:
            return None
        end, sign = self.name(cents[0], "before")
        return (end, f"{sign}{units}{self.numbers.decimals.point}{cents[1]}") if sign else None

    def amount(self) -> Read:
        """Parse an amount with decimals and a unit."""
        end, value, text = self.cardinal()
        if not end:
            return None
        figure = value >= FROM
        if self.part(end) in self.numbers.decimals.points:
            end, decimals = self.decimals(end)
            if decimals:
                text += decimals
                figure = True
                after, scale = self.name(end, "scales")
                if scale and self.cardinals.scales[scale] >= LARGE:
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

    def decimals(self, at: int) -> tuple[int, str]:
        """Parse decimals: "point one four", "point eleven"; return an empty text without them.

        Numbers with more than one point are versions: "point two point three".
        """
        text = ""
        while self.part(at) in self.numbers.decimals.points and (
            not text or self.numbers.decimals.point == "."
        ):
            digits = ""
            while (digit := self.digit(at + 1 + len(digits))) is not None:
                digits += digit
            end, value = self.value(at + 1)
            if value < 0 and not digits:
                break
            end, digits = (at + 1 + len(digits), digits) if digits else (end, str(value))
            at, text = end, text + self.numbers.decimals.point + digits
        return at, text

    def cents(self, at: int) -> tuple[int, str]:
        """Parse hundredth parts: "and fifty cents"; return an empty text without them."""
        end, value = self.value(at + (self.part(at) in self.cardinals.joins))
        if value < 0 or self.part(end) not in self.numbers.units.cents:
            return at, ""
        return end + 1, f"{self.numbers.decimals.point}{value:02}"

    def cardinal(self) -> tuple[int, int, str]:
        """Parse a whole number; return its end (0 without one), value and written form."""
        end = total = current = 0
        last, large = 10**18, ""
        fits = True  # whether a number below 100 may follow
        while True:
            after, value = self.value(end + (end > 0 and self.part(end) in self.cardinals.joins))
            if fits and value >= 0:
                end, current, fits = after, current + value, False
                continue
            after, name = self.name(end, "hundreds")
            if fits and name and not current:
                end, current = after, self.cardinals.hundreds[name]
                continue
            after, name = self.name(end, "scales")
            scale = self.cardinals.scales.get(name, 0)
            if not (current or (self.cardinals.bare and fits)):
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

    def number_word(self, at: int) -> int:
        """Return the end of a word that numbers are made of; 0 if there is none."""
        end, value = self.value(at)
        if value >= 0:
            return end
        if at and self.part(at) in self.cardinals.zeros:
            return at + 1
        for kind in ("scales", "hundreds", *(["ordinals"] if at else [])):
            end, name = self.name(at, kind)
            if name:
                return end
        return 0

    def joined(self, at: int) -> bool:
        """Return whether a word for "and" goes on with the number after a scale."""
        return self.part(at) in self.cardinals.joins and any(
            (self.part(at - 1),) == key for key in self.numbers.names["scales"]
        )

    def value(self, at: int) -> tuple[int, int]:
        """Parse the longest name of 0 to 99; return its end and value, −1 without one."""
        for end in range(min(at + 4, len(self.parts)), at, -1):
            value = self.cardinals.values.get(tuple(self.parts[at:end]))
            if value is not None:
                return end, value
        return at, -1

    def pair(self, at: int) -> Read:
        """Parse two digits after a number: "eighty-four", "oh five"."""
        end, value = self.value(at)
        if value >= 10:
            return end, str(value)
        digit = self.digit(at + 1)
        return (at + 2, f"0{digit}") if self.part(at) in self.cardinals.zeros and digit else None

    def digit(self, at: int) -> str | None:
        """Return a single digit; None if the part is none."""
        if self.part(at) in self.cardinals.zeros:
            return "0"
        value = self.cardinals.values.get((self.part(at),), 10)
        return str(value) if value < 10 else None

    def name(self, at: int, kind: str) -> tuple[int, str]:
        """Parse the longest name of a kind; return its end and written form, empty without one."""
        for end in range(min(at + 3, len(self.parts)), at, -1):
            if name := self.numbers.names[kind].get(tuple(self.parts[at:end])):
                return end, name
        return at, ""

    def part(self, at: int) -> str:
        return self.parts[at] if at < len(self.parts) else ""
