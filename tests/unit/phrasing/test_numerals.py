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
    names = numbers.cardinals.names
    if value < 20:
        return names[value]
    return TENS[value // 10 - 2] + (f"-{names[value % 10]}" if value % 10 else "")


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
        ("at eleven forty-five tomorrow", "at 11:45 tomorrow"),
        ("at ten ten", "at 10:10"),
        ("at nineteen thirty", "at 19:30"),
        ("from nine thirty to ten fifteen", "from 9:30 to 10:15"),
        ("by twenty twenty-six", "by 2026"),
        ("since nineteen forty-five", "since 1945"),
        ("ten sixty-six", "1066"),
        ("three point eleven", "3.11"),
        ("version one point two point three", "version 1.2.3"),
        ("nineteen ninety-nine dollars", "$19.99"),
        ("two hundred dollars and fifty cents", "$200.50"),
        ("thirty six point six", "36.6"),
        ("one hundred ten thousand", "110,000"),
        ("minus ten degrees", "minus 10 degrees"),
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
        "twelve thirty",
        "ten ten",
        "seven twenty two",
        "one twenty five",
        "two fifty",
        "eleven twelve thirteen",
        "two hundred three hundred",
        "chapter three twenty pages",
        "a hundred and fifty people",
        "twelve and a half million",
        "two and a half million",
        "ten past three",
        "at ten twenty percent",
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
        ("de", "drei Komma elf", "3,11"),
        ("de", "um drei dreißig", "um 3:30"),
        ("de", "um drei Uhr dreißig", "um 3 Uhr 30"),
        ("de", "zwölf dreißig", "zwölf dreißig"),
        ("de", "zehn nach drei", "zehn nach drei"),
        ("fr", "trois heures trente", "3 heures 30"),
        ("fr", "trois virgule onze", "3,11"),
        ("fr", "dix et demi", "dix et demi"),
        ("fr", "trois trente", "trois trente"),
        ("es", "a las tres y veinte", "a las 3:20"),
        ("es", "las doce y media", "las doce y media"),
        ("es", "mil novecientos ochenta y cuatro", "1984"),
        ("es", "doce treinta", "doce treinta"),
    ],
)
def test_other_languages_have_their_own_signs(language: str, said: str, written: str) -> None:
    assert put_out(said, language=language, numbers=True) == written


ONES = st.sampled_from(["zero", "two", "seven", "ten", "eleven", "twelve", "nineteen"])
NUMBERS = ONES | st.sampled_from([*TENS, "twenty-two", "ninety-nine"])
MORE = st.sampled_from(["hundred", "thousand", "million", "oh two", "point seven", "past three"])


@given(NUMBERS, st.lists(NUMBERS | MORE, max_size=5), st.sampled_from(["", "at ", "the "]))
def test_words_of_numbers_in_a_row_are_never_part_words_and_part_digits(
    first: str, others: list[str], before: str
) -> None:
    row = before + " ".join([first, *others])
    written = put_out(row, numbers=True)
    if any(sign.isdigit() for sign in written):
        words = written.removeprefix(before).split()
        # Only a large scale is written after digits: 5 million.
        assert [word for word in words if word.isalpha() and word != "million"] == []
