"""Old import paths work, lead to the new modules, and say so."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from streamwhisper.moved import MODULES, NAMES

RENAMED = [(module, name) for module, names in NAMES.items() for name in names]


def _load(module):
    """Import a module whose dependencies may be missing; skip the test where they are."""
    try:
        return import_module(module)
    except ImportError as error:
        if (error.name or "").startswith("streamwhisper"):
            raise
        pytest.skip(f"{module} needs {error.name}")


@pytest.mark.parametrize("old", MODULES)
def test_an_old_path_is_the_new_module(old, monkeypatch):
    assert find_spec(MODULES[old]) is not None
    new = _load(MODULES[old])
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"{old} is now {MODULES[old]}$"):
        assert import_module(old) is new
    assert new.__name__ == MODULES[old]


@pytest.mark.parametrize(("module", "name"), RENAMED)
def test_an_old_name_is_the_new_object(module, name):
    home, new = NAMES[module][name]
    loaded, expected = _load(module), getattr(_load(home), new)
    with pytest.warns(DeprecationWarning, match=rf"{module}\.{name} is now {home}\.{new}$"):
        assert getattr(loaded, name) is expected


def test_a_name_that_never_was_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Ear'"):
        import_module("streamwhisper.session.language").Ear  # noqa: B018
