"""A Deepgram stream in each of its encodings, made by real encoders from real speech."""

from __future__ import annotations

from typing import Any

import pytest

from streamwhisper.session.options import SessionOptions
from tests.support.deepgram_stream import CLOSE, Talk, transcript
from tests.support.encoded_audio import MADE

CLIP = "librispeech/61-70968-0000"
WORDS = ("confused", "complaint", "behind", "curtain")


@pytest.mark.parametrize("encoding", MADE)
def test_each_encoding_is_understood(encoding: str, recognizer: Any, speech: Any) -> None:
    sound = speech.load(speech.clip(CLIP))
    query, pieces = MADE[encoding](sound)
    if encoding:
        query["encoding"] = encoding
    asked = {name: [value] for name, value in query.items()}
    talk = Talk(recognizer, SessionOptions(), asked)
    said = [*talk.say(*pieces), *talk.say(CLOSE)]
    heard = transcript(said).lower()
    assert [word for word in WORDS if word not in heard] == []
    assert said[-1]["duration"] == pytest.approx(len(sound) / 16000, abs=0.06)
