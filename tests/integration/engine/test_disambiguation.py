"""Commands are told from plain words."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from tests.support.dictated import Window


def test_no_word_of_what_was_read_aloud_is_taken_for_a_command(speech: Any) -> None:
    """Real texts, in which nothing is a command."""
    for name in ("ls-dev", "fleurs-cuttledoc", "ljspeech"):
        for clip in speech.clips(name):
            said = " ".join((clip["text"] or "").split())
            said = said.lower() if said.isupper() else said
            window = Window(language=clip["language"])
            window.say(said)
            assert window.text == said


def test_what_the_engine_commits_is_put_out_as_it_is(speech: Any, recognizer: Any) -> None:
    sound = speech.load(speech.clip("librispeech/61-70968-0000"))
    events = listen(recognizer, np.array_split(sound, 20))
    pieces = [event.text for event in events if isinstance(event, Committed)]
    window = Window()
    window.say(*pieces)
    assert len(pieces) > 2
    assert window.text == "".join(pieces)
