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
from dataclasses import dataclass

from streamwhisper.errors import SessionError
from streamwhisper.events import Done, Event, Flushed, SpeechEnded, SpeechStarted
from streamwhisper.recognition import Hypothesis, ModelInfo, RecognitionRequest
from streamwhisper.session.event_builder import EventBuilder
from streamwhisper.session.language import spoken_language
from streamwhisper.session.listener import QUANTUM, AudioListener, Decoder
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.utterance import Utterance
from streamwhisper.session.window import SAMPLE_RATE, WindowWord
from streamwhisper.vad.gate import SpeechStart

__all__ = ["Session"]

OPENING_SECONDS = 2.0
"""How long after the start of a segment, at most, the gate says that there is one."""


@dataclass(slots=True)
class _Segment:
    """Speech between an opening and a closing of the gate; None while it is open.

    Its start moves when a flush ends an utterance in its middle; where it opened stays.
    """

    opened: int
    start: int
    cut: bool = False  # whether more of it was to come when the sound was cut off
    end: int | None = None
    speech_end: int = 0


@dataclass(frozen=True, slots=True)
class _PendingRequest:
    """The request under way: the sound's end, and whether it commits everything up to there."""

    end: int
    final: bool


class Session:
    """See the module's text. One driver at a time; not thread-safe."""

    def __init__(
        self, info: ModelInfo, decoder: Decoder, options: SessionOptions | None = None
    ) -> None:
        """Begin to listen.

        Raises:
            RecognitionError: the model does not know the language, or the task.
        """
        self.options = options or SessionOptions()
        self._ahead = self.options  # those of the next utterance
        self.info = info
        self._decoder = decoder
        self._listener = AudioListener(info.n_mels, self.options.gate, self.options.window.limit)
        self._vocabulary = self.options.vocabulary
        self._speech_samples = 0
        self._segments: deque[_Segment] = deque()
        self._flushes: deque[tuple[int, str | None]] = deque()
        self._cut = False
        self._done = False
        self._events: list[Event] = []

        info.check_task(self.options.task)
        self._language = spoken_language(self.options.language, info)
        self._transcript = EventBuilder(self._language.code)
        self._utterance: Utterance | None = None
        self._last: Utterance | None = None  # while what follows may still share its window
        self._asked: _PendingRequest | None = None
        self._heard_until = 0  # the end of the last utterance
        self._stopped: int | None = None  # catching up stopped once for the pause after it

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
            covered = self._utterance.covered if self._utterance else 0
            return max(covered, self._segments[0].start) / SAMPLE_RATE
        return self._listener.taken / SAMPLE_RATE

    @property
    def closing(self) -> float:
        """How much has passed of the silence that ends the present utterance, 0 to 1.

        It is 0 as long as somebody speaks, and until all that they said is heard out.
        """
        gate, utterance = self._listener.gate, self._utterance
        if not gate.speaking or utterance is None or len(self._segments) > 1:
            return 0.0
        if not utterance.heard_out(gate.last_speech):
            return 0.0
        passed = (self._listener.taken - gate.last_speech) / SAMPLE_RATE
        return min(1.0, passed / gate.silence)

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

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Prefer these words and phrases from the next request on, in place of those before."""
        self._vocabulary = tuple(words)

    def configure(self, options: SessionOptions) -> None:
        """Use other options: gate and vocabulary at once, the rest from the next utterance on.

        Raises:
            RecognitionError: the model does not know the language, or the task.
        """
        self.info.check_task(options.task)
        spoken_language(options.language, self.info)
        self._ahead = options
        self._vocabulary = options.vocabulary
        self._listener.gate.options = options.gate

    def end(self, *, cut: bool = False) -> None:
        """No more sound: commit everything, then say `Done`.

        Args:
            cut: more was to come. Of somebody who speaks just now every whole word is committed,
                but what is dealt with ends where the utterance began: whoever goes on from there
                hears it whole.

        Raises:
            AudioFormatError: the sound ends in the middle of a sample.
        """
        if self._listener.ended:
            return
        self._cut = cut
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
            while not self._closing and self._take():
                pass
            if self._closing:
                self._stopped = self._listener.gate.last_speech
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
        utterance = self._utterance
        if asked is None or utterance is None:
            raise SessionError("a hypothesis came although no request is under way")
        if not self._in_the_language(hypothesis, utterance, asked.end):
            utterance.begin_anew(asked.end)
            return
        if asked.final:
            utterance.hear_out(hypothesis, asked.end)
            self._conclude(utterance, asked.end)
        else:
            self._update(utterance, hypothesis, asked.end)

    def abandon_request(self) -> None:
        """The request under way failed; what it covered will be asked for again."""
        self._asked = None

    @property
    def _closing(self) -> bool:
        """Whether the next step of sound may end an utterance whose text has a say in it.

        However long the chunks are, the recognizer is asked first. Where it is so busy that the
        request waits for more sound to come, the usual silence ends the utterance.
        """
        if self.options.endpoint.kind == "fixed" or not self._listener.gate.speaking:
            return False
        spoken = self._listener.gate.last_speech
        if spoken == self._stopped:
            return False
        pause = self._listener.taken + QUANTUM - spoken
        if pause < self.options.gate.silence * SAMPLE_RATE:
            return False
        utterance = self._utterance if len(self._segments) == 1 else None
        return utterance is None or not utterance.heard_out(spoken)

    def _take(self) -> bool:
        """Take one step of sound; False if none can be taken now."""
        boundary = self._flushes[0][0] if self._flushes else None
        changes = self._listener.take(boundary, self._needed)
        for change in changes or ():
            if isinstance(change, SpeechStart):
                self._segments.append(_Segment(change.at, change.at))
                self._events.append(SpeechStarted(change.at / SAMPLE_RATE))
            else:
                segment = self._segments[-1]
                segment.cut = self._cut and self._listener.finished
                segment.end = max(segment.start, change.at)
                segment.speech_end = self._listener.gate.last_speech
                self._speech_samples += segment.end - segment.opened
                ended = SpeechEnded(segment.end / SAMPLE_RATE, change.decided / SAMPLE_RATE)
                self._events.append(ended)
        return changes is not None

    # Deciding what is due.

    def _due(self) -> RecognitionRequest | None:
        while self._segments:
            segment = self._segments[0]
            flush = self._flushes[0][0] if self._flushes else None
            begun = self._utterance.window.start if self._utterance else segment.start
            if flush is not None and flush <= max(segment.start, begun):
                if not self._answer_flush():
                    return None
                continue
            if self._utterance is None:
                self._utterance = self._begin(segment.start)
            taken, end = self._listener.taken, segment.end
            if flush is not None and flush <= taken and (end is None or flush < end):
                end = flush
            if end is None:
                if not self._utterance.due(taken, self._spoken):
                    return None
                return self._ask(self._utterance, taken, final=False)
            if not self._utterance.heard_out(min(self._spoken, end)):
                request = self._ask(self._utterance, end, final=True)
                if request is not None:
                    return request
            self._conclude(self._utterance, end)
        while self._flushes and self._answer_flush():
            pass
        if self._listener.finished and not self._flushes:
            self._done = True
            self._events.append(Done(self.audio_seconds, self.speech_seconds))
        return None

    def _begin(self, start: int) -> Utterance:
        last, self._last = self._last, None
        if self._ahead is not self.options:
            last = None  # its window was heard by the old ones
            if self._ahead.language != self.options.language:
                self._language = spoken_language(self._ahead.language, self.info)
            self.options = self._ahead
        silence = (start - self._heard_until) / SAMPLE_RATE
        self._language = self._language.after_silence(silence)
        return Utterance(self.options, self._listener.mel, start, last)

    @property
    def _needed(self) -> int | None:
        """The oldest sample that may still be asked for."""
        if self._last is not None and not self._segments:
            silence = (self._listener.taken - self._last.covered) / SAMPLE_RATE
            if silence > self.options.window.bridge + OPENING_SECONDS:
                self._last = None
        utterance = self._utterance or self._last
        if utterance is not None:
            return utterance.window.start
        return self._segments[0].start if self._segments else None

    @property
    def _spoken(self) -> int:
        """Where speech was last heard in the first segment."""
        return self._segments[0].speech_end or self._listener.gate.last_speech

    def _answer_flush(self) -> bool:
        """Say `Flushed` if everything before the flush is dealt with."""
        position, id = self._flushes[0]
        if self._listener.taken < position:
            return False
        self._flushes.popleft()
        self._events.append(Flushed(id))
        return True

    def _ask(self, utterance: Utterance, end: int, *, final: bool) -> RecognitionRequest | None:
        reach = utterance.reach(end)
        final = final and reach == end
        words = self._vocabulary
        request = utterance.request(reach, self._language, final=final, vocabulary=words)
        if request is not None:
            self._asked = _PendingRequest(reach, final)
        return request

    # Hypotheses to text.

    def _in_the_language(self, hypothesis: Hypothesis, utterance: Utterance, end: int) -> bool:
        """Learn from an answer of the language; False if the answer is in the wrong one."""
        before = self._language
        known = before.doubted(hypothesis.log_probability)
        if hypothesis.words:
            known = known.heard(utterance.evidence(hypothesis, end, self._spoken))
            self._transcript.language = hypothesis.language
        self._language = known
        return known.code in (before.code, hypothesis.language)

    def _update(self, utterance: Utterance, hypothesis: Hypothesis, end: int) -> None:
        committed = utterance.update(hypothesis, end, hold=not self._language.settled)
        window = utterance.window
        if committed:
            self._say_committed(committed, window.committed_end)
        if self.options.partials:
            shown = utterance.shown(self._spoken)
            partial = self._transcript.partial(shown, window.committed_end)
            if partial is not None:
                self._events.append(partial)
        utterance.move_on(end, self._spoken)
        if self._segments[0].end is None and hypothesis.ending == "end_of_text":
            language = self._transcript.language
            self._listener.gate.hold(utterance.silence(self._spoken, language))

    def _conclude(self, utterance: Utterance, end: int) -> None:
        """Commit all that was heard; the utterance is over unless speech was left unheard."""
        segment = self._segments[0]
        over = segment.end is not None and end >= segment.end
        cut = segment.cut and over
        held, whole = utterance.conclude(end, self._spoken, cut=cut)
        at = utterance.window.committed_end
        if not whole:
            if held:
                self._say_committed(held, at)
            return
        self._say_committed(held, at, heard=segment.start if cut else end)
        self._heard_until = end
        self._last, self._utterance = utterance, None
        if over:
            self._segments.popleft()
        else:
            segment.start = end

    def _say_committed(self, held: Sequence[WindowWord], at: int, heard: int | None = None) -> None:
        self._events.append(self._transcript.commit(held, at, heard))
