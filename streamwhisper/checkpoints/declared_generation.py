"""Reader of the generation settings in a model's folder (``generation_config.json``).

Fine-tuned models can have other languages or other suppressed tokens than their base models. Fields
that are missing are read from ``config.json``, as in older folders and those of CTranslate2. Source
of the fields: ``generation_whisper.py`` of Hugging Face's transformers. Does not import torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamwhisper.checkpoints.model_folder import CONFIG, GENERATION_CONFIG, read_json
from streamwhisper.errors import CheckpointError
from streamwhisper.whisper.generation_config import GenerationConfig

__all__ = ["declared_generation"]

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")


def declared_generation(folder: Path, n_vocab: int) -> GenerationConfig:
    """Return the generation settings that the folder declares.

    Args:
        folder: folder of the model.
        n_vocab: number of tokens of the model.

    Raises:
        CheckpointError: a file cannot be read, or has values that do not fit the model.
    """
    declared: dict[str, tuple[Path, Any]] = {}
    for path in (folder / CONFIG, folder / GENERATION_CONFIG):
        if path.is_file():
            found = read_json(path)
            declared |= {name: (path, value) for name, value in found.items() if value is not None}
    config = _Declared(declared, n_vocab)
    return GenerationConfig(
        config.tokens("suppress_tokens", "suppress_ids"),
        config.tokens("begin_suppress_tokens", "suppress_ids_begin"),
        config.languages("lang_to_id"),
        config.flag("is_multilingual"),
        config.number("no_timestamps_token_id"),
        config.number("max_initial_timestamp_index"),
    )


@dataclass(frozen=True, slots=True)
class _Declared:
    """Declared fields by name, each with its file."""

    fields: Mapping[str, tuple[Path, Any]]
    n_vocab: int

    def tokens(self, *names: str) -> tuple[int, ...] | None:
        """Return the tokens of the first of these fields that exists."""
        name = next((name for name in names if name in self.fields), None)
        if name is None:
            return None
        value = self.fields[name][1]
        if not isinstance(value, list) or not all(map(self._is_token, value)):
            raise self._refused(name, f"a list of tokens from 0 to {self.n_vocab - 1}")
        return tuple(value)

    def languages(self, name: str) -> tuple[tuple[str, int], ...] | None:
        """Return the codes and tokens of a field such as ``{"<|en|>": 50259}``."""
        if name not in self.fields:
            return None
        value = self.fields[name][1]
        fine = isinstance(value, dict) and all(
            _LANGUAGE.fullmatch(key) and self._is_token(token) for key, token in value.items()
        )
        if not fine or not value:
            raise self._refused(
                name, f"languages such as '<|en|>' with tokens from 0 to {self.n_vocab - 1}"
            )
        return tuple((key[2:-2], token) for key, token in sorted(value.items(), key=_second))

    def flag(self, name: str) -> bool | None:
        """Return the value of a boolean field."""
        value = self.fields[name][1] if name in self.fields else None
        if value is not None and not isinstance(value, bool):
            raise self._refused(name, "true or false")
        return value

    def number(self, name: str) -> int | None:
        """Return the value of an integer field, 0 or more."""
        value: int | None = self.fields[name][1] if name in self.fields else None
        if value is not None and (type(value) is not int or value < 0):
            raise self._refused(name, "an integer, 0 or more")
        return value

    def _is_token(self, value: object) -> bool:
        return isinstance(value, int) and type(value) is int and 0 <= value < self.n_vocab

    def _refused(self, name: str, expected: str) -> CheckpointError:
        path, value = self.fields[name]
        seen = repr(value)
        seen = seen if len(seen) <= 80 else f"{seen[:77]}..."
        return CheckpointError(f"{path}: {name!r} is {seen}; expected {expected}")


def _second(pair: tuple[str, int]) -> int:
    return pair[1]
