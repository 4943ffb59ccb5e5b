"""The flat public API: every name is there, at once and without heavy imports."""

from __future__ import annotations

from importlib import import_module

import pytest

import streamwhisper


@pytest.mark.parametrize("name", streamwhisper.__all__)
def test_every_public_name_exists(name):
    value = getattr(streamwhisper, name)
    assert value is not None
    assert name in dir(streamwhisper)


def test_names_and_their_modules_agree():
    assert {*streamwhisper._HOMES, "__version__"} == set(streamwhisper.__all__)
    for name, module in streamwhisper._HOMES.items():
        assert name in import_module(module).__all__


def test_every_error_and_event_is_public():
    for module in ("streamwhisper.errors", "streamwhisper.events"):
        public = {n for n in import_module(module).__all__ if n[0].isupper()}
        assert public <= set(streamwhisper.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Whisperer'"):
        streamwhisper.Whisperer  # noqa: B018
