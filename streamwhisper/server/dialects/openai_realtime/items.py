"""Items of a Realtime session: their limits, their texts and the events about them.

Text arrives in the order of the audio, so it belongs to the oldest item that is not completed. An
item ends with speech or at a commit. It is completed when all audio before its end is transcribed.
All positions are seconds from the first sample.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from streamwhisper.events import Committed
from streamwhisper.server.dialects.openai_realtime.client_events import Json
from streamwhisper.server.dialects.openai_realtime.item import (
    Item,
    ItemOptions,
    Mark,
    log_probabilities,
)
from streamwhisper.typography import without_leading_stops

__all__ = ["Items", "SendEvent"]

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class SendEvent(Protocol):
    """Callable that sends an event to the client."""

    def __call__(self, type: str, **fields: object) -> None: ...


class Items:
    """Converter of session events and client commands to events for the client."""

    def __init__(self, name: str, send: SendEvent, flush: Callable[[], None]) -> None:
        """Begin without items.

        Args:
            name: name of the session; a prefix of the items' identifiers.
            send: sends an event.
            flush: flushes the session; `flushed` must be called when it is done.
        """
        self._name = name
        self._send = send
        self._flush = flush
        self.options = ItemOptions()
        self._items: deque[Item] = deque()  # not completed
        self._marks: deque[Mark] = deque()
        self._numbered = 0
        self._previous: str | None = None
        self._quiet_since: float | None = 0.0  # None: during speech, or after the timeout

    @property
    def unanswered(self) -> int:
        """Number of commits and clears that wait for their audio to be transcribed."""
        return len(self._marks)

    def configure(self, options: ItemOptions, now: float) -> None:
        """Change the options from `now` on; an open item continues or is committed."""
        before, self.options = self.options, options
        if before.detecting and not options.detecting and self._open is None:
            self._add(now)
        if options.detecting and not before.detecting:
            self._quiet_since = now
            if (item := self._open) is not None and now > item.start:
                self._commit_open(item, now)

    # Commands of the client.

    def commit(self, now: float) -> None:
        """End the open item; with turn detection, as soon as it is known."""
        item = self._open
        if self.options.detecting or item is None:
            self._mark(now)
        else:
            self._commit_open(item, now)

    def clear(self, now: float) -> None:
        """Discard the audio that is not part of an item yet."""
        self._send("input_audio_buffer.cleared")
        self._mark(now, clearing=True)
        item = self._open
        if item is not None and self._cleared(item.start):
            item.muted = True
            if not self.options.detecting:
                item.end = now
                self._add(now)

    # Events of the session.

    def speech_started(self, at: float) -> None:
        """Begin an item at the start of speech."""
        if not self.options.detecting:
            return
        self._quiet_since = None
        item = self._open or self._add(at)
        if not item.announced:
            item.start = at
            item.muted = self._cleared(at)
            self._announce(item)

    def speech_ended(self, at: float) -> None:
        """End the open item at the end of speech."""
        if not self.options.detecting:
            return
        self._quiet_since = at
        if (item := self._open) is not None:
            for mark in self._marks:
                if item.start < mark.position < at:
                    item = self._cut(item, mark)
            item.end = max(at, item.start)
            self._stop(item)

    def text(self, event: Committed) -> None:
        """Send committed text; complete the items that end before the covered audio."""
        item = self._items[0] if self._items else None
        if event.text.strip() and (item is None or not item.muted):
            self._write(item or self._add(event.start), event)
        if event.covered_until is not None:
            self._complete(event.covered_until)

    def flushed(self) -> None:
        """Answer the oldest commit or clear: all audio before it is transcribed."""
        mark = self._marks.popleft()
        self._complete(mark.position)
        if (item := self._open) is not None and item.start < mark.position:
            self._cut(item, mark)
            self._complete(mark.position)
        elif not (mark.clearing or mark.answered):  # no speech since the last item
            self._commit_silence(mark.position, mark.position)

    def tick(self, covered: float) -> None:
        """Send `timeout_triggered` if there was no speech up to `covered` for too long."""
        since, idle = self._quiet_since, self.options.idle
        if idle is None or since is None or not self.options.detecting:
            return
        if covered - since >= idle and not any(item.announced for item in self._items):
            self._quiet_since = None
            self._commit_silence(since, covered, silent=True)

    def finish(self, now: float) -> None:
        """Complete all items at the end of the session."""
        self._marks.clear()
        if (item := self._open) is not None and item.announced:
            self._commit(item, now)
        self._complete(math.inf)

    def fail(self, error: Json) -> None:
        """Send `failed` for all items that are committed but not completed."""
        for item in self._items:
            if item.committed:
                self._send(
                    f"{_TRANSCRIPTION}.failed", item_id=item.id, content_index=0, error=error
                )
        self._items.clear()

    # State transitions.

    @property
    def _open(self) -> Item | None:
        return self._items[-1] if self._items and self._items[-1].end is None else None

    def _new(self, start: float, end: float | None = None) -> Item:
        self._numbered += 1
        return Item(f"item_{self._name}_{self._numbered}", start, end)

    def _add(self, start: float) -> Item:
        item = self._new(start)
        self._items.append(item)
        return item

    def _mark(self, now: float, *, clearing: bool = False, answered: bool = False) -> None:
        self._marks.append(Mark(now, clearing, answered))
        self._flush()

    def _cut(self, item: Item, mark: Mark) -> Item:
        """End an open item at a commit or a clear; return the item after it."""
        if mark.clearing:
            item.muted, item.end = True, mark.position
        else:
            mark.answered = True
            self._commit(item, mark.position)
        rest = self._add(mark.position)
        rest.muted = self._cleared(rest.start)
        return rest

    def _cleared(self, start: float) -> bool:
        """Return whether audio from `start` on was cleared before it was committed."""
        first = next((mark for mark in self._marks if mark.position > start), None)
        return first is not None and first.clearing

    def _commit_open(self, item: Item, now: float) -> None:
        self._commit(item, now)
        self._add(now)
        self._mark(now, answered=True)

    def _commit_silence(self, start: float, end: float, *, silent: bool = False) -> None:
        item = self._new(start)
        if silent:
            self._send(
                "input_audio_buffer.timeout_triggered",
                audio_start_ms=_milliseconds(start),
                audio_end_ms=_milliseconds(end),
                item_id=item.id,
            )
        self._commit(item, end)
        self._send_completed(item)

    def _announce(self, item: Item) -> None:
        if item.muted:
            return
        item.announced = True
        start = _milliseconds(item.start + self.options.lead)
        self._send("input_audio_buffer.speech_started", audio_start_ms=start, item_id=item.id)

    def _stop(self, item: Item) -> None:
        """Send the end of an announced item."""
        if item.announced and not item.muted and item.end is not None:
            end = _milliseconds(item.end)
            self._send("input_audio_buffer.speech_stopped", audio_end_ms=end, item_id=item.id)
            self._commit(item, item.end)
            for mark in self._marks:
                if not (mark.answered or mark.clearing):
                    mark.answered = True
                    break

    def _commit(self, item: Item, end: float) -> None:
        item.end = max(end, item.start)
        if item.muted:
            return
        item.announced = item.committed = True
        previous, self._previous = self._previous, item.id
        self._send("input_audio_buffer.committed", item_id=item.id, previous_item_id=previous)
        message = {
            "id": item.id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        for type in ("conversation.item.added", "conversation.item.done"):
            self._send(type, previous_item_id=previous, item=message)

    def _write(self, item: Item, event: Committed) -> None:
        if not item.announced:
            if self.options.detecting:
                self._announce(item)
                self._stop(item)
            item.announced = True
        text = event.text if item.text else without_leading_stops(event.text)
        item.text += text
        item.language = event.language
        fields: Json = {}
        if self.options.log_probabilities:
            fields["logprobs"] = log_probabilities(text, event.words)
            item.log_probabilities += fields["logprobs"]
        self._send(
            f"{_TRANSCRIPTION}.delta", item_id=item.id, content_index=0, delta=text, **fields
        )

    def _complete(self, covered: float) -> None:
        while self._items and (end := self._items[0].end) is not None and end <= covered:
            item = self._items.popleft()
            if item.committed:
                self._send_completed(item)

    def _send_completed(self, item: Item) -> None:
        fields: Json = {}
        if self.options.log_probabilities:
            fields["logprobs"] = item.log_probabilities
        if item.language is not None:
            fields["languages"] = [{"code": item.language}]
        self._send(
            f"{_TRANSCRIPTION}.completed",
            item_id=item.id,
            content_index=0,
            transcript=item.text,
            usage={"type": "duration", "seconds": round((item.end or 0.0) - item.start, 3)},
            **fields,
        )


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
