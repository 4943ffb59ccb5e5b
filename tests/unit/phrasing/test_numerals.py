"""Numbers that are said, as digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.phrasing.language_table import read_table
from tests.support.dictated import put_out

TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = {1_000_000_000: "billion", 1_000_000: "million", 1_000: "thousand", 100: "hundred"}


def spelled(value: int) -> str:
    """A number in English words."""
    for scale, name in SCALES.items():
        if value >= scale:
            rest = value % scale
            joined = " and " if scale == 100 else " "
            return f"{spelled(value // scale)} {name}" + (joined + spelled(rest) if rest else "")
    numbers = read_table("en").numbers
    assert numbers is not None
    if value < 20:
        return numbers.cardinals[value]
    return TENS[value // 10 - 2] + (f"-{numbers.cardinals[value % 10]}" if value % 10 else "")


@given(st.integers(10, 999_999))
def test_every_cardinal_from_ten_to_a_million_is_read(value: int) -> None:
    written = f"{value:,}" if value >= 10_000 else str(value)
    assert put_out(spelled(value), numbers=True) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("three hundred and twenty five people", "325 people"),
        ("Twenty-five, thirty.", "25, 30."),
        ("nineteen hundred", "1900"),
        ("one million two hundred thousand", "1,200,000"),
        ("two point five million people", "2.5 million people"),
        ("the twenty-first century", "the 21st century"),
        ("the twenty fifth of May", "the 25th of May"),
        ("the eleventh hour", "the 11th hour"),
        ("the one hundred and third man", "the 103rd man"),
        ("the two hundredth day", "the 200th day"),
        ("three point one four", "3.14"),
        ("zero point five", "0.5"),
        ("nineteen eighty-four", "1984"),
        ("in nineteen oh five", "in 1905"),
        ("twenty twenty six", "2026"),
        ("two thousand and twelve", "2012"),
        ("five percent", "5%"),
        ("ninety nine per cent", "99%"),
        ("five dollars and fifty cents", "$5.50"),
        ("five million dollars", "$5 million"),
        ("two point five million dollars", "$2.5 million"),
        ("twenty euros", "€20"),
        ("at three thirty p.m. we left", "at 3:30 p.m. we left"),
        ("at three thirty pm.", "at 3:30 p.m."),
        ("at nine oh five a.m.", "at 9:05 a.m."),
        ("at five o'clock", "at 5 o’clock"),
        ("call five five five one two one two", "call 5551212"),
        ("room one oh one", "room 101"),
    ],
)
def test_what_is_a_figure_is_written_in_digits(said: str, written: str) -> None:
    assert put_out(said, numbers=True) == written


@pytest.mark.parametrize(
    "said",
    [
        "one of them",
        "the first two",
        "a two-week break",
        "a hundred people",
        "and then one, two, three, four",
        "my point is five",
        "oh no",
        "a million thanks",
        "the second time",
        "the twenty second clip",
        "am I late",
    ],
)
def test_what_is_none_stays(said: str) -> None:
    assert put_out(said, numbers=True) == said


@pytest.mark.parametrize(
    ("language", "said", "written"),
    [
        ("de", "es sind zweiundvierzig Prozent", "es sind 42 %"),
        ("de", "drei Komma fünf", "3,5"),
        ("de", "zwanzig tausend", "20.000"),
        ("de", "fünf Millionen Euro", "5 Millionen €"),
        ("fr", "quatre-vingt-dix-sept euros", "97\u00a0€"),
        ("fr", "soixante et onze pour cent", "71\u202f%"),
        ("fr", "deux cent douze", "212"),
        ("fr", "mille neuf cent", "1900"),
        ("es", "treinta y cinco por ciento", "35 %"),
        ("es", "dos coma cinco", "2,5"),
        ("es", "cien mil euros", "100.000 €"),
    ],
)
def test_other_languages_have_their_own_signs(language: str, said: str, written: str) -> None:
    assert put_out(said, language=language, numbers=True) == written
