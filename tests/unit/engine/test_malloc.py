"""The C library's heap, on systems that have none of its settings."""

from __future__ import annotations

import sys

import pytest

from streamwhisper.engine.malloc import release_free_memory


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not release_free_memory()
