from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.steps import StepDecoder
from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.dialects.container_input import ContainerInput


class Decoder(StepDecoder):
    """A decoder whose worker does something between two calls: `audio` is what it has decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.audio: list[float] = []
        self.working = False

    @property
    def more(self) -> bool:
        return self.working or bool(self.audio)

    @property
    def ready(self) -> bool:
        return not self.working

    def on_ready(self, notify: Callable[[], object]) -> None:
        """No one waits."""

    def wait(self) -> None:
        self.working = False

    def give(self, data: bytes) -> None:
        self.working = True

    def end(self) -> None:
        self.working = True

    def take(self) -> NDArray[np.float32]:
        return np.array([self.audio.pop(0)] if self.audio else [], np.float32)

    def close(self) -> None:
        self.working, self.audio = False, []


class Dialect:
    def __init__(self) -> None:
        self.decoder = Decoder()
        self.heard: list[float] = []
        self.ends = 0
        self.input = ContainerInput(
            self.decoder, on_audio=self.hear, on_error=lambda message: None, on_end=self.end
        )

    def hear(self, data: bytes) -> None:
        self.heard += np.frombuffer(data, np.float32).tolist()

    def end(self) -> None:
        self.ends += 1


def test_the_end_is_passed_on_after_all_audio():
    dialect = Dialect()
    dialect.input.give(b"bytes")
    dialect.input.finish(None)
    dialect.decoder.audio = [0.25, 0.5]
    dialect.decoder.wait()
    while dialect.input.backlog is not None:
        assert dialect.ends == 0
        dialect.input.advance()
    assert (dialect.heard, dialect.ends) == ([0.25, 0.5], 1)


def test_the_end_is_passed_on_although_the_decoder_ended_before_anybody_looked():
    dialect = Dialect()
    dialect.input.give(b"bytes")
    dialect.input.finish(None)
    dialect.decoder.working = False  # at once, and without audio
    assert dialect.input.backlog is not None
    dialect.input.advance()
    assert dialect.ends == 1
    assert dialect.input.backlog is None


def test_a_session_that_is_too_long_discards_the_rest():
    dialect = Dialect()
    dialect.decoder.audio = [0.25] * 1000
    dialect.input.finish(ErrorMessage("session_too_long", "", fatal=True))
    assert (dialect.heard, dialect.ends, dialect.input.backlog) == ([], 1, None)
