"""Settings of dictation: a TOML file in the user's configuration folder."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import platformdirs

from streamwhisper.dictation.keyboards.paste_keys import PasteKeys
from streamwhisper.errors import StreamWhisperError, UnknownLanguageError, reason_of
from streamwhisper.languages import normalize_language
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
    """A settings file that cannot be read, or has an unknown setting or an invalid value."""


@dataclass(frozen=True, slots=True)
class ListeningSettings:
    """Section ``[listen]``: microphone, language and engine.

    Attributes:
        microphone: name, part of a name, or number; None: the system's default.
        language: language code; None detects it.
        model: name, path or hub id of the model.
        url: address of a server; None runs the engine in this process.
        channel: the only channel to use, counted from 1; None mixes those that carry audio.
    """

    microphone: str | None = None
    language: str | None = None
    model: str = "tiny.en"
    url: str | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """Section ``[when]``: when dictation listens.

    Attributes:
        mode: always, between two presses of the hotkey, or while it is held.
        hotkey: keys joined by ``+``; None uses the default of the mode.
        beep: whether tones play when listening starts and ends.
    """

    mode: Literal["continuous", "toggle", "hold"] = "continuous"
    hotkey: str | None = None
    beep: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """Section ``[to]``: where the text goes.

    Attributes:
        to: kind of output; "type" is the focused window.
        output: file for "file".
        command: program with arguments for "command".
        progressive: whether "type" also types text that may still change.
        paste: whether "type" pastes.
        paste_keys: keys that paste; "auto" chooses them by the focused window.
    """

    to: Literal["terminal", "stdout", "type", "clipboard", "file", "command"] = "terminal"
    output: str | None = None
    command: str | None = None
    progressive: bool = False
    paste: bool = False
    paste_keys: PasteKeys = "auto"


@dataclass(frozen=True, slots=True)
class VocabularySettings:
    """Section ``[vocabulary]``: names and terms to prefer."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections of the file.

    Attributes:
        listen: microphone, language and engine.
        when: when dictation listens.
        to: where the text goes.
        phrases: section ``[phrases]``, with the language of ``[listen]`` (default: English) and
            the texts of ``[replace]``.
        vocabulary: names and terms to prefer.
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
    """Return the default path of the settings file."""
    return Path(platformdirs.user_config_dir("streamwhisper", appauthor=False)) / "dictation.toml"


def read_settings(path: Path | None = None) -> Settings:
    """Read a settings file.

    Args:
        path: file; None reads `settings_path()`, or returns the defaults if it does not exist.

    Raises:
        SettingsError: the file cannot be read or is invalid; the message names the file, the
            value and what was expected.
    """
    if path is None and not settings_path().exists():
        return Settings()
    path = path or settings_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"{path} does not exist; create it with `streamwhisper mic --init`"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {reason_of(error)}") from error
    try:
        return _settings(found)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def write_default(path: Path, force: bool = False) -> None:
    """Write a commented file of all default settings, atomically.

    Raises:
        SettingsError: the file exists and `force` is not set, or it cannot be written.
    """
    default = files(__package__).joinpath("default.toml").read_bytes()
    path = path.resolve()  # a link stays; its target is written
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
    """Create an empty file; of two concurrent calls, one fails."""
    try:
        path.open("x").close()
    except FileExistsError as error:
        raise SettingsError(f"{path} exists; overwrite it with --force") from error


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
        replace(phrases, language=_spoken(listen), replace=_replacements(found)),
        _section(VocabularySettings, "vocabulary", found).words,
    )


def _spoken(listen: ListeningSettings) -> str:
    """Return the code of the language of spoken commands."""
    try:
        tag = normalize_language(listen.language or "")
    except UnknownLanguageError as error:
        raise ValueError(f"[listen] language: {error}") from None
    return tag.partition("-")[0] or "en"


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
        known = key.replace("-", "_")  # settings may have the names of flags
        if known not in fields:
            raise ValueError(f"[{name}] has no {key!r}; {did_you_mean(key, fields)}")
        values[known] = _read(f"[{name}] {key}", value, fields[known])
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
