"""A whole piece of text as it is to be written, and what of it stands for what was said.

`Phrases` puts words out as they come, and takes back what a later one changes. Here all of the
text is there already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamwhisper.phrasing.interpreter import Interpreter, PhraseOptions
from streamwhisper.phrasing.language_table import read_table
from streamwhisper.phrasing.text_buffer import TextBuffer
from streamwhisper.phrasing.words import split_words

__all__ = ["Rewritten", "rewritten"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Text as it is written.

    Attributes:
        text: all of it.
        words: each word of it, and the characters of the former text that it stands for: from
            where, and up to where.
    """

    text: str
    words: tuple[tuple[str, int, int], ...]


def rewritten(text: str, options: PhraseOptions) -> Rewritten:
    """Apply commands, replacements and numbers to a text; see `PhraseOptions`."""
    said, _ = split_words(text)
    ends, end = [0], 0
    for word in said:
        end += len(word.space) + len(word.text)
        ends.append(end)
    reader = Interpreter(read_table(options.language), options)
    page, at = TextBuffer().begin(), 0
    steps: list[tuple[int, int, int]] = []  # the page's end then, and the words that were read
    while at < len(said):
        step = reader.step(said, at, page, ended=True)
        steps.append((step.page.end, at, at + step.taken))
        page, at = step.page, at + step.taken
    # A spoken sign replaces the sign before it.
    least = page.end
    for number, (written, first, last) in reversed(list(enumerate(steps))):
        least = min(least, written)
        steps[number] = least, first, last
    words = []
    for found in re.finditer(r"\S+", page.text):
        begun = 0
        spans = []
        for written, first, last in steps:
            if begun < found.end() and written > found.start():
                spans.append((ends[first], ends[last]))
            begun = written
        if spans:
            words.append((found[0], spans[0][0], spans[-1][1]))
    return Rewritten(page.text, tuple(words))
