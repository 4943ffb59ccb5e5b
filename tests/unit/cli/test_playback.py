"""A recording that is played to a server in this process."""

from __future__ import annotations

import pytest

from streamwhisper.audio.opening import Selection
from streamwhisper.cli.playback import Recording, play_here
from streamwhisper.errors import RecognitionError
from tests.support.paths import SAMPLE
from tests.support.recognizers import Counter


async def test_a_recognizer_that_fails_is_an_error_without_a_server_s_log() -> None:
    recording = Recording(SAMPLE, Selection(), speed=100.0)
    with pytest.raises(RecognitionError, match=r"failed 3 times.*The log above says why\.$"):
        await play_here(recording, Counter(failures=99), lambda event: None)
