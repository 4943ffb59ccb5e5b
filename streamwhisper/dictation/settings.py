"""The settings of dictation: a TOML file in the user's configuration folder."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import platformdirs

from streamwhisper.errors import StreamWhisperError
from streamwhisper.phrasing.phrases import PhraseOptions
from streamwhisper.validation import FieldError, did_you_mean, read, shown

__all__ = [
    "Destination",
    "ListeningSettings",
    "Settings",
    "SettingsError",
    "Times",
    "read_settings",
    "settings_path",
    "write_default",
]

T = TypeVar("T")


class SettingsError(StreamWhisperError, ValueError):
    """A settings file that cannot be read, or has what is no setting, or no value of one."""


@dataclass(frozen=True, slots=True)
class ListeningSettings:
    """What is listened to, and who listens: the section ``[listen]``.

    Attributes:
        microphone: its name, part of it, or its number; None: the system's.
        language: its code; None: the model tells.
        model: name, path or hub id.
        url: of a server; None: the engine runs in this process.
    """

    microphone: str | None = None
    language: str | None = None
    model: str = "tiny.en"
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """When it listens: the section ``[when]``.

    Attributes:
        mode: always, from one press of the hotkey to the next, or while it is held.
        hotkey: keys joined by ``+``; None: there is none.
        beep: whether it is heard when listening begins and ends.
    """

    mode: Literal["continuous", "toggle", "hold"] = "continuous"
    hotkey: str | None = None
    beep: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the text goes: the section ``[to]``.

    Attributes:
        to: the terminal, standard output, the focused window, the clipboard, a file, a program.
        output: for "file"; `command`: for "command", a program with its arguments.
        progressive: whether "type" types what may still change, too.
        paste: whether "type" pastes.
    """

    to: Literal["terminal", "stdout", "type", "clipboard", "file", "command"] = "terminal"
    output: str | None = None
    command: str | None = None
    progressive: bool = False
    paste: bool = False


@dataclass(frozen=True, slots=True)
class VocabularySettings:
    """Words that are likely to be misheard: the section ``[vocabulary]``."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them.

    Attributes:
        phrases: of the section of that name, with the language of ``[listen]`` (English where it
            names none) and the texts of ``[replace]``.
        vocabulary: words that are likely to be misheard.
    """

    listen: ListeningSettings = field(default_factory=ListeningSettings)
    when: Times = field(default_factory=Times)
    to: Destination = field(default_factory=Destination)
    phrases: PhraseOptions = field(default_factory=PhraseOptions)
    vocabulary: tuple[str, ...] = ()


SECTIONS = ("listen", "when", "to", "phrases", "replace", "vocabulary")
ELSEWHERE = ("language", "replace")
"""Fields of `PhraseOptions` that other sections set."""


def settings_path() -> Path:
    """Where the settings are looked for."""
    return Path(platformdirs.user_config_dir("streamwhisper", appauthor=False)) / "dictation.toml"


def read_settings(path: Path | None = None) -> Settings:
    """The settings of a file.

    Args:
        path: None: the one at `settings_path`, or the defaults if there is none.

    Raises:
        SettingsError: it cannot be read, or says what it should not; the message names the file,
            what was seen and what was expected.
    """
    if path is None and not settings_path().exists():
        return Settings()
    path = path or settings_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no {path}; `streamwhisper mic --init` writes one to begin with"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    try:
        return _settings(found)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def write_default(path: Path, force: bool = False) -> None:
    """Write a file of all settings as they are by default, with what they mean.

    It is there as a whole or not at all.

    Raises:
        SettingsError: there is a file already and `force` is not set, or none can be written.
    """
    default = files(__package__).joinpath("default.toml").read_bytes()
    path = path.resolve()  # what a link points to is written, and the link stays
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            new = Path(folder) / path.name
            new.write_bytes(default)
            if not force:
                _claim(path)
            new.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror or error}") from error


def _claim(path: Path) -> None:
    """Make an empty file where there is none; of two that do it at once, one is told."""
    try:
        path.open("x").close()
    except FileExistsError as error:
        raise SettingsError(f"{path} exists; --force writes over it") from error


def _settings(found: Mapping[str, Any]) -> Settings:
    for name in found:
        if name not in SECTIONS:
            raise ValueError(f"unknown section [{name}]; {did_you_mean(name, SECTIONS)}")
    listen = _section(ListeningSettings, "listen", found)
    phrases = _section(PhraseOptions, "phrases", found, without=ELSEWHERE)
    return Settings(
        listen,
        _section(Times, "when", found),
        _section(Destination, "to", found),
        replace(phrases, language=listen.language or "en", replace=_replacements(found)),
        _section(VocabularySettings, "vocabulary", found).words,
    )


def _replacements(found: Mapping[str, Any]) -> Mapping[str, str]:
    texts = _table("replace", found)
    for spoken, text in texts.items():
        _read(f"[replace] {spoken!r}", text, str)
    return texts


def _section(
    kind: type[T], name: str, found: Mapping[str, Any], without: tuple[str, ...] = ()
) -> T:
    """Return the dataclass of a section; `without` names fields that other sections set."""
    fields = {key: hint for key, hint in get_type_hints(kind).items() if key not in without}
    values = {}
    for key, value in _table(name, found).items():
        if key not in fields:
            raise ValueError(f"[{name}] has no {key!r}; {did_you_mean(key, fields)}")
        values[key] = _read(f"[{name}] {key}", value, fields[key])
    return kind(**values)


def _table(name: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise ValueError(f"{name} is {shown(table)}; expected a section [{name}]")
    return table


def _read(name: str, value: object, hint: Any) -> Any:
    try:
        return read(value, hint)
    except FieldError as error:
        raise ValueError(f"{name} {error}") from None
