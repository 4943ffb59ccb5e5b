"""Bytes that were skipped between packets, as seconds of audio."""

from __future__ import annotations

from streamwhisper.audio.damage import SkippedBytes


def test_skipped_bytes_hold_as_much_audio_as_those_of_the_packets() -> None:
    skipped = SkippedBytes(size=4000, seconds=2.0)
    assert skipped.held_by(1000) == 0.5
    assert skipped.held_by(-1000) == 0.0


def test_packets_without_a_duration_tell_nothing_of_skipped_bytes() -> None:
    skipped = SkippedBytes(size=4000)
    assert skipped.held_by(1000) == 0.0
    assert not skipped.explain(1.0)
