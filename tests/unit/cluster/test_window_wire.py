"""Windows and their transcripts arrive on the wire as they were sent."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from streamwhisper.cluster.window_wire import (
    pack_text_model,
    pack_window_hypothesis,
    pack_window_request,
    unpack_text_model,
    unpack_window_hypothesis,
    unpack_window_request,
)
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import ModelInfo
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.repetition import RepetitionOptions
from streamwhisper.whisper.search import SearchOptions, SearchResult
from streamwhisper.whisper.timing import AlignedWord
from streamwhisper.whisper.windows import WindowHypothesis, WindowRequest

INFO = ModelInfo("tiny", 80, multilingual=True)
MEL = np.random.default_rng(0).random((80, 50), np.float32)[:, 10:]
REQUEST = WindowRequest(
    MEL,
    "de",
    "translate",
    (1, 2),
    (3,),
    ("Montfichet",),
    SearchOptions(beam_size=5, suppress_tokens=(-1, 4), repetition=RepetitionOptions(3, 1.5)),
    FallbackOptions((0.0, 0.5), None),
    float("inf"),
    padded=True,
)


def sent(message):
    return pickle.loads(pickle.dumps(message))


@pytest.mark.parametrize("request_", [REQUEST, WindowRequest(MEL, search=None)])
def test_a_request_arrives_as_it_was_sent(request_):
    arrived = unpack_window_request(sent(pack_window_request(request_, INFO, 1.0)))
    assert repr(replace(arrived, mel=MEL)) == repr(request_)
    np.testing.assert_array_equal(arrived.mel, MEL)
    assert arrived.mel.flags.writeable


def test_a_message_contains_plain_values_only():
    message = pack_window_request(REQUEST, INFO, 1.0)
    kinds = {type(value) for value in message.values()}
    assert kinds <= {str, int, float, bool, tuple, dict, np.ndarray}


def test_an_answer_arrives_as_it_was_sent():
    result = SearchResult((5, 6), "Hello.", -0.5, 0.1, 0.2, 1.5, "de")
    words = (AlignedWord(" Hello", (5,), 0.1, 0.5, 0.9), AlignedWord(".", (6,), 0.5, 0.6, 0.8))
    hypothesis = WindowHypothesis(result, words, {"de": 0.75, "en": 0.25})
    assert unpack_window_hypothesis(sent(pack_window_hypothesis(hypothesis))) == hypothesis


def test_a_request_that_cannot_be_read_is_refused_in_words():
    message = pack_window_request(REQUEST, INFO, 1.0)
    with pytest.raises(RecognitionError, match=r"cannot be read \(KeyError: 'padded'\)"):
        unpack_window_request({k: v for k, v in message.items() if k != "padded"})
    message["search"]["beams"] = 2
    with pytest.raises(RecognitionError, match=r"beams.*the same release"):
        unpack_window_request(message)


def test_a_gateway_has_the_tokenizer_of_the_model():
    generation = GenerationConfig(languages=(("de", 50261), ("gsw", 50262)))
    message = sent(pack_text_model(51865, 448, generation))
    tokenizer, n_text_ctx = unpack_text_model(message)
    assert (tokenizer.n_vocab, tokenizer.languages, n_text_ctx) == (51865, ("de", "gsw"), 448)
