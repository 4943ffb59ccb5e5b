from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from streamwhisper.console import (
    GrowingText,
    JsonLines,
    fit_end,
    print_error,
    print_json,
    print_table,
)
from streamwhisper.events import Committed, Done, Partial, Word
from streamwhisper.protocol import Ack, ErrorMessage

texts = st.text(st.characters(categories=["L", "Nd"], include_characters=" .,"), max_size=40)


def committed(text: str, *, final: bool = False) -> Committed:
    return Committed(text, 0.0, 1.0, (), "en", 0, final)


def shown(events, *, terminal: bool, width: int = 40) -> str:
    console = Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        color_system="standard" if terminal else None,
        highlight=False,
    )
    with GrowingText(console) as growing:
        for event in events:
            growing.show(event)
    return console.file.getvalue()  # type: ignore[attr-defined]


@given(st.lists(texts, max_size=6))
def test_without_a_terminal_committed_text_comes_whole_and_nothing_else(parts):
    events = []
    for part in parts:
        events += [Partial("guess", 0, 1), committed(" " + part)]
    written = shown(events, terminal=False)
    assert written.split() == " ".join(parts).split()


def test_each_utterance_is_a_line_and_one_without_text_is_none():
    events = [committed("One"), committed(" two."), committed("", final=True)]
    events += [committed("", final=True), committed(" Three."), committed("", final=True)]
    assert shown(events, terminal=False) == "One two.\nThree.\n"


def test_on_a_terminal_the_partial_is_dim_and_the_committed_text_is_not():
    written = shown([committed("solid"), Partial(" dim", 0, 1)], terminal=True)
    assert "solid\x1b[2m dim\x1b[0m" in written


def test_on_a_terminal_long_text_leaves_every_word_behind_in_whole_lines():
    words = [f"word{n}" for n in range(40)]
    events = [committed(" " + word) for word in words]
    written = shown([*events, committed("", final=True)], terminal=True)
    left = [line.rsplit("\x1b[2K", 1)[-1] for line in written.split("\n")[:-1]]
    assert " ".join(left).split() == words
    assert all(len(line.rstrip()) <= 40 for line in left)


@given(texts, st.integers(1, 50))
def test_a_fitted_end_is_never_wider_than_its_room(text, cells):
    fitted = fit_end(Text(text), cells)
    assert fitted.cell_len <= max(cells, 1)
    assert text.endswith(fitted.plain.removeprefix("…"))
    if cell_len(text) <= cells:
        assert fitted.plain == text


def test_json_lines_are_numbered_and_leave_out_acknowledgements(capsys):
    lines = JsonLines()
    for event in (committed("Hi."), Ack(1600), ErrorMessage("odd", "x", False), Done(1.0, 0.5)):
        lines.show(event)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["seq"] for record in records] == [1, 2, 3]
    assert [record["type"] for record in records] == ["committed", "error", "done"]


def test_json_is_one_line_with_times_in_milliseconds(capsys):
    print_json({"words": (Word("né", 0.12345, 1.0, 0.5).word,), "at": 0.12345})
    assert capsys.readouterr().out == '{"words": ["né"], "at": 0.123}\n'


ATTACK = "ls\x1b]0;title\x07\x1b[2J\x9b31m\r\nrm\x7f \u202egnp"


def test_text_of_a_server_controls_no_terminal():
    for terminal in (True, False):
        written = shown([Partial(ATTACK, 0, 1), committed(ATTACK, final=True)], terminal=terminal)
        assert "ls]0;title[2J31m  rm gnp" in written
        assert not set(written) & set("\x07\x9b\x7f\u202e")
        assert "\x1b]" not in written


def test_an_error_of_a_server_controls_no_terminal(capsys):
    shown([ErrorMessage(ATTACK, ATTACK, False)], terminal=True)
    print_error(ATTACK)
    assert "error: ls]0;title[2J31m \nrm gnp\n" in capsys.readouterr().err


def test_json_lines_escape_what_controls_a_terminal(capsys):
    JsonLines().show(committed(ATTACK))
    print_json({"text": ATTACK})
    for line in capsys.readouterr().out.splitlines():
        assert not set(line) & set("\x1b\x07\x9b\x7f\u202e")
        assert json.loads(line)["text"] == ATTACK


def test_brackets_in_a_table_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["model [x]", "status"], [("base[bold]", "[/]")])
    assert "base[bold]" in capsys.readouterr().out
