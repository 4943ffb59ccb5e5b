from __future__ import annotations

import pytest

import streamwhisper


@pytest.mark.parametrize("name", streamwhisper.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(streamwhisper, name) is not None
    assert name in dir(streamwhisper)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Whisperer'"):
        streamwhisper.Whisperer  # noqa: B018
