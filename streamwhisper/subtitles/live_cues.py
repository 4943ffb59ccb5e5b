"""Cues of one or two lines from committed text, while it is spoken.

Only the last cue changes: it grows with its sentence. A grown cue begins with the text it had,
apart from line breaks, and is never written with fewer bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from streamwhisper.events import Committed
from streamwhisper.subtitles.cue import SRT_HEAD, VTT_HEAD, Cue, srt_cue, vtt_cue
from streamwhisper.subtitles.line_breaks import LINE, LINES, break_lines
from streamwhisper.typography import ends_sentence, opens

__all__ = [
    "LINE",
    "LONGEST",
    "SRT_HEAD",
    "VTT_HEAD",
    "Captions",
    "Cue",
    "as_srt",
    "as_vtt",
    "wrapped",
]

LONGEST = 6.0
"""Maximum length of a cue, in seconds."""
PAUSE = 1.5
"""Seconds between two words; with more they never share a cue."""


class Captions:
    """Builds cues, numbered from 1, from `Committed` events."""

    def __init__(self) -> None:
        self._number = 0
        self._cue = Cue(0.0, 0.0, "")
        self._closed = True

    def add(self, event: Committed) -> list[tuple[int, Cue]]:
        """Add an event; return the cues that are new or have grown, with their numbers."""
        changed: dict[int, Cue] = {}
        for start, end, piece in _pieces(event, first=self._number == 0):
            if self._begins_anew(start, end, piece):
                if not piece.strip():
                    continue
                self._number += 1
                # A cue does not begin before the last one is over.
                start = max(start, self._cue.end)
                self._cue = Cue(start, max(start, end), piece.strip())
                self._closed = False
            else:
                cue = self._cue
                end = max(cue.end, end) if _has_words(piece) else cue.end
                self._cue = replace(cue, end=end, text=cue.text + _one_line(piece))
            self._closed = self._closed or ends_sentence(self._cue.text)
            changed[self._number] = self._cue
        self._closed = self._closed or event.final
        return list(changed.items())

    def _begins_anew(self, start: float, end: float, piece: str) -> bool:
        if self._number == 0:
            return True
        if not _has_words(piece):  # a sign belongs to what is before it
            return False
        cue = self._cue
        return (
            self._closed
            or len(break_lines(cue.text + _one_line(piece))) > LINES
            or end - cue.start > LONGEST
            or start - cue.end > PAUSE
        )


def as_srt(number: int, cue: Cue) -> str:
    """Return a cue as a block of a SubRip file, broken into lines."""
    return srt_cue(number, wrapped(cue))


def as_vtt(number: int, cue: Cue) -> str:
    """Return a cue as a numbered block of a WebVTT file, broken into lines and escaped."""
    return f"{number}\n{vtt_cue(wrapped(cue), hours=True)}"


def _pieces(event: Committed, *, first: bool) -> Iterator[tuple[float, float, str]]:
    """Yield the text word by word: start, end, and the word with what precedes it.

    Args:
        first: whether no text came before the event, to which its first signs could belong.
    """
    at, reached = 0, event.start
    for word in event.words:
        found = event.text.find(word.word, at)
        if found < 0:
            continue
        signs = _closing(event.text[at:found]) if at or not first else ""
        if signs:
            yield reached, reached, signs
        end = found + len(word.word)
        yield word.start, word.end, event.text[at + len(signs) : end]
        at, reached = end, word.end
    if event.text[at:].strip():
        yield event.start if at == 0 else event.end, event.end, event.text[at:]


def _has_words(piece: str) -> bool:
    return any(map(str.isalnum, piece))


def _closing(text: str) -> str:
    """Return the signs and spaces of `text` up to the last sign that does not open anything."""
    ends = [k for k, sign in enumerate(text, 1) if not (sign.isspace() or opens(sign))]
    return text[: ends[-1]] if ends else ""


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def wrapped(cue: Cue) -> Cue:
    """Return a cue whose text is broken into lines."""
    return replace(cue, text="\n".join(break_lines(cue.text)))
