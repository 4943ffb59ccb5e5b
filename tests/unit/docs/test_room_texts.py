"""The texts about rooms: every language has every text, with the same placeholders."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

WEB = ROOT / "clients" / "web"
SOURCE = (WEB / "room-texts.js").read_text(encoding="utf-8")
TEXTS = {
    language: dict(re.findall(r'^    (\w+): "(.+)",$', body, re.MULTILINE))
    for language, body in re.findall(
        r"^  (\w\w): \{\n(.*?)^  \},$", SOURCE, re.MULTILINE | re.DOTALL
    )
}


def test_every_language_has_every_text_with_its_placeholders() -> None:
    assert {*TEXTS} == {"en", "de", "fr", "es", "ja"}
    for texts in TEXTS.values():
        assert [*texts] == [*TEXTS["en"]]
        for key, text in texts.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(
                re.findall(r"\{\w+\}", TEXTS["en"][key])
            )


def test_scripts_use_the_texts_and_no_others() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in WEB.glob("*.js"))
    assert set(re.findall(r'roomText\("(\w+)"', scripts)) == {*TEXTS["en"]}
