"""The data files of the languages."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import get_args

import pytest

from streamwhisper.phrasing.language_table import LONGEST, LanguageTable, languages, read_table
from streamwhisper.phrasing.text_buffer import Kind
from streamwhisper.phrasing.words import key_of, split_words
from tests.support.paths import DOCS


@pytest.mark.parametrize("language", languages())
def test_every_command_is_of_a_known_kind_and_named_once(language: str) -> None:
    table = read_table(language)
    for command in table.commands.things.values():
        if command.kind in get_args(Kind):
            assert command.write
        else:
            assert command.kind in ("scratch", "once", "span")
            assert command.write in ("", "upper", "lower", "title")
    file = files("streamwhisper.phrasing") / "languages" / f"{language}.toml"
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    names = [key_of(name) for entry in found["command"] for name in entry["said"]]
    assert len(names) == len(set(names)) == len(table.commands.things)
    assert max(map(len, names)) <= LONGEST


@pytest.mark.parametrize("language", languages())
def test_every_language_has_names_for_zero_to_ninety_nine(language: str) -> None:
    numbers = read_table(language).numbers
    assert numbers is not None
    assert sorted(numbers.cardinals.values.values()) == list(range(100))


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_usual_commands(language: str) -> None:
    kinds = {command.kind for command in read_table(language).commands.things.values()}
    assert kinds >= {"stop", "mark", "open", "close", "break", "scratch", "once", "span"}


def test_the_longest_name_is_found_first_and_none_over_a_pause() -> None:
    commands = read_table("en").commands
    assert [count for count, _ in commands.at(split_words("all caps on")[0], 0)] == [3, 2]
    assert commands.at(split_words("new, line")[0], 0) == []
    assert commands.at(split_words('"new line"')[0], 0) == []
    assert commands.at([], 0) == []


def test_an_unknown_language_has_an_empty_table() -> None:
    assert not read_table("../en").commands.things
    assert read_table("xx").numbers is LanguageTable().numbers is None


def test_the_commands_that_are_described_exist() -> None:
    text = (DOCS / "PHRASES.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    names = [name.strip() for row in rows[1:] for name in row.replace("…", ",").split(",")]
    assert len(names) > 30
    assert [name for name in names if key_of(name) not in read_table("en").commands.things] == []
