"""The settings of dictation, in their file."""

from __future__ import annotations

import re
import stat
from dataclasses import fields
from pathlib import Path

import pytest

from streamwhisper.dictation.settings import (
    Destination,
    ListeningSettings,
    Settings,
    SettingsError,
    Times,
    read_settings,
    settings_path,
    write_default,
)
from streamwhisper.phrasing.phrases import PhraseOptions


def test_the_default_file_says_what_holds_without_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "dictation.toml"
    write_default(file)
    assert read_settings(file) == Settings()


def test_the_default_file_shows_every_setting_with_a_value_it_takes(tmp_path: Path) -> None:
    file = tmp_path / "dictation.toml"
    write_default(file)
    shown = re.sub(r"(?m)^# (?=\S+ = |\"my)", "", file.read_text(encoding="utf-8"))
    file.write_text(shown, encoding="utf-8")
    settings = read_settings(file)
    named = set(re.findall(r"(?m)^(\w+) = ", shown))
    for kind in (ListeningSettings, Times, Destination, PhraseOptions):
        assert named >= {field.name for field in fields(kind)} - {"replace"}
    assert settings.phrases == PhraseOptions(replace={"my address": "1 Example Street"})
    assert settings.vocabulary == ("Montfichet", "Fitzooth")
    assert settings.listen.model == ListeningSettings().model
    assert (settings.when.mode, settings.to.to) == (Times().mode, Destination().to)


def test_every_section_is_read(tmp_path: Path) -> None:
    file = tmp_path / "dictation.toml"
    file.write_text(
        """
        listen = { microphone = "USB", language = "de", model = "base", url = "ws://127.0.0.1:1/" }
        when = { mode = "toggle", hotkey = "f9", beep = true }
        to = { to = "command", command = "cat -n", progressive = true }
        phrases = { numbers = true, scratch = false }
        replace = { mfg = "Mit freundlichen Grüßen" }
        vocabulary = { words = ["Grüße"] }
        """,
        encoding="utf-8",
    )
    assert read_settings(file) == Settings(
        ListeningSettings("USB", "de", "base", "ws://127.0.0.1:1/"),
        Times("toggle", "f9", True),
        Destination("command", None, "cat -n", True),
        PhraseOptions(
            language="de", numbers=True, scratch=False, replace={"mfg": "Mit freundlichen Grüßen"}
        ),
        ("Grüße",),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[lissten]", r"unknown section \[lissten\]; did you mean 'listen'\?"),
        (
            "[listen]\nmicrofone = 'x'",
            r"\[listen\] has no 'microfone'; did you mean 'microphone'\?",
        ),
        ("[phrases]\nlanguage = 'de'", r"\[phrases\] has no 'language'; did you mean"),
        ("[phrases]\nnumbers = 1", r"\[phrases\] numbers is 1; expected true or false"),
        ("[listen]\nmodel = true", r"\[listen\] model is true; expected a string"),
        (
            "[when]\nmode = 'x'",
            r"mode is \"x\"; expected one of \"continuous\", \"toggle\", \"hold\"",
        ),
        ("[when]\nmode = ['x']", r"mode is \[\"x\"\]; expected one of"),
        ("[to]\ncommand = ['cat']", r"\[to\] command is \[\"cat\"\]; expected a string or null"),
        ("[replace]\nx = 3", r"\[replace\] 'x' is 3; expected a string"),
        ("[replace]\n'' = 'x'", r"the replacement of '' is for 0 words; expected 1 to 12"),
        ("[vocabulary]\nwords = [1]", r"\[vocabulary\] words is \[1\]; expected a list of strings"),
        ("vocabulary = ['x']", r"vocabulary is \[\"x\"\]; expected a section \[vocabulary\]"),
        ("[listen]\nmodel", r"cannot read .*dictation\.toml: "),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "dictation.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=said) as caught:
        read_settings(file)
    assert str(file) in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"x\.toml does not exist; create it with `streamwhisper mic --init`"
    ):
        read_settings(tmp_path / "x.toml")
    with pytest.raises(SettingsError, match="cannot read"):
        read_settings(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# \xe4")
    with pytest.raises(SettingsError, match="cannot read"):
        read_settings(tmp_path / "latin.toml")


def test_a_file_is_written_over_only_by_force(tmp_path: Path) -> None:
    file = tmp_path / "dictation.toml"
    file.write_text("mine")
    with pytest.raises(SettingsError, match=r"exists; overwrite it with --force"):
        write_default(file)
    assert file.read_text() == "mine"
    write_default(file, force=True)
    assert read_settings(file) == Settings()
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text("mine")
    link.symlink_to(real)
    write_default(link, force=True)
    assert link.is_symlink()
    assert read_settings(real) == Settings()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot write .*: "):
        write_default(tmp_path / "file" / "dictation.toml")


def test_without_a_file_in_its_place_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CONFIG_HOME", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    path = settings_path()
    assert path.is_relative_to(tmp_path)
    assert read_settings() == Settings()
    write_default(path)
    path.write_text("[listen]\nlanguage = 'fr'", encoding="utf-8")
    assert read_settings().phrases.language == "fr"
    assert stat.S_ISREG(path.stat().st_mode)


@pytest.mark.parametrize("name", ["paste_keys", "paste-keys"])
def test_a_setting_may_have_the_name_of_its_flag(tmp_path: Path, name: str) -> None:
    file = tmp_path / "dictation.toml"
    file.write_text(f'to = {{ {name} = "shift+insert" }}')
    assert read_settings(file).to.paste_keys == "shift+insert"
    file.write_text(f'to = {{ {name} = "ctrl+p" }}')
    with pytest.raises(SettingsError, match=r'"ctrl\+p".*ctrl\+shift\+v'):
        read_settings(file)
