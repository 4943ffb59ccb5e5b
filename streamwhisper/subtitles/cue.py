"""A cue: text on the screen for some seconds, and how SubRip and WebVTT write it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SRT_HEAD", "VTT_HEAD", "Cue", "clock", "milliseconds", "srt_cue", "vtt_cue"]

SRT_HEAD = ""
"""First lines of a SubRip file: none."""
VTT_HEAD = "WEBVTT\n\n"
"""First lines of a WebVTT file."""


_ARROW = re.compile(r"(-+)->")


@dataclass(frozen=True, slots=True)
class Cue:
    """Text on the screen.

    Attributes:
        start: first moment, in seconds.
        end: last moment, in seconds.
        text: plain text, with line breaks; `srt_cue` and `vtt_cue` escape it.
        underlined: first character to underline and the one after the last; None: none.
    """

    start: float
    end: float
    text: str
    underlined: tuple[int, int] | None = None


def srt_cue(number: int, cue: Cue) -> str:
    """Return a cue as a block of a SubRip file; cues are numbered from 1."""
    times = f"{clock(cue.start, point=',')} --> {clock(cue.end, point=',')}"
    return f"{number}\n{times}\n{_content(cue, _without_arrows)}\n\n"


def vtt_cue(cue: Cue, *, hours: bool) -> str:
    """Return a cue as a block of a WebVTT file.

    Args:
        hours: write the hours of times below one hour as well.
    """
    start, end = (clock(seconds, hours=hours) for seconds in (cue.start, cue.end))
    return f"{start} --> {end}\n{_content(cue, _escaped)}\n\n"


def _content(cue: Cue, written: Callable[[str], str]) -> str:
    """Return the text as `written`, underlined and without blank lines, which end a cue."""
    text = cue.text
    if cue.underlined:
        first, end = cue.underlined
        text = f"{written(text[:first])}<u>{written(text[first:end])}</u>{written(text[end:])}"
    else:
        text = written(text)
    return "\n".join(line for line in text.split("\n") if line.strip())


def _without_arrows(text: str) -> str:
    """Return text without the arrow that separates times; it never gets shorter as it grows."""
    return _ARROW.sub(lambda found: "->" if found[1] == "-" else f"{found[1]}- >", text)


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def clock(seconds: float, *, point: str = ".", hours: bool = True) -> str:
    """Return a time such as ``01:02:03.456``.

    Args:
        seconds: 0 or more.
        point: the decimal sign.
        hours: write the hours of times below one hour as well.
    """
    minutes, rest = divmod(milliseconds(seconds), 60_000)
    whole, minutes = divmod(minutes, 60)
    shown = f"{whole:02d}:" if hours or whole else ""
    return f"{shown}{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def milliseconds(seconds: float) -> int:
    """Return the whole milliseconds that subtitles write."""
    return round(1000 * seconds)
