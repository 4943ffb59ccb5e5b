"""Committed text as cues for a screen, and cues in the formats of subtitles.

A cue is one or two lines that can be read at once. The last one grows while its sentence is
spoken; no cue before it changes any more. A longer text of a cue begins with the shorter one,
but for where its line is broken, and is written with as many characters or more.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

from streamwhisper.events import Committed

__all__ = ["SRT_HEAD", "VTT_HEAD", "Captions", "Cue", "as_srt", "as_vtt"]

LINE = 42
"""Characters of a line; a cue has two at the most."""
LONGEST = 6.0
"""Seconds of a cue."""
PAUSE = 1.5
"""Seconds between two words that never share a cue."""
_SENTENCE_ENDS = tuple(".?!。?!…")

SRT_HEAD = ""
VTT_HEAD = "WEBVTT\n\n"


@dataclass(frozen=True, slots=True)
class Cue:
    """Text to be shown from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


class Captions:
    """Puts committed text into cues, numbered from 1."""

    def __init__(self) -> None:
        self._number = 0
        self._cue = Cue(0.0, 0.0, "")
        self._closed = True

    def add(self, event: Committed) -> list[tuple[int, Cue]]:
        """The cues that are new or have grown, in order, with their numbers."""
        changed: dict[int, Cue] = {}
        for start, end, piece in _pieces(event):
            if self._begins_anew(start, end, piece):
                if not piece.strip():
                    continue
                self._number += 1
                # A cue does not begin before the last one is over.
                start = max(start, self._cue.end)
                self._cue = Cue(start, max(start, end), piece.strip())
            else:
                cue = self._cue
                self._cue = Cue(cue.start, max(cue.end, end), cue.text + _one_line(piece))
            self._closed = self._cue.text.rstrip().endswith(_SENTENCE_ENDS)
            changed[self._number] = self._cue
        self._closed = self._closed or event.final
        return list(changed.items())

    def _begins_anew(self, start: float, end: float, piece: str) -> bool:
        if self._number == 0:
            return True
        if not any(sign.isalnum() for sign in piece):  # a sign belongs to what is before it
            return False
        cue = self._cue
        return (
            self._closed
            or len(_lines(cue.text + _one_line(piece))) > 2
            or end - cue.start > LONGEST
            or start - cue.end > PAUSE
        )


def as_srt(number: int, cue: Cue) -> str:
    """A cue as it stands in a SubRip file."""
    times = f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}"
    return f"{number}\n{times}\n{_wrapped(cue.text)}\n\n"


def as_vtt(number: int, cue: Cue) -> str:
    """A cue as it stands in a WebVTT file, after `VTT_HEAD`."""
    times = f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}"
    return f"{number}\n{times}\n{html.escape(_wrapped(cue.text), quote=False)}\n\n"


def _pieces(event: Committed) -> Iterator[tuple[float, float, str]]:
    """The text word by word: start, end, and the word with the signs and spaces before it."""
    at = 0
    for word in event.words:
        found = event.text.find(word.word, at)
        if found < 0:
            continue
        reach = found + len(word.word)
        yield word.start, word.end, event.text[at:reach]
        at = reach
    if event.text[at:].strip():
        yield event.start if at == 0 else event.end, event.end, event.text[at:]


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def _lines(text: str) -> list[str]:
    """The text in lines of at most `LINE` characters, broken at spaces, if it has any."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [line[at : at + LINE] for line in lines for at in range(0, max(1, len(line)), LINE)]


def _wrapped(text: str) -> str:
    return "\n".join(_lines(text))


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
