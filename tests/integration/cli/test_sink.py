"""Plain places for text: lines, files and programs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamwhisper.dictation.sink import CommandSink
from streamwhisper.phrasing.edits import Edit


def test_a_program_finds_each_utterance_on_its_standard_input(tmp_path):
    path, notices = tmp_path / "said", []
    append = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
    sink = CommandSink([sys.executable, "-c", append, str(path)], notices.append)
    for text in ("One é.", "Two; $(true)."):
        sink.edit(Edit(0, text))
        sink.end()
    assert path.read_text() == "One é.\nTwo; $(true).\n"
    assert not notices


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            [sys.executable, "-c", "raise SystemExit(3)"],
            "exited with status 3; its input was: Hello.",
        ),
        (["/no/such/program"], "cannot run (No such file or directory)"),
    ],
)
def test_a_program_that_fails_is_told_with_the_text(command, said):
    notices: list[str] = []
    sink = CommandSink(command, notices.append)
    sink.edit(Edit(0, "Hello."))
    sink.close()
    assert said in notices[0]
    assert notices[0].startswith(str(Path(command[0])))
