"""Edits at the end of the text that dictation has put out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """First take back `erase` characters of what was put out, then put out `text`.

    Characters are Unicode code points, as `len` counts them.
    """

    erase: int
    text: str

    def __post_init__(self) -> None:
        if self.erase < 0:
            raise ValueError(f"an edit cannot erase {self.erase} characters; 0 or more, please")
