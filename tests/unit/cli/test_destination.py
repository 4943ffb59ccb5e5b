"""Where transcripts go: a file, a folder or standard output."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from streamwhisper.cli.destination import SUFFIXES, destination


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_with_the_suffix_of_a_format_is_a_file_of_that_format(suffix: str) -> None:
    place = destination(None, Path(f"talk.{suffix.upper()}"), 1)
    assert (place.format, place.paths("other")) == (
        suffix,
        {suffix: Path(f"talk.{suffix.upper()}")},
    )


def test_any_other_name_is_a_folder_with_one_file_per_recording_and_format() -> None:
    place = destination("srt", Path("out"), 2)
    assert place.paths("one") == {"srt": Path("out/one.srt")}
    assert set(destination("all", Path("out"), 2).paths("one")) == set(SUFFIXES)


def test_a_folder_may_have_the_suffix_of_a_format(tmp_path: Path) -> None:
    folder = tmp_path / "talks.srt"
    folder.mkdir()
    assert destination(None, folder, 1).folder == folder


def test_without_a_name_text_goes_to_standard_output() -> None:
    assert destination(None, None, 3).paths("one") == {}


@pytest.mark.parametrize(
    ("format", "recordings", "reason"),
    [(None, 2, "one file, but there are 2 recordings"), ("vtt", 1, "does not fit")],
)
def test_a_file_that_cannot_hold_the_output_is_refused(
    format: str | None, recordings: int, reason: str
) -> None:
    with pytest.raises(typer.BadParameter, match=reason):
        destination(format, Path("talk.srt"), recordings)


def test_the_folder_of_a_file_is_created(tmp_path: Path) -> None:
    destination(None, tmp_path / "a" / "b" / "talk.srt", 1).create_folder()
    assert (tmp_path / "a" / "b").is_dir()
