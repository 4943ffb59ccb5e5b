"""Messages between gateways and workers: what comes out is what went in, to half precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamwhisper.audio.mel import HOP, LogMel, scale
from streamwhisper.cluster.wire import RemotePast, half_mel, pack_request, unpack_request
from streamwhisper.recognition import RecognitionRequest
from tests.support.wire import HALF, INFO


def test_frames_that_the_worker_has_are_not_sent_again(speech: Any) -> None:
    """Windows of real speech that grow: put together they are what they would be, sent whole."""
    sound = speech.load(speech.clips("ls-dev")[0])
    mel = LogMel(80, len(sound) // HOP + 2)
    mel.append(sound)
    known, sent = None, 0
    for end in range(8000, len(sound), 6400):
        request = RecognitionRequest(scale(mel.window(0, end)))
        past = RemotePast("w", "a", known.shape[1]) if known is not None else None
        first = past.known_frames if past is not None else 0
        message = pack_request(request, INFO, "w", 1.0, first)
        known = half_mel(message, known)
        arrived = unpack_request(message, known, None)
        assert arrived.mel.shape == request.mel.shape
        assert np.abs(arrived.mel - request.mel).max() <= HALF
        sent += message["mel"].shape[1]
    assert sent < 2 * len(sound) / HOP


def test_half_precision_changes_no_word(recognizer: Any, speech: Any) -> None:
    """Ten clips of real speech; benchmarks/RESULTS.md has many more."""
    for clip in speech.clips("ls-dev")[:10]:
        sound = speech.load(clip)[: 12 * 16000]
        mel = LogMel(80, len(sound) // HOP + 2)
        mel.append(sound)
        request = RecognitionRequest(scale(mel.window(0, len(sound))))
        message = pack_request(request, INFO, "w", 1.0)
        arrived = unpack_request(message, half_mel(message, None), None)
        there, here = recognizer.recognize([arrived]), recognizer.recognize([request])
        assert there[0].text == here[0].text
