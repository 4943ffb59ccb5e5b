"""What the doctor finds on machines that lack something."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from streamwhisper.dictation import doctor
from streamwhisper.dictation.devices import look_again
from streamwhisper.dictation.doctor import Finding, Wanted, examine, report
from streamwhisper.errors import ModelError
from tests.support.desktop import SoundServer, screen, sound_here


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[SoundServer]:
    with sound_here(tmp_path) as running:
        yield running


def test_on_a_machine_that_has_all_everything_is_fine_but_for_the_silence(sound, recognizer):
    with screen() as display:
        found = examine(Wanted(to="type"), lambda: recognizer, {"DISPLAY": display})
    by_name = {finding.what: finding for finding in found}
    assert list(by_name) == ["microphone", "audio", "model", "latency", "typing", "hotkey"]
    assert by_name["audio"].seen == "complete silence"
    assert "unmute" in by_name["audio"].advice
    assert by_name["typing"].seen == "by XTest"
    for name in ("microphone", "model", "typing", "hotkey"):
        assert by_name[name].fine, by_name[name]
    assert "an update of 5 s of audio takes" in by_name["latency"].seen


def test_what_is_missing_is_told_with_what_to_do(sound):
    sound.kill()
    look_again()

    def load():
        raise ModelError("no such model")

    found = {each.what: each for each in examine(Wanted(to="type"), load, {})}
    assert found["microphone"].seen == "no microphone found"
    assert found["microphone"].advice.startswith("plug one in")
    assert found["model"].seen == "no such model"
    assert "desktop session" in found["typing"].advice
    assert found["typing"].needed
    assert not found["hotkey"].needed


@pytest.mark.parametrize(("program", "fine"), [("sh", True), ("no-such-program", False)])
def test_the_program_that_reads_the_text_is_looked_for(program, fine):
    wanted = Wanted(microphone="none", to="command", program=program)
    found = {each.what: each for each in examine(wanted, None, {})}
    assert found["command"].fine is fine


@pytest.mark.parametrize(("needed", "ready"), [(True, False), (False, True)])
def test_dictation_can_begin_without_what_it_does_not_need(needed, ready, capsys):
    findings = [Finding("sun", "shines"), Finding("rain", "falls [hard]", "take this", needed)]
    assert report(findings) is ready
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == "✓ sun: shines"
    assert shown.splitlines()[2] == "  → take this"
    assert (
        os.linesep.join(shown.splitlines()[1:2]) == f"{'✗' if needed else '!'} rain: falls [hard]"
    )


def test_on_a_terminal_lines_end_between_words_and_begin_behind_the_sign(monkeypatch):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, color_system=None)
    monkeypatch.setattr(doctor, "Console", lambda **_: console)
    report([Finding("typing", "a reason that takes more than one line", "advice " * 9)])
    assert out.getvalue().splitlines() == [
        "✗ typing: a reason that takes more than",
        "  one line",
        "  → advice advice advice advice advice",
        "    advice advice advice advice",
    ]
