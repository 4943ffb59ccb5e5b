"""Vocabulary: listed words where the sound allows them, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.recognition import RecognitionRequest, TextContext
from streamwhisper.session.options import SessionOptions
from streamwhisper.whisper.biasing import BiasVocabulary
from streamwhisper.whisper.search import SearchOptions, SearchTask, search
from streamwhisper.whisper.tail import encode_padded
from tests.support.biasing import NAMES, TOKENIZER

CLIP = "librispeech/61-70968-0011"  # "... by the squire and Mistress Fitzooth to the rear ..."


@pytest.fixture(scope="module")
def mel(speech: Any) -> Any:
    return log_mel(speech.load(speech.clip(CLIP)))


def test_a_misheard_name_is_written_right_where_it_is_listed(
    recognizer: LocalRecognizer, mel: Any
) -> None:
    """And the other words stay as they are."""
    plain, listed = recognizer.recognize(
        [
            RecognitionRequest(mel=mel),
            RecognitionRequest(mel=mel, context=TextContext(vocabulary=NAMES)),
        ]
    )
    assert "Fitzooth" not in plain.text
    assert "Fitzooth to the rear" in listed.text
    before, after = plain.text.split(), listed.text.split()
    assert len(before) == len(after)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_a_search_knows_the_vocabulary_too(recognizer: LocalRecognizer, mel: Any) -> None:
    (sound,) = encode_padded(recognizer.model, [torch.from_numpy(mel)])
    task = SearchTask(sound, vocabulary=BiasVocabulary(recognizer.tokenizer, NAMES))
    for options in (SearchOptions(), SearchOptions(beam_size=2)):
        (found,) = search(
            recognizer.model, recognizer.model.decoder.logits, recognizer.tokenizer, [task], options
        )
        assert "Fitzooth" in found.text


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_draft_never_changes_the_answer(
    recognizer: LocalRecognizer, mel: Any, data: st.DataObject
) -> None:
    """Whatever the draft knows of the vocabulary."""
    window = mel[:, 250:500]
    plain = recognizer.recognize(
        [RecognitionRequest(mel=window, context=TextContext(vocabulary=NAMES))]
    )[0].tokens
    prefix = plain[: data.draw(st.integers(0, len(plain)), label="prefix")]
    names = [token for name in NAMES for token in TOKENIZER.encode(f" {name}")]
    draft = tuple(data.draw(st.lists(st.sampled_from([*plain, *names]), max_size=9), label="draft"))
    kept = plain[len(prefix) :][: data.draw(st.integers(0, 9), label="right tokens")]
    with_draft, without = recognizer.recognize(
        [
            RecognitionRequest(
                mel=window, prefix=prefix, draft=kept + draft, context=TextContext(vocabulary=NAMES)
            ),
            RecognitionRequest(mel=window, prefix=prefix, context=TextContext(vocabulary=NAMES)),
        ]
    )
    assert with_draft.tokens == without.tokens


def test_nothing_is_written_where_nobody_speaks(recognizer: LocalRecognizer, speech: Any) -> None:
    """In a stream, through silence, hum and noise."""
    options = SessionOptions(language="en", vocabulary=(*NAMES, "you", "Thank you"))
    for clip in speech.clips("synthetic-nonspeech"):
        events = listen(recognizer, [speech.load(clip)[: 15 * 16000]], options)
        assert not [event for event in events if isinstance(event, Committed) and event.words]


def test_a_word_that_is_heard_anyway_stands_no_sooner_for_being_listed(
    recognizer: LocalRecognizer, speech: Any
) -> None:
    """Else it stands with a full stop behind it, while the sentence goes on."""
    samples = speech.load(speech.clip("librispeech/61-70968-0000"))
    chunks = [samples[at : at + 1600] for at in range(0, len(samples), 1600)]

    def heard(*words: str) -> str:
        said = listen(recognizer, chunks, SessionOptions(vocabulary=words))
        return "".join(event.text for event in said if isinstance(event, Committed))

    assert heard("wizard") == heard()
