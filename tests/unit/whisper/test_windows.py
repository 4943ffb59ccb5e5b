"""Which tokens of a window belong to segments that end within it."""

from __future__ import annotations

import pytest

from streamwhisper.whisper.windows import finished

BEGIN = 100  # the first timestamp token


@pytest.mark.parametrize(
    ("tokens", "count"),
    [
        ((), 0),
        ((1, 2, 3), 3),
        ((100, 1, 2), 3),
        ((100, 1, 110), 3),
        ((100, 1, 110, 110, 2), 3),
        ((100, 1, 110, 110, 2, 120), 6),
        ((100, 1, 110, 110, 2, 120, 120), 6),
        ((100, 1, 110, 110, 2, 120, 120, 3), 6),
    ],
)
def test_the_text_after_the_last_two_timestamps_is_not_finished(tokens, count):
    assert finished(tokens, BEGIN) == count
