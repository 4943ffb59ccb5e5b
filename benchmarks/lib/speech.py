"""Recordings with references, from a folder of real speech.

``STREAMWHISPER_SPEECH`` names the folder; the default is ``../shared/speech``. Clips are listed in
``manifest.jsonl`` (one JSON object a line: ``id``, ``set``, ``path``, ``text``, ``words``);
``longform.jsonl`` names clips that join to a long recording.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lib.measure import SpokenWord, normalize_english
from streamwhisper.audio.files import read_audio

__all__ = [
    "SAMPLE_RATE",
    "Recording",
    "clips",
    "joined",
    "load",
    "normalized",
    "speech_folder",
    "tokens",
]

SAMPLE_RATE = 16000


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Sound and what is said in it.

    Attributes:
        key: names the sound for good: the item, the gap and where it was cut.
        samples: float32 mono ``[n]`` at 16 kHz.
        text: the reference.
        words: its normalized words, with ends where they were checked.
        joins: where its clips end, in seconds.
        language: its code, where it is known.
    """

    key: str
    samples: NDArray[np.float32]
    text: str
    words: tuple[SpokenWord, ...]
    joins: tuple[float, ...] = ()
    language: str | None = None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / SAMPLE_RATE


def normalized(text: str) -> list[str]:
    """The words of a text by Whisper's English normalizer, as word errors are counted."""
    return normalize_english(text).split()


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text, normalized one by one, so that each keeps its own time."""
    return tuple(token for word in text.split() for token in _token(word))


@lru_cache(maxsize=1 << 16)
def _token(word: str) -> tuple[str, ...]:
    return tuple(normalize_english(word).split())


def speech_folder() -> Path:
    """The folder of speech; ends the program where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "speech"
    folder = Path(os.environ.get("STREAMWHISPER_SPEECH", default))
    if not (folder / "manifest.jsonl").is_file():
        raise SystemExit(f"no speech at {folder}; set STREAMWHISPER_SPEECH to its folder")
    return folder


def load(folder: Path, item: str, gap: float, limit: float | None = None) -> Recording:
    """Join the clips of an item, with `gap` seconds of digital silence after each.

    Args:
        folder: of the speech.
        item: an id of ``longform.jsonl``, or of a single clip.
        gap: in seconds.
        limit: stop after the clip that reaches so many seconds.
    """
    manifest = {clip["id"]: clip for clip in _lines(folder / "manifest.jsonl")}
    items = {entry["id"]: entry["utts"] for entry in _lines(folder / "longform.jsonl")}
    if item not in items and item not in manifest:
        raise SystemExit(f"no item {item!r}; there are {', '.join(items)}, and every clip")
    parts: list[Recording] = []
    length = 0.0
    for id in items.get(item, [item]):
        parts.append(_recording(folder, manifest[id]))
        length += parts[-1].seconds + gap
        if limit is not None and length >= limit:
            break
    key = f"{item} gap={gap:g}" + ("" if limit is None else f" limit={limit:g}")
    return replace(joined(parts, gap), key=key)


def joined(parts: Sequence[Recording], gap: float) -> Recording:
    """Recordings one after the other, `gap` seconds of digital silence behind each."""
    silence = np.zeros(round(gap * SAMPLE_RATE), dtype=np.float32)
    pieces: list[NDArray[np.float32]] = []
    words: list[SpokenWord] = []
    joins: list[float] = []
    length = 0
    for part in parts:
        offset = length / SAMPLE_RATE
        words += [
            SpokenWord(word.text, None if word.end is None else offset + word.end)
            for word in part.words
        ]
        pieces += [part.samples, silence]
        joins.append(offset + part.seconds)
        length += len(part.samples) + len(silence)
    text = " ".join(part.text for part in parts)
    sound = np.concatenate(pieces)
    return Recording(f"{parts[0].key} ...", sound, text, tuple(words), tuple(joins))


def clips(folder: Path, set_name: str, count: int, longest: float = 30.0) -> list[Recording]:
    """`count` clips, spread evenly over a set; those longer than `longest` seconds are left out."""
    manifest = _lines(folder / "manifest.jsonl")
    every = [clip for clip in manifest if clip["set"] == set_name and clip["duration_s"] <= longest]
    stride = max(1, len(every) // count)
    return [_recording(folder, clip) for clip in every[::stride][:count]]


def _recording(folder: Path, clip: dict[str, Any]) -> Recording:
    samples = read_audio(folder / clip["path"])
    words, language = tuple(_words(clip)), clip.get("language")
    return Recording(clip["id"], samples, clip["text"] or "", words, language=language)


def _words(clip: dict[str, Any]) -> list[SpokenWord]:
    if clip.get("words_quality") == "checked":
        timed = [(text, end) for text, _, end in clip["words"]]
    else:
        timed = [(text, None) for text in (clip["text"] or "").split()]
    return [SpokenWord(token, end) for text, end in timed for token in tokens(text)]


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
