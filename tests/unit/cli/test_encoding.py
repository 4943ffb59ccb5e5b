"""Output never fails for its encoding: what an encoding lacks is escaped."""

from __future__ import annotations

import io
import json
import sys

import pytest

from streamwhisper.cli.encoding import accept_all_text
from streamwhisper.console import print_json, print_transcript

TEXT = "日本語 é 😀"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def written(
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    environment: dict[str, str],
    kind: type[io.TextIOWrapper] = io.TextIOWrapper,
) -> bytes:
    """What a stream of this encoding receives of the text, as plain text and as JSON."""
    raw = io.BytesIO()
    stream = kind(raw, encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    accept_all_text(environment)
    print_transcript(TEXT, None)
    print_json({"text": TEXT})
    stream.write("\udce9\n")  # part of a file name that is not UTF-8
    stream.flush()
    return raw.getvalue()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_output_to_a_file_is_utf_8(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    text, record, name = written(monkeypatch, encoding, {}).decode().splitlines()
    assert (text, name) == (TEXT, r"\udce9")
    assert json.loads(record)["text"] == TEXT


@pytest.mark.parametrize(
    ("kind", "environment"),
    [(Terminal, {}), (io.TextIOWrapper, {"PYTHONIOENCODING": "cp1252"})],
)
def test_what_a_terminal_or_a_chosen_encoding_lacks_is_escaped_and_json_stays_json(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.TextIOWrapper], environment: dict[str, str]
) -> None:
    shown = written(monkeypatch, "cp1252", environment, kind).decode("cp1252")
    text, record, name = shown.splitlines()
    assert (text, name) == (r"\u65e5\u672c\u8a9e é \ud83d\ude00", r"\udce9")
    assert json.loads(record)["text"] == TEXT


def test_a_stream_that_is_none_or_replaced_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    accept_all_text({})
