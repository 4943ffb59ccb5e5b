"""Text that is lent to clipboards for a moment."""

from __future__ import annotations

import pytest

from streamwhisper.dictation.clipboard import ClipboardError, Contents, pasted


class Memory:
    """A clipboard in memory."""

    name = "memory"

    def __init__(self, contents: Contents, primary: Memory | None = None, works: bool = True):
        self.contents, self.primary, self.works = contents, primary, works
        self.transient: list[bool] = []

    def probe(self) -> None:
        if not self.works:
            raise ClipboardError("there is no primary selection")

    def get(self) -> Contents:
        self.probe()
        return self.contents

    def of(self, text: str) -> Contents:
        return {"text": text.encode()}

    def put(self, contents: Contents, *, transient: bool = False) -> None:
        self.contents = contents
        self.transient.append(transient)


def test_only_the_lent_text_is_transient():
    clipboard = Memory({"html": b"<b>before</b>"})
    pasted(clipboard, "new", lambda: None)
    assert clipboard.contents == {"html": b"<b>before</b>"}
    assert clipboard.transient == [True, False]


@pytest.mark.parametrize("primary", [None, Memory({}, works=False)])
def test_a_desktop_without_a_primary_selection_is_pasted_into_all_the_same(primary):
    clipboard = Memory({}, primary)
    seen: list[Contents] = []
    pasted(clipboard, "new", lambda: seen.append(clipboard.contents), primary=True)
    assert seen == [{"text": b"new"}]
    assert primary is None or not primary.transient


def test_a_primary_selection_that_works_is_lent_the_text_and_restored():
    primary = Memory({"text": b"selected"})
    seen: list[Contents] = []
    pasted(Memory({}, primary), "new", lambda: seen.append(primary.contents), primary=True)
    assert seen == [{"text": b"new"}]
    assert primary.contents == {"text": b"selected"}
