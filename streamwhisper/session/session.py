"""One speaker's session: bytes in, events out.

Sans-I/O: no sockets, no threads, and no clock but the count of samples. A driver feeds it sound,
asks for the recognition request that is due, brings back the hypothesis, and collects events::

    session.receive_audio(data)
    while request := session.next_request():
        session.receive_hypothesis(recognizer.recognize([request])[0])
    for event in session.events(): ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.mel import HOP, scale
from streamwhisper.errors import SessionError
from streamwhisper.events import (
    Done,
    Event,
    Flushed,
    SpeechEnded,
    SpeechStarted,
)
from streamwhisper.recognition import (
    DecodingOptions,
    Hypothesis,
    HypothesisWord,
    ModelInfo,
    RecognitionRequest,
    Task,
)
from streamwhisper.session.agreement import AgreementOptions, agreed_words
from streamwhisper.session.listener import Listener
from streamwhisper.session.transcript import Transcript
from streamwhisper.session.window import SAMPLE_RATE, Window, WindowOptions, WindowWord
from streamwhisper.vad.gate import GateOptions, SpeechStart

__all__ = ["Decoder", "Session", "SessionOptions"]

STALL_SECONDS = 1.0
"""Speech this far past the last word, and no new word for it, is a stalled decoder."""
STALL_UPDATES = 2
PROGRESS_SECONDS = 0.3
"""A cut that moves the window's start by less has not helped."""


class Decoder(Protocol):
    """Bytes of the wire to 16 kHz mono float32 samples, whatever the chunk boundaries."""

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Samples that are complete so far."""
        ...

    def finish(self) -> NDArray[np.float32]:
        """What was held back."""
        ...


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a session listens for, and how often it asks.

    Attributes:
        language: a code such as ``"en"``; None detects it once and keeps it.
        partials: whether to say what is not committed yet.
        update_interval: seconds of new speech between two updates.
    """

    language: str | None = None
    task: Task = "transcribe"
    partials: bool = True
    update_interval: float = 0.4
    gate: GateOptions = field(default_factory=GateOptions)
    window: WindowOptions = field(default_factory=WindowOptions)
    agreement: AgreementOptions = field(default_factory=AgreementOptions)
    decoding: DecodingOptions = field(default_factory=DecodingOptions)


@dataclass(slots=True)
class _Segment:
    """Speech between an opening and a closing of the gate; None while it is open."""

    start: int
    end: int | None = None
    speech_end: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request under way: the sound's end, and whether it commits everything up to there."""

    end: int
    final: bool


