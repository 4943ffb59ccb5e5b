from __future__ import annotations

import numpy as np
import pytest

from streamwhisper.events import Committed, Done
from streamwhisper.live.listen import listen


@pytest.fixture(scope="module")
def clip(speech):
    return speech.load(speech.clip("librispeech/61-70968-0000"))


def test_listening_yields_committed_text_while_sound_is_still_coming(recognizer, clip):
    pieces = np.array_split(clip, 10)
    given: list[int] = []
    seen: list[tuple[int, object]] = []

    def chunks():
        for number, piece in enumerate(pieces):
            given.append(number)
            yield piece

    for event in listen(recognizer, chunks()):
        seen.append((len(given), event))
    assert isinstance(seen[-1][1], Done)
    assert next(n for n, event in seen if isinstance(event, Committed)) < len(pieces)
    text = "".join(event.text for _, event in seen if isinstance(event, Committed))
    assert text.strip().startswith("He began a confused complaint")


def test_silence_has_no_text_and_its_full_length(recognizer):
    [*before, done] = listen(recognizer, [np.zeros(3 * 16000, dtype=np.float32)])
    assert not any(isinstance(event, Committed) and event.text for event in before)
    assert (done.audio_seconds, done.speech_seconds) == (3.0, 0.0)
