"""The native dialect over a real session: what each frame brings, good or bad."""

from __future__ import annotations

from typing import Any

import pytest

from streamwhisper.events import Committed, Partial, SpeechStarted
from streamwhisper.protocol import Status
from tests.support.native_dialogue import END, SECOND, START, Conversation, start


@pytest.mark.parametrize("chunks_late", [1, 5, 15])
def test_the_lag_of_a_loaded_server_is_what_no_hypothesis_covers(
    recognizer: Any, speech: Any, chunks_late: int
) -> None:
    """Eight seconds of speech in chunks of 0.1 s; every answer comes so many chunks late."""
    sound = (speech.load(speech.clip("librispeech/61-70968-0010")) * 32767).astype("<i2").tobytes()
    talk = Conversation(recognizer.info, recognizer)
    talk.say(START)
    session = talk.dialect.session
    assert session is not None
    covered, reach, due, answer = 0.0, 0.0, 0, None
    states = []
    for number, at in enumerate(range(0, len(sound) - 3200, 3200)):
        talk.dialect.receive(sound[at : at + 3200])
        if answer is not None:
            talk.dialect.record_wait(0.1)
            if number == due:
                session.receive_hypothesis(answer)
                covered, answer = reach, None
        if answer is None and (request := session.next_request()) is not None:
            answer = recognizer.recognize([request])[0]
            reach, due = session.audio_seconds, number + chunks_late
        states += [(covered, m) for m in talk.heard() if isinstance(m, Status)]
    assert len(states) == 8
    for covered, state in states:
        assert state.lag_ms / 1000 == pytest.approx(state.audio_seconds - covered, abs=0.05)
        assert state.lag_ms / 1000 <= 0.4 + 0.2 + 0.2 * chunks_late
    assert 0 < states[-1][1].real_time_factor <= 1


def test_speech_becomes_text_with_words_and_partials(recognizer: Any, speech: Any) -> None:
    sound = (speech.load(speech.clip("librispeech/61-70968-0002")) * 32767).astype("<i2").tobytes()
    chunks = [sound[at : at + len(SECOND)] for at in range(0, len(sound), len(SECOND))]
    talk = Conversation(recognizer.info, recognizer)
    messages = talk.say(START, *chunks, END)
    committed = [message for message in messages if isinstance(message, Committed)]
    text = "".join(message.text for message in committed)
    assert "fortune and a happy life" in text.lower()
    assert committed[-1].final
    assert any(isinstance(message, Partial) for message in messages)
    assert any(isinstance(message, SpeechStarted) for message in messages)
    words = [word for message in committed for word in message.words]
    assert " ".join(word.word for word in words) == text.strip()
    assert all(0 <= word.confidence <= 1 for word in words)

    bare = Conversation(recognizer.info, recognizer)
    messages = bare.say(start(words=False, partials=False), *chunks, END)
    assert not any(isinstance(message, Partial) for message in messages)
    assert "".join(event.text for event in messages if isinstance(event, Committed)) == text
    assert not any(event.words for event in messages if isinstance(event, Committed))
