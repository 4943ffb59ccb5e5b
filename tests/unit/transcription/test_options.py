"""Options of a transcription for a model: the language's code, and its script as a prompt."""

from __future__ import annotations

from typing import Any

import pytest

from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import ModelInfo
from streamwhisper.transcription.options import PromptOptions, TranscriptionOptions


class Model:
    info = ModelInfo("base", 80, multilingual=True)


def options(**given: Any) -> TranscriptionOptions:
    model: Any = Model()
    once = TranscriptionOptions(**given).for_model(model)
    assert once.for_model(model) == once
    return once


@pytest.mark.parametrize(
    ("given", "code", "prompt"),
    [
        ({"language": "zh-TW"}, "zh", "以下是普通話的句子。"),
        ({"language": "Chinese"}, "zh", "以下是普通话的句子。"),
        ({"language": "sr-Latn"}, "sr", "Ovo je rečenica na srpskom jeziku."),
        ({"language": "zh", "task": "translate"}, "zh", None),
        ({"language": "zh", "method": "sequential"}, "zh", None),
        ({"language": "zh-CN", "method": "sequential"}, "zh", "以下是普通话的句子。"),
        ({"language": "de-AT"}, "de", None),
        ({"language": "auto"}, None, None),
        ({"language": None}, None, None),
    ],
)
def test_a_tag_becomes_a_code_and_a_prompt_in_its_script(
    given: dict[str, Any], code: str | None, prompt: str | None
) -> None:
    found = options(**given)
    assert (found.language, found.prompts.initial) == (code, prompt)
    assert found.prompts.carry_initial is (prompt is not None)


def test_a_prompt_of_ones_own_follows_and_is_carried_only_if_asked() -> None:
    found = options(language="zh-TW", prompts=PromptOptions(initial="Kubernetes"))
    assert found.prompts.initial == "以下是普通話的句子。Kubernetes"
    assert not found.prompts.carry_initial


def test_a_language_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(RecognitionError, match=r"base does not know Cantonese \(yue\)"):
        options(language="yue")
