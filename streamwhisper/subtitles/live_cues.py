"""Cues of one or two lines from committed text, while it is spoken.

Only the last cue changes: it grows with its sentence. A grown cue begins with the text it had,
apart from line breaks, and is never written with fewer bytes.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import replace

from streamwhisper.events import Committed
from streamwhisper.subtitles.cue import SRT_HEAD, VTT_HEAD, Cue, srt_cue, vtt_cue

__all__ = ["SRT_HEAD", "VTT_HEAD", "Captions", "Cue", "as_srt", "as_vtt"]

LINE = 42
"""Maximum number of characters in a line; a cue has at most two lines."""
LONGEST = 6.0
"""Maximum length of a cue, in seconds."""
PAUSE = 1.5
"""Seconds between two words; with more they never share a cue."""
_SENTENCE_ENDS = tuple(".?!。?!…")


class Captions:
    """Builds cues, numbered from 1, from `Committed` events."""

    def __init__(self) -> None:
        self._number = 0
        self._cue = Cue(0.0, 0.0, "")
        self._closed = True

    def add(self, event: Committed) -> list[tuple[int, Cue]]:
        """Add an event; return the cues that are new or have grown, with their numbers."""
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
    """Return a cue as a block of a SubRip file, broken into lines."""
    return srt_cue(number, replace(cue, text=_wrapped(cue.text)))


def as_vtt(number: int, cue: Cue) -> str:
    """Return a cue as a numbered block of a WebVTT file, broken into lines and escaped."""
    text = html.escape(_wrapped(cue.text), quote=False)
    return f"{number}\n{vtt_cue(replace(cue, text=text), hours=True)}"


def _pieces(event: Committed) -> Iterator[tuple[float, float, str]]:
    """Yield the text word by word: start, end, and the word with what precedes it."""
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
    """Break the text into lines of at most `LINE` characters, at spaces if it has any."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [line[at : at + LINE] for line in lines for at in range(0, max(1, len(line)), LINE)]


def _wrapped(text: str) -> str:
    return "\n".join(_lines(text))
