"""The items of a session: where each begins and ends, its text, and what its client is told.

Text comes in the order of the sound, so it belongs to the oldest item that is not completed. An
item ends where speech does, or at a commit; it is completed once everything before its end is
heard. All positions are seconds from the first sample.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from streamwhisper.events import Committed, Word
from streamwhisper.server.dialects.openai_realtime.client_events import Json

__all__ = ["ItemOptions", "Items", "Say", "log_probabilities"]

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class Say(Protocol):
    """Tells the client of an event."""

    def __call__(self, type: str, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """How items come about.

    Attributes:
        detecting: speech begins and ends them; otherwise only commits end them.
        lead: sound that is heard before speech and that the client does not count to it.
        idle: seconds without speech after which the client is told; None: it is not.
        log_probabilities: whether texts come with those of their words.
    """

    detecting: bool = True
    lead: float = 0.0
    idle: float | None = None
    log_probabilities: bool = False


@dataclass(slots=True)
class _Item:
    """One item; `end` is None while it is open, which the newest alone may be.

    An item that has been announced is known to the client; a muted one was cleared.
    """

    id: str
    start: float
    end: float | None = None
    announced: bool = False
    muted: bool = False
    committed: bool = False
    text: str = ""
    language: str | None = None
    log_probabilities: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class _Mark:
    """A commit or a clear up to a position, before which not all is heard yet.

    With detection it becomes known only then what a commit ends; it is answered as well if the
    end of speech was faster.
    """

    position: float
    clearing: bool
    answered: bool


class Items:
    """Events of a session and commands of its client in, events for the client out."""

    def __init__(self, name: str, say: Say, flush: Callable[[], None]) -> None:
        """Begin without items.

        Args:
            name: of the session; items are called after it.
            flush: has the session hear out all sound so far; answered by `flushed`.
        """
        self._name = name
        self._say = say
        self._flush = flush
        self.listening = ItemOptions()
        self._items: deque[_Item] = deque()  # not completed
        self._marks: deque[_Mark] = deque()
        self._numbered = 0
        self._previous: str | None = None
        self._quiet_since: float | None = 0.0  # None: somebody speaks, or the client was told

    @property
    def unanswered(self) -> int:
        """Commits and clears that wait for sound to be heard out."""
        return len(self._marks)

    def listen(self, listening: ItemOptions, now: float) -> None:
        """From here on items come about like this; what is open goes on or is committed."""
        before, self.listening = self.listening, listening
        if before.detecting and not listening.detecting and self._open is None:
            self._add(now)
        if listening.detecting and not before.detecting:
            self._quiet_since = now
            if (item := self._open) is not None and now > item.start:
                self._commit_open(item, now)

    # What the client does.

    def commit(self, now: float) -> None:
        """End what is open; with detection only once it is known what that is."""
        item = self._open
        if self.listening.detecting or item is None:
            self._mark(now)
        else:
            self._commit_open(item, now)

    def clear(self, now: float) -> None:
        """Forget what no item has taken yet."""
        self._say("input_audio_buffer.cleared")
        self._mark(now, clearing=True)
        item = self._open
        if item is not None and self._cleared(item.start):
            item.muted = True
            if not self.listening.detecting:
                item.end = now
                self._add(now)

    # What the session says.

    def speech_started(self, at: float) -> None:
        """Somebody began to speak."""
        if not self.listening.detecting:
            return
        self._quiet_since = None
        item = self._open or self._add(at)
        if not item.announced:
            item.start = at
            item.muted = self._cleared(at)
            self._announce(item)

    def speech_ended(self, at: float) -> None:
        """They stopped."""
        if not self.listening.detecting:
            return
        self._quiet_since = at
        if (item := self._open) is not None:
            for mark in self._marks:
                if item.start < mark.position < at:
                    item = self._cut(item, mark)
            item.end = max(at, item.start)
            self._stop(item)

    def text(self, event: Committed) -> None:
        """Text that stands; the last of an utterance also says how far all is heard."""
        item = self._items[0] if self._items else None
        if event.text.strip() and (item is None or not item.muted):
            self._write(item or self._add(event.start), event)
        if event.covered_until is not None:
            self._complete(event.covered_until)

    def flushed(self) -> None:
        """All sound before the oldest commit or clear is heard."""
        mark = self._marks.popleft()
        self._complete(mark.position)
        if (item := self._open) is not None and item.start < mark.position:
            self._cut(item, mark)
            self._complete(mark.position)
        elif not (mark.clearing or mark.answered):  # nobody has spoken since the last item
            self._commit_silence(mark.position, mark.position)

    def tick(self, covered: float) -> None:
        """It is known up to `covered` whether anybody spoke."""
        since, idle = self._quiet_since, self.listening.idle
        if idle is None or since is None or not self.listening.detecting:
            return
        if covered - since >= idle and not any(item.announced for item in self._items):
            self._quiet_since = None
            self._commit_silence(since, covered, silent=True)

    def finish(self, now: float) -> None:
        """Everything is heard: complete what there is."""
        self._marks.clear()
        if (item := self._open) is not None and item.announced:
            self._commit(item, now)
        self._complete(math.inf)

    def fail(self, error: Json) -> None:
        """What has been committed and is not completed never will be."""
        for item in self._items:
            if item.committed:
                self._say(f"{_TRANSCRIPTION}.failed", item_id=item.id, content_index=0, error=error)
        self._items.clear()

    # From one state to the next.

    @property
    def _open(self) -> _Item | None:
        return self._items[-1] if self._items and self._items[-1].end is None else None

    def _new(self, start: float, end: float | None = None) -> _Item:
        self._numbered += 1
        return _Item(f"item_{self._name}_{self._numbered}", start, end)

    def _add(self, start: float) -> _Item:
        item = self._new(start)
        self._items.append(item)
        return item

    def _mark(self, now: float, *, clearing: bool = False, answered: bool = False) -> None:
        self._marks.append(_Mark(now, clearing, answered))
        self._flush()

    def _cut(self, item: _Item, mark: _Mark) -> _Item:
        """End an open item at a commit or a clear; what goes on behind it."""
        if mark.clearing:
            item.muted, item.end = True, mark.position
        else:
            mark.answered = True
            self._commit(item, mark.position)
        rest = self._add(mark.position)
        rest.muted = self._cleared(rest.start)
        return rest

    def _cleared(self, start: float) -> bool:
        """Whether what begins at `start` was cleared before any commit took it."""
        first = next((mark for mark in self._marks if mark.position > start), None)
        return first is not None and first.clearing

    def _commit_open(self, item: _Item, now: float) -> None:
        self._commit(item, now)
        self._add(now)
        self._mark(now, answered=True)

    def _commit_silence(self, start: float, end: float, *, silent: bool = False) -> None:
        item = self._new(start)
        if silent:
            self._say(
                "input_audio_buffer.timeout_triggered",
                audio_start_ms=_milliseconds(start),
                audio_end_ms=_milliseconds(end),
                item_id=item.id,
            )
        self._commit(item, end)
        self._say_completed(item)

    def _announce(self, item: _Item) -> None:
        if item.muted:
            return
        item.announced = True
        start = _milliseconds(item.start + self.listening.lead)
        self._say("input_audio_buffer.speech_started", audio_start_ms=start, item_id=item.id)

    def _stop(self, item: _Item) -> None:
        """Tell of the end of an item that the client knows."""
        if item.announced and not item.muted and item.end is not None:
            end = _milliseconds(item.end)
            self._say("input_audio_buffer.speech_stopped", audio_end_ms=end, item_id=item.id)
            self._commit(item, item.end)
            for mark in self._marks:
                if not (mark.answered or mark.clearing):
                    mark.answered = True
                    break

    def _commit(self, item: _Item, end: float) -> None:
        item.end = max(end, item.start)
        if item.muted:
            return
        item.announced = item.committed = True
        previous, self._previous = self._previous, item.id
        self._say("input_audio_buffer.committed", item_id=item.id, previous_item_id=previous)
        message = {
            "id": item.id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        for type in ("conversation.item.added", "conversation.item.done"):
            self._say(type, previous_item_id=previous, item=message)

    def _write(self, item: _Item, event: Committed) -> None:
        if not item.announced:
            if self.listening.detecting:
                self._announce(item)
                self._stop(item)
            item.announced = True
        text = event.text if item.text else event.text.lstrip()
        item.text += text
        item.language = event.language
        fields: Json = {}
        if self.listening.log_probabilities:
            fields["logprobs"] = log_probabilities(text, event.words)
            item.log_probabilities += fields["logprobs"]
        self._say(f"{_TRANSCRIPTION}.delta", item_id=item.id, content_index=0, delta=text, **fields)

    def _complete(self, heard: float) -> None:
        while self._items and (end := self._items[0].end) is not None and end <= heard:
            item = self._items.popleft()
            if item.committed:
                self._say_completed(item)

    def _say_completed(self, item: _Item) -> None:
        fields: Json = {}
        if self.listening.log_probabilities:
            fields["logprobs"] = item.log_probabilities
        if item.language is not None:
            fields["languages"] = [{"code": item.language}]
        self._say(
            f"{_TRANSCRIPTION}.completed",
            item_id=item.id,
            content_index=0,
            transcript=item.text,
            usage={"type": "duration", "seconds": round((item.end or 0.0) - item.start, 3)},
            **fields,
        )


def log_probabilities(text: str, words: tuple[Word, ...]) -> list[Json]:
    """Of each word of `text`, with the spaces and marks around it: joined, the tokens are `text`.

    A word that cannot be found in the text goes with the next one.
    """
    found: list[Json] = []
    begun = 0
    for word in words:
        at = text.find(word.word, begun)
        if at < 0:
            continue
        end = at + len(word.word)
        found.append(_token(text[begun:end], word.confidence))
        begun = end
    if found and begun < len(text):
        found[-1] = _token(found[-1]["token"] + text[begun:], math.exp(found[-1]["logprob"]))
    return found


def _token(text: str, probability: float) -> Json:
    return {
        "token": text,
        "bytes": list(text.encode()),
        "logprob": round(math.log(max(probability, 1e-9)), 4),
    }


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
