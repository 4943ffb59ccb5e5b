"""Flags may be followed by True or False, as openai-whisper's are."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from streamwhisper.cli.commands import BooleanValues

app = typer.Typer()


@app.command(
    cls=BooleanValues,
    context_settings={"token_normalize_func": lambda name: name.replace("_", "-")},
)
def show(
    files: list[str],
    vad_filter: Annotated[bool, typer.Option()] = True,
    words: Annotated[bool, typer.Option("--words")] = False,
    name: str = "",
) -> None:
    typer.echo([files, vad_filter, words, name])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["a"], [["a"], True, False, ""]),
        (["a", "--vad_filter", "False"], [["a"], False, False, ""]),
        (["--vad-filter", "True", "a"], [["a"], True, False, ""]),
        (["--vad_filter=False", "a", "--words=True"], [["a"], False, True, ""]),
        (["--no-vad-filter", "a"], [["a"], False, False, ""]),
        (["--words", "True", "a", "b"], [["a", "b"], True, True, ""]),
        (["--words", "False", "a"], [["a"], True, False, ""]),
        (["--words", "a"], [["a"], True, True, ""]),
        (["a", "--words"], [["a"], True, True, ""]),
        (["--name", "True", "a"], [["a"], True, False, "True"]),
        (["--", "--words", "True"], [["--words", "True"], True, False, ""]),
        (["--words", "--", "True"], [["True"], True, True, ""]),
    ],
)
def test_a_value_is_the_flag_or_its_opposite(given: list[str], meant: list[object]) -> None:
    shown = CliRunner().invoke(app, given)
    assert shown.output.strip() == str(meant)


@pytest.mark.parametrize("value", ["true", "no", "1"])
def test_another_value_is_refused(value: str) -> None:
    assert CliRunner().invoke(app, ["a", f"--words={value}"]).exit_code == 2
