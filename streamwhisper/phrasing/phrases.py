"""Spoken commands, replacements and numbers, in text as it is committed.

Every word is put out at once. If a later one changes what it means, an edit takes it back: "new"
stands until "line" has come. What stands in the end does not depend on how the text was cut.
"""

from __future__ import annotations

from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.interpreter import Interpreter, PhraseOptions
from streamwhisper.phrasing.language_table import read_table
from streamwhisper.phrasing.text_buffer import REMEMBERED, TextBuffer, edit_between
from streamwhisper.phrasing.words import Spoken, split_words

__all__ = ["PhraseOptions", "Phrases"]

BEHIND = 3
"""Words before a phrase that affect its meaning."""


class Phrases:
    """Interpreter of committed text: spoken commands, replacements and numbers to edits."""

    def __init__(self, options: PhraseOptions) -> None:
        self._verbatim = options.verbatim
        self._reader = Interpreter(read_table(options.language), options)
        self._fixed = TextBuffer().begin()
        self._shown = self._fixed
        self._words: list[Spoken] = []
        self._at = 0  # the first word whose meaning may change
        self._space = ""

    def apply(self, text: str) -> tuple[Edit, ...]:
        """Return the edits for the next piece of committed text, which ends at a word boundary.

        No edit erases more than a few words had put out, as many as the longest phrase and the
        command after it have; but for "scratch that", which takes back an utterance.
        """
        if self._verbatim:
            return (Edit(0, text),) if text else ()
        words, self._space = split_words(self._space + text)
        self._words += words
        return self._show(self._read(ended=False))

    def end(self) -> tuple[Edit, ...]:
        """Return the edits at the end of an utterance."""
        edits = self._show(self._read(ended=True))
        self._shown = self._fixed = self._shown.cut(REMEMBERED).begin()
        self._words.clear()
        self._at = 0
        return edits

    def _read(self, *, ended: bool) -> TextBuffer:
        """Interpret words whose meaning may change; fix those that no later word affects."""
        page, at = self._fixed, self._at
        while at < len(self._words):
            known = len(self._words) - at
            step = self._reader.step(self._words, at, page, ended=ended)
            page, at = step.page, at + step.taken
            if step.scratched or known >= self._reader.ahead:
                forgotten = max(at - BEHIND, 0)
                del self._words[:forgotten]
                at -= forgotten
                self._fixed, self._at = page, at
        return page

    def _show(self, page: TextBuffer) -> tuple[Edit, ...]:
        edits = edit_between(self._shown, page)
        self._shown = page
        self._fixed = self._fixed.cut(REMEMBERED)
        return edits
