"""The texts of the captions page: every language has every text, with the same placeholders."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from tests.support.paths import ROOT

WEB = ROOT / "clients" / "web"
STRINGS: dict[str, dict[str, str]] = json.loads(
    (WEB / "strings.js").read_text(encoding="utf-8").removeprefix("export default ").rstrip(";\n")
)
ENGLISH = STRINGS["en"]
PLACEHOLDER = re.compile(r"\{\w+\}")


@pytest.mark.parametrize("language", sorted(STRINGS))
def test_a_language_has_every_text_with_its_placeholders(language: str) -> None:
    texts = STRINGS[language]
    assert list(texts) == list(ENGLISH)
    assert [key for key, text in texts.items() if not text.strip()] == []
    for key, text in texts.items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(ENGLISH[key])), key


def test_the_page_is_available_in_five_languages() -> None:
    assert {"en", "de", "fr", "es", "ja"} <= set(STRINGS)


class Texts(HTMLParser):
    """The texts that the page has before its script runs, by key."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._key: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._key = given.get("data-t")
        for name in ("label", "placeholder", "title"):
            if key := given.get(f"data-t-{name}"):
                value = given.get("aria-label" if name == "label" else name)
                if value is not None:
                    self.found.append((key, value))

    def handle_data(self, data: str) -> None:
        if self._key is not None:
            self.found.append((self._key, data))
            self._key = None


def test_the_page_has_the_english_texts_before_its_script_runs() -> None:
    parser = Texts()
    parser.feed((WEB / "index.html").read_text(encoding="utf-8"))
    assert len(parser.found) > 30
    assert [(key, text) for key, text in parser.found if ENGLISH.get(key) != text] == []


def test_scripts_use_texts_that_exist() -> None:
    used = {
        key
        for file in WEB.glob("*.js")
        for key in re.findall(r"""\bt\(\s*"(\w+)\"""", file.read_text(encoding="utf-8"))
    }
    assert len(used) > 30
    assert used - set(ENGLISH) == set()
