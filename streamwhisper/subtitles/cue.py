"""A cue: text on the screen for some seconds, and how SubRip and WebVTT write it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SRT_HEAD", "VTT_HEAD", "Cue", "clock", "milliseconds", "srt_cue", "vtt_cue"]

SRT_HEAD = ""
"""First lines of a SubRip file: none."""
VTT_HEAD = "WEBVTT\n\n"
"""First lines of a WebVTT file."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Text shown from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def srt_cue(number: int, cue: Cue) -> str:
    """Return a cue as a block of a SubRip file; cues are numbered from 1."""
    times = f"{clock(cue.start, point=',')} --> {clock(cue.end, point=',')}"
    return f"{number}\n{times}\n{cue.text}\n\n"


def vtt_cue(cue: Cue, *, hours: bool) -> str:
    """Return a cue as a block of a WebVTT file.

    Args:
        hours: write the hours of times below one hour as well.
    """
    start, end = (clock(seconds, hours=hours) for seconds in (cue.start, cue.end))
    return f"{start} --> {end}\n{cue.text}\n\n"


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
