"""Commands are told from plain words."""

from __future__ import annotations

import pytest

from tests.support.dictated import put_out


@pytest.mark.parametrize(
    "said",
    [
        "It was a long period of time.",
        "It lasted for a long period.",
        "During the Meiji period, it grew.",
        "We had a two-week period.",
        "Period pieces are boring.",
        "The waiting period was over.",
        "Within the timeout period, nothing came.",
        "She likes this period.",
        "He bought period furniture.",
        "A comma is a sign.",
        "Comma is a word.",
        "I will put a comma here and a question mark there.",
        "The Oxford comma matters.",
        "John's comma was wrong.",
        "They are separated by comma or semicolon.",
        "He had colon cancer.",
        "The colon was removed.",
        "They made a dash for it.",
        "He will dash across the road.",
        "Add a dash of salt.",
        "She has a hyphen in her name.",
        "It came to a full stop.",
        "Full stop is what they say there.",
        "Hello newline there.",
        "I said no exclamation point.",
        "The patient's colon was fine.",
        "Dash it all, he said.",
        "She scratched that, it seems.",
        "There is a question mark over it.",
        "They launched a new line of products.",
        "Our new line manager is here.",
        "Start a new line, please.",
        "It begins with a new paragraph.",
        "He wanted to scratch that itch.",
        "Do not scratch that.",
        "It was written in all caps.",
        "He put all his caps on the table.",
        "The quote unquote expert left.",
        'He wrote "comma" on the board.',
        "Every newline in the file counts.",
        "An ellipsis is three dots.",
    ],
)
def test_a_plain_word_stays(said: str) -> None:
    assert put_out(said) == said


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("literal comma", "comma"),
        ("Write literal new line here", "Write new line here"),
        ("I like the word comma very much", "I like the word comma very much"),
        ("He took a literal period", "He took a literal period"),
        ("a literal reading", "a literal reading"),
    ],
)
def test_a_name_can_be_spoken_of(said: str, written: str) -> None:
    assert put_out(said) == written
