"""The live line of a dictation, on a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import streamwhisper.console
from streamwhisper.dictation import terminal
from streamwhisper.dictation.terminal import TerminalSink
from streamwhisper.phrasing.edits import Edit


@pytest.fixture
def made(monkeypatch):
    """A sink, and what it writes, on a terminal or without one."""

    def make(*, tty: bool) -> tuple[TerminalSink, io.StringIO]:
        out = io.StringIO()
        colours = "standard" if tty else None
        console = Console(file=out, force_terminal=tty, width=60, color_system=colours)
        for module in (terminal, streamwhisper.console):
            monkeypatch.setattr(module, "Console", lambda **_: console)
        return TerminalSink(), out

    return make


def test_committed_text_is_solid_behind_a_sign_and_the_guess_is_dim(made):
    sink, out = made(tty=True)
    sink.begin()
    sink.listening(True)
    sink.level(-12.0)
    sink.edit(Edit(0, "Solid"))
    sink.guess(" dim")
    assert out.getvalue().endswith("\x1b[31m●█ \x1b[0mSolid\x1b[2m dim\x1b[0m")
    sink.listening(False)
    assert "○" in out.getvalue().rsplit("\r", 1)[-1]
    sink.close()


def test_what_is_taken_back_leaves_the_line_and_what_has_scrolled_away_is_named(made):
    sink, out = made(tty=True)
    sink.begin()
    sink.edit(Edit(0, "One two"))
    sink.edit(Edit(3, "three."))
    sink.end()
    sink.edit(Edit(6, ""))
    sink.close()
    lines = [line.rsplit("\x1b[2K", 1)[-1] for line in out.getvalue().split("\n")]
    assert "One three." in lines
    assert "\x1b[2merased: three.\x1b[0m" in lines
    assert "erased" not in "".join(line for line in lines if "One" in line)


def test_the_level_is_drawn_only_when_it_looks_different(made):
    sink, out = made(tty=True)
    sink.begin()
    sink.level(-20.0)
    drawn = len(out.getvalue())
    sink.level(-20.1)
    assert len(out.getvalue()) == drawn
    sink.close()


def test_without_a_terminal_committed_text_alone_is_written(made):
    sink, out = made(tty=False)
    sink.begin()
    sink.level(-12.0)
    sink.guess("guess")
    sink.edit(Edit(0, "Hello"))
    sink.edit(Edit(0, " there."))
    sink.end()
    sink.close()
    assert out.getvalue() == "Hello there.\n"


def test_before_it_begins_only_notices_are_shown(made):
    sink, out = made(tty=True)
    sink.listening(True)
    sink.level(-3.0)
    assert out.getvalue() == ""
    sink.say("the microphone is gone")
    sink.close()
    assert "the microphone is gone" in out.getvalue()


def test_a_notice_has_a_line_of_its_own_above_the_live_line(made):
    sink, out = made(tty=True)
    sink.begin()
    sink.edit(Edit(0, "Live line"))
    sink.say("a notice")
    sink.close()
    rows = [row.rsplit("\x1b[2K", 1)[-1] for row in out.getvalue().split("\n")]
    assert "\x1b[2ma notice\x1b[0m" in rows
    assert rows.index("\x1b[2ma notice\x1b[0m") < rows.index("Live line")


def test_a_notice_goes_to_standard_error_where_only_the_output_is_a_terminal(monkeypatch, capsys):
    console = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(terminal, "Console", lambda **_: console)
    sink = TerminalSink()
    sink.begin()
    sink.say("a notice")
    sink.close()
    assert capsys.readouterr().err == "a notice\n"
    assert "notice" not in console.file.getvalue()  # type: ignore[attr-defined]
