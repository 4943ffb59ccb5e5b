"""What stands when everything was said."""

from __future__ import annotations

from typing import Any

from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.phrases import PhraseOptions, Phrases


class Window:
    """What stands after all edits; it cannot take back more than there is."""

    def __init__(self, **options: Any) -> None:
        self.phrases = Phrases(PhraseOptions(**options))
        self.text = ""
        self.erased: list[int] = []

    def say(self, *pieces: str) -> None:
        """One utterance."""
        for piece in pieces:
            self.put(self.phrases.apply(piece))
        self.put(self.phrases.end())

    def put(self, edits: tuple[Edit, ...]) -> None:
        for edit in edits:
            assert 0 <= edit.erase <= len(self.text)
            self.text = self.text[: len(self.text) - edit.erase] + edit.text
            self.erased.append(edit.erase)


def put_out(*utterances: str, **options: Any) -> str:
    """What stands in the end, when every word comes by itself."""
    window = Window(**options)
    for utterance in utterances:
        window.say(*(f" {word}" for word in utterance.split()))
    return window.text.removeprefix(" ")
