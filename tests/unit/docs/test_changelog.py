"""The changelog's table of moved modules is that of the code."""

from __future__ import annotations

import re

import streamwhisper
from streamwhisper.moved import MODULES
from streamwhisper.version import __version__
from tests.support.paths import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_moved_modules_are_where_the_changelog_says() -> None:
    rows = re.findall(r"^ *\| (`streamwhisper\..+?) \| (`.+?`) \|$", CHANGELOG, re.MULTILINE)
    assert len(rows) >= 5
    for old, new in rows:
        names = (re.findall(r"`([\w.]+)`", cell) for cell in (old, new))
        for before, after in zip(*names, strict=True):
            assert MODULES[before] == after


def test_renamed_fields_are_those_of_the_code() -> None:
    table = CHANGELOG.partition("| class | old | new |")[2].partition("\n\n")[0]
    rows = re.findall(r"^ *\| (?:`(\w+)` )?\| `(\w+)` \| `(\w+)` \|$", table, re.MULTILINE)
    assert len(rows) == 18
    owner = ""
    for name, old, new in rows:
        owner = name or owner
        assert getattr(streamwhisper, owner).__dict__[old].__doc__ == f"Old name of `{new}`."


def test_this_version_has_an_entry() -> None:
    assert f"\n## [{__version__}] - " in CHANGELOG
