"""The offline search: the reference's text, whichever way it searches."""

from __future__ import annotations

from typing import Any

import pytest

from streamwhisper.whisper.search import (
    SearchOptions,
)


@pytest.mark.parametrize(
    "fields",
    [
        {"beam_size": 0},
        {"best_of": -1},
        {"patience": 1.0},
        {"beam_size": 5, "patience": 0.0},
        {"length_penalty": 1.5},
        {"max_tokens": 0},
        {"max_initial_timestamp": -0.5},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=list(fields)[-1]):
        SearchOptions(**fields)
