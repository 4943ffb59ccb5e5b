"""Flags: their values are those of the options behind them, and groups become flags."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, get_args

import pytest
import typer
from typer.testing import CliRunner

from streamwhisper.cli import flags, mic, server_flags, subtitle_flags, transcription_flags
from streamwhisper.cli.groups import grouped
from streamwhisper.cli.main import app
from streamwhisper.engine.devices import Precision
from streamwhisper.session.endpoint import EndpointKind
from streamwhisper.session.options import Latency


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option("--width", min=1)]
    depth: Annotated[int | None, typer.Option("--depth")] = None


@grouped
def measure(name: str, size: Size, loud: bool = False) -> None:
    """Measure a thing."""
    typer.echo(f"{name} {size} {loud}")


def run(command: object, *arguments: str) -> tuple[int, str]:
    one = typer.Typer(rich_markup_mode=None)
    one.command()(command)
    result = CliRunner().invoke(one, list(arguments))
    return result.exit_code, result.output


def test_the_fields_of_a_group_are_flags_and_the_command_receives_the_group() -> None:
    assert run(measure, "box", "--width", "3") == (0, "box Size(width=3, depth=None) False\n")
    assert run(measure, "box", "--width", "3", "--depth", "2", "--loud")[1] == (
        "box Size(width=3, depth=2) True\n"
    )


def test_a_field_without_a_default_is_required_and_its_range_is_checked() -> None:
    assert "Missing option '--width'" in run(measure, "box")[1]
    assert run(measure, "box", "--width", "0")[0] == 2


def test_the_help_of_a_grouped_command_is_its_docstring_and_all_flags() -> None:
    shown = run(measure, "--help")[1]
    assert "Measure a thing." in shown
    assert "--width" in shown
    assert "--depth" in shown


@pytest.mark.parametrize(
    ("flag", "behind"),
    [(flags.Latency, Latency), (flags.Endpoint, EndpointKind), (flags.Dtype, Precision)],
)
def test_a_flag_offers_the_values_of_the_option_behind_it(flag: object, behind: object) -> None:
    assert get_args(flag) == get_args(behind)


@pytest.mark.parametrize(
    "group",
    [
        value
        for module in (flags, mic, server_flags, subtitle_flags, transcription_flags)
        for name, value in vars(module).items()
        if name.endswith(("Flags", "Flag"))
    ],
)
def test_a_group_has_at_most_ten_flags(group: type) -> None:
    assert len(fields(group)) <= 10


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", ["serve", "mic", "transcribe", "stream", "cluster start"])
def test_no_flag_is_cut_in_the_help_however_narrow_the_terminal(command: str, width: int) -> None:
    shown = (
        CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": str(width)}).output
    )
    assert "…" not in shown.replace("…\n", "")
    found = typer.main.get_command(app)
    for part in command.split():
        found = found.commands[part]  # type: ignore[attr-defined]
    for parameter in found.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            assert not name.startswith("--") or name in shown


@pytest.mark.parametrize("command", ["", "serve", "mic", "transcribe", "stream", "models"])
def test_the_help_begins_with_examples(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"]).output
    assert shown.index("Examples:") < shown.index("Options:")


def test_mic_needs_no_argument_and_its_usage_says_so() -> None:
    shown = CliRunner().invoke(app, ["mic", "--help"]).output
    assert shown.splitlines()[0].endswith("mic [OPTIONS] [ACTION]")
    assert "required" not in shown


@pytest.mark.parametrize("command", ["serve", "mic", "transcribe", "stream", "cluster start"])
def test_every_word_of_a_flags_help_is_shown_also_in_square_brackets(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "100"}).output
    shown = "".join(shown.split())  # a word may be cut at a hyphen
    found = typer.main.get_command(app)
    for part in command.split():
        found = found.commands[part]  # type: ignore[attr-defined]
    for parameter in found.params:
        for word in (getattr(parameter, "help", "") or "").split():
            assert word in shown
