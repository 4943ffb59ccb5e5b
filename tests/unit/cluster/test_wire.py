"""Messages between gateways and workers: what comes out is what went in, to half precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.cluster.wire import (
    WIRE_VERSION,
    FramesMissing,
    RemotePast,
    check_version,
    half_mel,
    pack_hypothesis,
    pack_info,
    pack_request,
    unpack_hypothesis,
    unpack_info,
    unpack_request,
)
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import (
    DecodingOptions,
    Hypothesis,
    HypothesisWord,
    LanguageOptions,
    RecognitionRequest,
    TextContext,
)
from tests.support.wire import HALF, INFO

TOKENS = st.lists(st.integers(0, 51863), max_size=5).map(tuple)


def window(frames: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-0.9, 1.0, (80, frames)).astype(np.float32)


@given(
    frames=st.integers(1, 50),
    prefix=TOKENS,
    draft=TOKENS,
    languages=st.lists(st.sampled_from(["en", "de"]), max_size=2).map(tuple),
    final=st.booleans(),
    max_tokens=st.integers(1, 400),
)
def test_a_request_arrives_as_it_was_sent(
    frames: int, prefix: Any, draft: Any, languages: Any, final: bool, max_tokens: int
) -> None:
    request = RecognitionRequest(
        window(frames),
        prefix,
        0.5,
        draft,
        TextContext((1, 2), "By Melville.", ("Montfichet",)),
        "en",
        LanguageOptions(languages, detect=True),
        final=final,
        options=DecodingOptions(max_tokens=max_tokens),
        past=RemotePast("w", "a", 3),
    )
    message = pack_request(request, INFO, "w", 1.0)
    assert message["mel"].nbytes == 80 * frames * 2
    arrived = unpack_request(message, half_mel(message, None), past="kept there")
    assert np.abs(arrived.mel - request.mel).max() <= HALF
    assert arrived.mel.dtype == np.float32
    assert replace(arrived, mel=request.mel, past=request.past).__repr__() == repr(request)


@pytest.mark.parametrize("known", [None, window(10).astype(np.float16)])
def test_frames_that_are_not_there_are_missed(known: Any) -> None:
    message = pack_request(RecognitionRequest(window(50)), INFO, "w", 1.0, first=40)
    with pytest.raises(FramesMissing):
        half_mel(message, known)


def test_an_answer_arrives_as_it_was_sent() -> None:
    words = (
        HypothesisWord(" Hello", (7, 8), 0.1, 0.5, -0.25),
        HypothesisWord(".", (9,), 1, 1, -1, 1),
    )
    hypothesis = Hypothesis(words, "en", "length", 0.5, -0.5, 2, {"en": 0.75}, past=object())
    past = RemotePast("w", "a", 100)
    arrived = unpack_hypothesis(pack_hypothesis(hypothesis), past)
    assert arrived == hypothesis  # which leaves the past out
    assert arrived.past is past


def test_versions_that_do_not_fit_refuse_each_other() -> None:
    assert unpack_info(pack_info(INFO)) == INFO
    few = replace(INFO, multilingual=True, languages=("de", "fr"))
    assert unpack_info(pack_info(few)).languages == ("de", "fr")
    check_version(pack_request(RecognitionRequest(window(1)), INFO, "w", 1.0))
    foreign = {**pack_info(INFO), "version": WIRE_VERSION + 1, "package": "9.9"}
    with pytest.raises(
        RecognitionError, match=r"different versions.*9\.9.*the same release on both"
    ):
        unpack_info(foreign)
    with pytest.raises(RecognitionError, match="another release"):
        check_version({})


def test_a_request_that_cannot_be_read_is_refused_in_words() -> None:
    message = pack_request(RecognitionRequest(window(1)), INFO, "w", 1.0)
    message["options"] = {"beam": 5}
    with pytest.raises(RecognitionError, match="beam"):
        unpack_request(message, half_mel(message, None), None)