class Session:
    """See the module's text. One driver at a time; not thread-safe."""

    def __init__(
        self, info: ModelInfo, decoder: Decoder, options: SessionOptions | None = None
    ) -> None:
        self.options = options or SessionOptions()
        self.info = info
        self._decoder = decoder
        self._listener = Listener(info.n_mels, self.options.gate, self.options.window.limit)
        self._speech_samples = 0
        self._segments: deque[_Segment] = deque()
        self._flushes: deque[tuple[int, str | None]] = deque()
        self._done = False
        self._events: list[Event] = []

        self._window = Window(self.options.window)
        self._transcript = Transcript(self.options.language if info.multilingual else "en")
        self._in_utterance = False
        self._asked: _Asked | None = None
        self._covered = 0
        self._draft: tuple[HypothesisWord, ...] = ()
        self._silent_updates = 0

    # What the driver sees.

    @property
    def can_receive(self) -> bool:
        """False while the buffers are full: pause reading, nothing is dropped."""
        return not self._listener.full

    @property
    def done(self) -> bool:
        """Whether everything is committed and `Done` was said."""
        return self._done

    @property
    def audio_seconds(self) -> float:
        """Sound received."""
        return self._listener.received / SAMPLE_RATE

    @property
    def covered_seconds(self) -> float:
        """Sound dealt with: silence that was judged, speech that a hypothesis covers."""
        if self._segments:
            return max(self._covered, self._segments[0].start) / SAMPLE_RATE
        return self._listener.taken / SAMPLE_RATE

    @property
    def speech_seconds(self) -> float:
        """Speech in the segments that have ended."""
        return self._speech_samples / SAMPLE_RATE

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        return events

    # Sound and commands in.

    def receive_audio(self, data: bytes) -> None:
        """Take sound as it comes from the wire.

        Raises:
            AudioFormatError: it cannot be decoded.
            SessionError: the session was ended before.
        """
        if self._listener.ended:
            raise SessionError("audio after the end of the session; open a new session for it")
        self._listener.store(self._decoder.decode(data))

    def flush(self, id: str | None = None) -> None:
        """Commit everything heard so far as soon as it can be; answered by `Flushed`."""
        self._flushes.append((self._listener.received, id))

    def end(self) -> None:
        """No more sound: commit everything, then say `Done`.

        Raises:
            AudioFormatError: the sound ends in the middle of a sample.
        """
        if self._listener.ended:
            return
        self._listener.end()
        self._listener.store(self._decoder.finish())

    # Requests out, hypotheses in.

    def next_request(self, *, catch_up: bool = True) -> RecognitionRequest | None:
        """The request that is due, or None; at most one is under way at a time.

        Args:
            catch_up: cover all the sound there is (a slow machine then asks less often). False
                asks at exact multiples of the update interval, so that the answer depends on
                the sound alone and not on when it came.
        """
        if self._asked or self._done:
            return None
        if catch_up:
            while self._take():
                pass
        while True:
            request = self._due()
            if request is not None or self._done:
                return request
            if not self._take():
                return None

    def receive_hypothesis(self, hypothesis: Hypothesis) -> None:
        """Bring the answer to the request under way.

        Raises:
            SessionError: none is under way.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            raise SessionError("a hypothesis came although no request is under way")
        self._covered = asked.end
        if self._transcript.language is None and hypothesis.words:
            self._transcript.language = hypothesis.language
        if asked.final:
            self._finish(hypothesis, asked.end)
        else:
            self._update(hypothesis, asked.end)

    def abandon_request(self) -> None:
        """The request under way failed; what it covered will be asked for again."""
        self._asked = None

    def _take(self) -> bool:
        """Take one step of sound; False if none can be taken now."""
        boundary = self._flushes[0][0] if self._flushes else None
        needed = None
        if self._segments:
            needed = self._window.start if self._in_utterance else self._segments[0].start
        changes = self._listener.take(boundary, needed)
        for change in changes or ():
            if isinstance(change, SpeechStart):
                self._segments.append(_Segment(change.at))
                self._events.append(SpeechStarted(change.at / SAMPLE_RATE))
            else:
                segment = self._segments[-1]
                segment.end = max(segment.start, change.at)
                segment.speech_end = self._listener.gate.last_speech
                self._speech_samples += segment.end - segment.start
                self._events.append(SpeechEnded(segment.end / SAMPLE_RATE))
        return changes is not None

    # Deciding what is due.

    def _due(self) -> RecognitionRequest | None:
        while self._segments:
            segment = self._segments[0]
            flush = self._flushes[0][0] if self._flushes else None
            if flush is not None and flush <= max(segment.start, self._window_start(segment)):
                if not self._answer_flush():
                    return None
                continue
            if not self._in_utterance:
                self._begin(segment)
            speech_goes_on = segment.end is None or (flush is not None and flush < segment.end)
            if flush is not None and flush <= self._listener.taken and speech_goes_on:
                return self._ask(flush, final=True)
            if segment.end is not None:
                return self._ask(segment.end, final=True)
            interval = round(self.options.update_interval * SAMPLE_RATE)
            full = self._listener.taken - self._window.start >= self._limit
            if full or self._listener.taken - self._covered >= interval:
                return self._ask(self._listener.taken, final=False)
            return None
        while self._flushes and self._answer_flush():
            pass
        if self._listener.finished and not self._flushes:
            self._done = True
            self._events.append(Done(self.audio_seconds, self.speech_seconds))
        return None

    def _window_start(self, segment: _Segment) -> int:
        return self._window.start if self._in_utterance else segment.start

    def _answer_flush(self) -> bool:
        """Say `Flushed` if everything before the flush is dealt with."""
        position, id = self._flushes[0]
        if self._listener.taken < position:
            return False
        self._flushes.popleft()
        self._events.append(Flushed(id))
        return True

    @property
    def _limit(self) -> int:
        return round(self.options.window.limit * SAMPLE_RATE)

    def _begin(self, segment: _Segment) -> None:
        self._in_utterance = True
        self._window.restart(segment.start)
        self._covered = segment.start
        self._draft = ()
        self._silent_updates = 0

    def _ask(self, end: int, *, final: bool) -> RecognitionRequest | None:
        window = self._window
        if end > window.start + self._limit:
            end, final = window.start + self._limit, False
        if end - window.start < HOP:
            self._close_utterance(end)
            return self._due()
        self._asked = _Asked(end, final)
        return RecognitionRequest(
            mel=scale(self._listener.mel.window(window.start // HOP, end)),
            prefix=window.prefix,
            prefix_end=(window.committed_end - window.start) / SAMPLE_RATE,
            draft=tuple(token for word in self._draft for token in word.tokens),
            prompt=window.prompt,
            language=self._transcript.language,
            task=self.options.task,
            final=final,
            options=self.options.decoding,
        )

    # Hypotheses to text.

    def _update(self, hypothesis: Hypothesis, end: int) -> None:
        window, words = self._window, hypothesis.words
        sound_end = (end - window.start) / SAMPLE_RATE
        full = end - window.start >= self._limit
        count = agreed_words(self._draft, words, sound_end, self.options.agreement)
        if full and count == 0:
            count = max(0, len(words) - 2)  # the window can grow no more: it has to move on
        if count:
            self._say_committed(window.commit(words[:count]))
        self._draft = words[count:]
        self._silent_updates = 0 if words else self._silent_updates + 1
        self._say_partial()
        if self._stalled(end):
            self._go_on_after_committed(end)
        elif window.trim(self._listener.mel, end) or not full:
            return
        elif not self._go_on_after_committed(end):
            window.restart(window.start + self._limit // 2)
            self._draft = ()

    def _stalled(self, end: int) -> bool:
        """Whether somebody speaks on while the decoder is silent."""
        return self._silent_updates >= STALL_UPDATES and self._unheard(end)

    def _unheard(self, end: int) -> bool:
        """Whether there is speech well after the last committed word."""
        ended = self._segments[0].speech_end or self._listener.gate.last_speech
        return min(ended, end) - self._window.committed_end > STALL_SECONDS * SAMPLE_RATE

    def _go_on_after_committed(self, end: int) -> bool:
        """Cut at the last committed word and decode afresh from there; False if in vain."""
        before = self._window.start
        self._window.cut_after_committed(self._listener.mel, end)
        self._silent_updates = 0
        if self._window.start - before < PROGRESS_SECONDS * SAMPLE_RATE:
            return False
        self._draft = ()
        return True

    def _finish(self, hypothesis: Hypothesis, end: int) -> None:
        """Commit a whole hypothesis; ask again where speech after it was left unheard."""
        held = self._window.commit(hypothesis.words)
        self._draft = ()
        if self._window.committed and self._unheard(end) and self._go_on_after_committed(end):
            if held:
                self._say_committed(held)
            return
        self._close_utterance(end, held)

    def _close_utterance(self, end: int, held: Sequence[WindowWord] = ()) -> None:
        segment = self._segments[0]
        self._say_committed(held, final=True)
        self._in_utterance = False
        if segment.end is not None and end >= segment.end:
            self._segments.popleft()
        else:
            segment.start = end

    def _say_committed(self, held: Sequence[WindowWord], *, final: bool = False) -> None:
        at = self._window.committed_end
        self._events.append(self._transcript.commit(held, at, final=final))

    def _say_partial(self) -> None:
        if not self.options.partials:
            return
        window = self._window
        partial = self._transcript.partial(window.place(self._draft), window.committed_end)
        if partial is not None:
            self._events.append(partial)
