"""Plain keywords are options; what is unknown or contradictory is refused in words."""

from __future__ import annotations

import pytest

from streamwhisper.transcription.keywords import (
    _FIELDS,
    _SILENCE,
    TranscriptionKeywords,
    with_keywords,
)
from streamwhisper.transcription.options import (
    ChunkOptions,
    PromptOptions,
    TranscriptionOptions,
    WordOptions,
)
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.repetition import RepetitionOptions
from streamwhisper.whisper.search import SearchOptions
from streamwhisper.whisper.timing import Punctuation


def made(options=None, **keywords):
    return with_keywords("transcribe", options, keywords)


def test_each_keyword_has_a_type_and_a_field():
    assert TranscriptionKeywords.__annotations__.keys() == {*_FIELDS, _SILENCE}


def test_every_keyword_sets_its_option():
    expected = TranscriptionOptions(
        method="sequential",
        language="de",
        task="translate",
        clips=((1.0, 2.0), (3.0, None)),
        prompts=PromptOptions("Names:", "So", False, True, ("Montfichet",)),
        words=WordOptions(hallucination_silence_threshold=2.0),
        search=SearchOptions(
            beam_size=5,
            best_of=3,
            patience=2.0,
            length_penalty=0.5,
            timestamps=False,
            suppress_tokens=(-1, 7),
            repetition=RepetitionOptions(3, 1.5),
        ),
        fallback=FallbackOptions((0.0, 0.5), 2.0, -0.5, 0.9),
        chunks=ChunkOptions(batch_size=4, vad=False),
    )
    found = made(
        method="sequential",
        language="German",
        task="translate",
        clips=[(1.0, 2.0), (3.0, None)],
        initial_prompt="Names:",
        prefix="So",
        condition_on_previous_text=False,
        carry_initial_prompt=True,
        vocabulary=["Montfichet"],
        word_timestamps=True,
        hallucination_silence_threshold=2.0,
        beam_size=5,
        best_of=3,
        patience=2.0,
        length_penalty=0.5,
        timestamps=False,
        suppress_tokens=[-1, 7],
        no_repeat_ngram=3,
        repetition_penalty=1.5,
        temperature=(0.0, 0.5),
        compression_ratio_threshold=2.0,
        logprob_threshold=-0.5,
        no_speech_threshold=0.9,
        batch_size=4,
        vad=False,
    )
    assert found == expected


def test_keywords_complete_options():
    own = WordOptions(Punctuation(after="."))
    options = TranscriptionOptions(language="de", words=own)
    assert made() == TranscriptionOptions()
    assert made(options) is not None
    assert made(options, word_timestamps=True, language="de") == options
    assert made(options, beam_size=2).search.beam_size == 2
    assert made(temperature=0).fallback.temperatures == (0,)


@pytest.mark.parametrize(
    ("keywords", "error", "said"),
    [
        ({"langauge": "en"}, TypeError, r"has no keyword 'langauge'; did you mean 'language'\?"),
        ({"words": True}, TypeError, "has no keyword 'words'; did you mean|expected one of"),
        ({"zzz": 1}, TypeError, "'zzz'; expected one of batch_size, beam_size"),
        ({"beam_size": 0}, ValueError, "beam_size is 0; expected 1 or more"),
        ({"patience": 1.0}, ValueError, "patience is 1.0; expected None without a beam_size"),
        ({"vocabulary": "Ann"}, ValueError, r"expected a list, e.g. vocabulary=\['Ann'\]"),
        ({_SILENCE: 2.0, "method": "sequential"}, ValueError, "expected word_timestamps=True"),
    ],
)
def test_what_is_wrong_is_said(keywords, error, said):
    with pytest.raises(error, match=said):
        made(**keywords)


@pytest.mark.parametrize(
    ("options", "keywords", "said"),
    [
        (TranscriptionOptions(language="de"), {"language": "en"}, "language is 'en', but options"),
        (TranscriptionOptions(words=WordOptions()), {"word_timestamps": False}, "word_timestamps"),
        (TranscriptionOptions(search=SearchOptions(beam_size=2)), {"beam_size": 3}, "has 2"),
    ],
)
def test_a_keyword_must_not_contradict_options(options, keywords, said):
    with pytest.raises(ValueError, match=said):
        made(options, **keywords)
