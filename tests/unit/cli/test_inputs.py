"""Recordings that a command line names."""

from __future__ import annotations

from pathlib import Path

from streamwhisper.cli.inputs import STANDARD_INPUT, find_recordings


def made(folder: Path, *names: str) -> list[Path]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [folder / name for name in names]


def test_a_folder_is_searched_with_its_subfolders_in_order(tmp_path: Path) -> None:
    expected = made(tmp_path, "a.mp3", "b.WAV", "c/d.mkv", "c/e/f.flac")
    made(tmp_path, ".hidden.mp3", ".git/x.mp3")
    notices: list[str] = []
    assert find_recordings([tmp_path], notices.append) == expected
    assert notices == []


def test_other_files_are_skipped_with_a_notice(tmp_path: Path) -> None:
    (talk, *_) = made(tmp_path, "talk.mp3", "notes.txt")
    notices: list[str] = []
    assert find_recordings([tmp_path], notices.append) == [talk]
    assert notices == [f"{tmp_path}: skipped 1 other file (notes.txt)"]


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    notices: list[str] = []
    assert find_recordings([tmp_path], notices.append) == []
    assert notices == [f"{tmp_path}: no audio or video files"]


def test_a_link_to_a_folder_above_ends_the_search(tmp_path: Path) -> None:
    (talk,) = made(tmp_path, "a/talk.mp3")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert find_recordings([tmp_path], lambda _: None) == [talk]


def test_named_files_are_taken_whatever_their_suffix(tmp_path: Path) -> None:
    (odd,) = made(tmp_path, "odd.data")
    missing = tmp_path / "missing.mp3"
    named = [odd, missing, STANDARD_INPUT]
    assert find_recordings(named, lambda _: None) == named


def test_a_recording_that_is_named_twice_is_transcribed_once(tmp_path: Path) -> None:
    (talk,) = made(tmp_path, "talk.mp3")
    assert find_recordings([talk, tmp_path], lambda _: None) == [talk]
