"""Plain places for text: lines, files and programs."""

from __future__ import annotations

import io

import pytest

from streamwhisper.dictation.sink import FileSink, LineSink
from streamwhisper.errors import StreamWhisperError
from streamwhisper.phrasing.edits import Edit


def test_an_edit_cannot_erase_less_than_nothing():
    with pytest.raises(ValueError, match="cannot erase -1"):
        Edit(-1, "")


def test_each_utterance_is_a_line_and_what_is_taken_back_in_it_never_was_there():
    out, notices = io.StringIO(), []
    sink = LineSink(notices.append, out)
    for edit in (Edit(0, "Hello new"), Edit(4, ""), Edit(0, " there.")):
        sink.edit(edit)
        sink.guess(" guess")
    assert out.getvalue() == ""
    sink.end()
    sink.end()
    sink.edit(Edit(0, " Last"))
    sink.close()
    assert out.getvalue() == "Hello there.\nLast\n"
    assert not notices


def test_a_line_that_is_out_stays_and_that_is_said():
    out, notices = io.StringIO(), []
    sink = LineSink(notices.append, out)
    sink.edit(Edit(0, "One."))
    sink.end()
    sink.edit(Edit(4, ""))
    sink.close()
    assert out.getvalue() == "One.\n"
    assert notices == ["cannot erase text of an earlier utterance: it was already written"]


def test_a_file_holds_what_was_said_as_it_comes_without_what_was_taken_back(tmp_path):
    path, notices = tmp_path / "notes.txt", []
    path.write_text("before\n")
    sink = FileSink(path, notices.append)
    sink.edit(Edit(0, "Füße"))
    assert path.read_text() == "before\nFüße"
    sink.edit(Edit(2, "sse 漢"))
    sink.end()
    sink.edit(Edit(1, "字."))
    assert path.read_text() == "before\nFüsse 字."
    sink.edit(Edit(99, "Anew"))
    assert path.read_text() == "before\nAnew"  # what was there before is not touched
    assert notices == ["cannot erase text that is no longer at the end of the file"]
    sink.close()
    assert path.read_text() == "before\nAnew\n"


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(StreamWhisperError, match=r"cannot write .*: Is a directory"):
        FileSink(tmp_path, print)
