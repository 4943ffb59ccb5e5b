"""Session of one speaker: audio bytes in, events out.

Sans-I/O: no sockets, no threads, and no clock other than the number of samples. A driver feeds it
audio, takes the recognition request that is due, brings back the hypothesis and collects events::

    session.receive_audio(data)
    while request := session.next_request():
        session.receive_hypothesis(recognizer.recognize([request])[0])
    for event in session.events(): ...
"""

from __future__ import annotations

from collections.abc import Sequence

from streamwhisper.errors import SessionError
from streamwhisper.events import Done, Event
from streamwhisper.recognition import Hypothesis, ModelInfo, RecognitionRequest
from streamwhisper.session.event_builder import EventBuilder
from streamwhisper.session.flushes import FlushQueue
from streamwhisper.session.language import spoken_language
from streamwhisper.session.listener import QUANTUM, AudioListener, Decoder
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.segments import SegmentQueue
from streamwhisper.session.utterance import PendingRequest, Utterance
from streamwhisper.session.window import SAMPLE_RATE, WindowWord

__all__ = ["Session"]

OPENING_SECONDS = 2.0
"""Maximum delay between the start of a segment and the gate's decision."""


class Session:
    """Sans-I/O session of one speaker; see the module. Not thread-safe: one driver at a time."""

    def __init__(
        self, info: ModelInfo, decoder: Decoder, options: SessionOptions | None = None
    ) -> None:
        """Start a session.

        Raises:
            RecognitionError: the model does not support the language or the task.
        """
        self.options = options or SessionOptions()
        self._next_options = self.options  # for the next utterance
        self.info = info
        self._decoder = decoder
        self._listener = AudioListener(info.n_mels, self.options.gate, self.options.window.limit)
        self._vocabulary = self.options.vocabulary
        self._segments = SegmentQueue()
        self._flushes = FlushQueue()
        self._cut = False
        self._done = False
        self._events: list[Event] = []

        info.check_task(self.options.task)
        self._language = spoken_language(self.options.language, info)
        self._builder = EventBuilder(self._language.code)
        self._utterance: Utterance | None = None
        self._last: Utterance | None = None  # while the next utterance may share its window
        self._pending: PendingRequest | None = None
        self._last_end = 0  # of the last utterance
        self._paused_at: int | None = None  # last speech before the pause that stopped catch-up

    @property
    def can_receive(self) -> bool:
        """False while the buffers are full: pause reading. Nothing is dropped."""
        return not self._listener.full

    @property
    def done(self) -> bool:
        """True if all text is committed and `Done` was returned."""
        return self._done

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio received."""
        return self._listener.received / SAMPLE_RATE

    @property
    def covered_seconds(self) -> float:
        """Seconds of audio that are transcribed, or known to be silence."""
        if self._segments:
            covered = self._utterance.covered if self._utterance else 0
            return max(covered, self._segments.first.start) / SAMPLE_RATE
        return self._listener.taken / SAMPLE_RATE

    @property
    def closing(self) -> float:
        """Elapsed share of the silence that ends the current utterance, 0 to 1.

        It is 0 during speech, and until a hypothesis covers all speech so far.
        """
        if not self._listener.gate.speaking or self._utterance is None or len(self._segments) > 1:
            return 0.0
        return self._utterance.elapsed_silence(self._listener.gate, self._listener.taken)

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech in the segments that have ended."""
        return self._segments.speech_samples / SAMPLE_RATE

    def events(self) -> list[Event]:
        """Return and clear the events since the last call."""
        events, self._events = self._events, []
        return events

    def receive_audio(self, data: bytes) -> None:
        """Add audio bytes in the encoding of the session's decoder.

        Raises:
            AudioFormatError: the audio cannot be decoded.
            SessionError: the session was ended before.
        """
        if self._listener.ended:
            raise SessionError("audio after the end of the session; open a new session for it")
        self._listener.store(self._decoder.decode(data))

    def flush(self, id: str | None = None) -> None:
        """Commit all audio received so far; a `Flushed` event with this `id` follows."""
        self._flushes.add(self._listener.received, id)

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Replace the vocabulary, from the next request on."""
        self._vocabulary = tuple(words)

    def configure(self, options: SessionOptions) -> None:
        """Replace the options: gate and vocabulary at once, the rest from the next utterance on.

        Raises:
            RecognitionError: the model does not support the language or the task.
        """
        self.info.check_task(options.task)
        spoken_language(options.language, self.info)
        self._next_options = options
        self._vocabulary = options.vocabulary
        self._listener.gate.options = options.gate

    def end(self, *, cut: bool = False) -> None:
        """Declare the end of the audio: all text is committed, then `Done` follows.

        Args:
            cut: the audio was cut off while more was to come. Whole words of unfinished speech
                are committed, but `Committed.covered_until` is where that utterance began, so
                that another session can continue from there with the whole utterance.

        Raises:
            AudioFormatError: the audio ends in the middle of a sample.
        """
        if self._listener.ended:
            return
        self._cut = cut
        self._listener.end()
        self._listener.store(self._decoder.finish())

    def next_request(self, *, catch_up: bool = True) -> RecognitionRequest | None:
        """Return the request that is due, or None; at most one is in flight.

        Args:
            catch_up: cover all audio received, so that a slow machine requests less often. False
                requests at exact multiples of the update interval, so that the result depends
                only on the audio and not on when it arrived.
        """
        if self._pending or self._done:
            return None
        if catch_up:
            while not self._at_endpoint and self._take():
                pass
            if self._at_endpoint:
                self._paused_at = self._listener.gate.last_speech
        while True:
            request = self._due()
            if request is not None or self._done:
                return request
            if not self._take():
                return None

    def receive_hypothesis(self, hypothesis: Hypothesis) -> None:
        """Receive the answer to the request in flight.

        Raises:
            SessionError: no request is in flight.
        """
        pending, self._pending = self._pending, None
        utterance = self._utterance
        if pending is None or utterance is None:
            raise SessionError("received a hypothesis, but no request is in flight")
        if not self._in_language(hypothesis, utterance, pending.end):
            utterance.restart_after_committed(pending.end)
            return
        if pending.final:
            utterance.complete(hypothesis, pending.end)
            self._conclude(utterance, pending.end)
        else:
            self._update(utterance, hypothesis, pending.end)

    def abandon_request(self) -> None:
        """Give up the request in flight, e.g. after a failure; its audio is requested again."""
        self._pending = None

    def forget_past(self) -> None:
        """Drop the recognizer's state, which is large; the next request is computed without it."""
        for utterance in (self._utterance, self._last):
            if utterance is not None:
                utterance.window.past = None

    @property
    def held_bytes(self) -> int:
        """Size of the audio that the session keeps."""
        return self._listener.held_bytes

    @property
    def _at_endpoint(self) -> bool:
        """Return whether the next step of audio may end an utterance whose text decides about that.

        The recognizer is asked first, however long the chunks are. When it is so busy that the
        request waits until more audio arrives, the gate's own silence ends the utterance.
        """
        if self.options.endpoint.kind == "fixed" or not self._listener.gate.speaking:
            return False
        spoken = self._listener.gate.last_speech
        pause = self._listener.taken + QUANTUM - spoken
        if spoken == self._paused_at or pause < self.options.gate.silence * SAMPLE_RATE:
            return False
        utterance = self._utterance if len(self._segments) == 1 else None
        return utterance is None or not utterance.covers(spoken)

    def _take(self) -> bool:
        """Pass one step of audio through the gate; return False when none is available."""
        changes = self._listener.take(self._flushes.position, self._needed)
        for change in changes or ():
            cut = self._cut and self._listener.finished
            last_speech = self._listener.gate.last_speech
            self._events.append(self._segments.add(change, last_speech, cut=cut))
        return changes is not None

    # Requests.

    def _due(self) -> RecognitionRequest | None:
        """Return the request that is due with the audio taken so far."""
        while self._segments:
            segment = self._segments.first
            flush = self._flushes.position
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
            if not self._utterance.covers(min(self._spoken, end)) and (
                request := self._ask(self._utterance, end, final=True)
            ):
                return request
            self._conclude(self._utterance, end)
        while self._answer_flush():
            pass
        if self._listener.finished and not self._flushes:
            self._done = True
            self._events.append(Done(self.audio_seconds, self.speech_seconds))
        return None

    def _begin(self, start: int) -> Utterance:
        last, self._last = self._last, None
        if self._next_options is not self.options:
            last = None  # its window used the old options
            if self._next_options.language != self.options.language:
                self._language = spoken_language(self._next_options.language, self.info)
            self.options = self._next_options
        self._language = self._language.after_silence((start - self._last_end) / SAMPLE_RATE)
        return Utterance(self.options, self._listener.mel, start, last)

    @property
    def _needed(self) -> int | None:
        """The oldest sample that a request may still need."""
        if self._last is not None and not self._segments:
            silence = (self._listener.taken - self._last.covered) / SAMPLE_RATE
            if silence > self.options.window.bridge + OPENING_SECONDS:
                self._last = None
        utterance = self._utterance or self._last
        if utterance is not None:
            return utterance.window.start
        return self._segments.first.start if self._segments else None

    @property
    def _spoken(self) -> int:
        """Last sample with speech in the first segment."""
        return self._segments.first.speech_end or self._listener.gate.last_speech

    def _answer_flush(self) -> bool:
        """Emit `Flushed` for the oldest flush if all audio before it is covered."""
        flushed = self._flushes.answer(self._listener.taken)
        self._events += [flushed] if flushed is not None else []
        return flushed is not None

    def _ask(self, utterance: Utterance, end: int, *, final: bool) -> RecognitionRequest | None:
        reach = utterance.reach(end)
        final = final and reach == end
        words = self._vocabulary
        request = utterance.request(reach, self._language, final=final, vocabulary=words)
        if request is not None:
            self._pending = PendingRequest(reach, final)
        return request

    # Hypotheses to text.

    def _in_language(self, hypothesis: Hypothesis, utterance: Utterance, end: int) -> bool:
        """Update the language by an answer; return False if the answer is in a wrong one."""
        before = self._language
        known = before.doubted(hypothesis.log_probability)
        if hypothesis.words:
            known = known.updated(utterance.evidence(hypothesis, end, self._spoken))
            self._builder.language = hypothesis.language
        self._language = known
        return known.code in (before.code, hypothesis.language)

    def _update(self, utterance: Utterance, hypothesis: Hypothesis, end: int) -> None:
        committed = utterance.update(hypothesis, end, hold=not self._language.confirmed)
        if committed:
            self._commit(utterance, committed)
        if self.options.partials:
            likely = utterance.likely_words(self._spoken)
            partial = self._builder.partial(likely, utterance.window.committed_end)
            if partial is not None:
                self._events.append(partial)
        utterance.move_on(end, self._spoken)
        if self._segments.first.end is None and hypothesis.ending == "end_of_text":
            language = self._builder.language
            self._listener.gate.hold(utterance.silence(self._spoken, language))

    def _conclude(self, utterance: Utterance, end: int) -> None:
        """Commit the draft and end the utterance, unless speech is left that no word covers."""
        segment = self._segments.first
        over = segment.end is not None and end >= segment.end
        cut = segment.cut and over
        words, whole = utterance.conclude(end, self._spoken, cut=cut)
        if words or whole:
            covered_until = segment.start if cut else end
            self._commit(utterance, words, covered_until if whole else None)
        if not whole:
            return
        self._last_end = end
        self._last, self._utterance = utterance, None
        if over:
            self._segments.remove_first()
        else:
            segment.start = end

    def _commit(
        self, utterance: Utterance, words: Sequence[WindowWord], covered_until: int | None = None
    ) -> None:
        at = utterance.window.committed_end
        self._events.append(self._builder.commit(words, at, covered_until))
