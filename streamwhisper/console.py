"""Terminal output: growing text, progress bars and tables; colour only on a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from streamwhisper.control_characters import escape_controls, without_controls
from streamwhisper.events import Committed, Partial
from streamwhisper.protocol import Ack, ErrorMessage, ServerMessage, Status, encode_server_message

if TYPE_CHECKING:
    from streamwhisper.checkpoints.hub import ModelStatus

__all__ = [
    "DownloadBar",
    "GrowingText",
    "JsonLines",
    "fit_end",
    "length",
    "print_error",
    "print_json",
    "print_models",
    "print_notice",
    "print_table",
    "print_transcript",
    "recordings_bar",
]


class GrowingText:
    """Live transcript: committed words solid, the partial dim behind them.

    On a terminal the last line is redrawn and finished lines scroll up. Elsewhere only committed
    text is written, as it arrives. Each utterance begins a new line.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._line = ""
        self._partial = ""
        self._mark = ("", "")  # and its style
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> GrowingText:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._mark = ("", "")
        self.end_line()
        if self._live:
            self._live.stop()

    def show(self, event: ServerMessage) -> None:
        """Show one event; events without text change nothing."""
        if isinstance(event, Partial):
            self.guess(without_controls(event.text))
        elif isinstance(event, Committed):
            self.append(without_controls(event.text))
            if event.final:
                self.end_line()
        elif isinstance(event, ErrorMessage):
            with self._above_line() as console:
                print_error(f"{event.code}: {event.message}", console)

    def guess(self, text: str) -> None:
        """Show text that may still change, in place of the last partial."""
        self._partial = text
        self._refresh()

    def append(self, text: str) -> None:
        """Append committed text."""
        # The rest of the partial stays on the screen until the next one arrives.
        known = self._partial.startswith(text)
        self._partial = self._partial[len(text) :] if known else ""
        if not self._line:
            text = text.lstrip()
        self._line += text
        if not self._live:
            self._console.file.write(text)
            self._console.file.flush()
        self._refresh()

    def erase(self, count: int) -> str:
        """Remove the last `count` characters of the live line.

        Returns:
            the removed characters; fewer than `count` where the line is shorter.
        """
        if not self._live or not count:
            return ""
        taken = self._line[-count:]
        self._line = self._line[: -len(taken)] if taken else self._line
        self._refresh()
        return taken

    def end_line(self) -> None:
        """Finish the line; the partial is dropped."""
        self._partial = ""
        line, self._line = self._line, ""
        if self._live:
            self._live.update(Text(""), refresh=True)
            if line:
                self._console.print(line, markup=False)
            self._refresh()
        elif line:
            self._console.file.write("\n")
            self._console.file.flush()

    def mark(self, mark: str, style: str = "") -> None:
        """Show a mark in front of the live line, in place of the last one."""
        if (mark, style) != self._mark:
            self._mark = (mark, style)
            self._refresh()

    def notice(self, text: str) -> None:
        """Print a notice on standard error: above the live line if both are on the terminal."""
        with self._above_line() as console:
            console.print(
                without_controls(text, keep="\n"),
                style="dim",
                markup=False,
                highlight=False,
                soft_wrap=not console.is_terminal,  # a terminal cuts words
            )

    @contextmanager
    def _above_line(self) -> Iterator[Console]:
        """Yield the console for a notice."""
        errors = Console(stderr=True)
        # Only the line's own console prints above it; another one would print onto it.
        own = self._live is not None and self._live.is_started and errors.is_terminal
        yield self._console if own else errors
        errors.file.flush()

    def _refresh(self) -> None:
        if not self._live:
            return
        mark = Text(no_wrap=True).append(*self._mark)
        width = max(1, self._console.width - mark.cell_len)
        *finished, last = Text(self._line).wrap(self._console, width) or [Text("")]
        if finished:
            self._line = last.plain
        shown = Text(self._line, no_wrap=True)
        shown.append(self._partial if self._line else self._partial.lstrip(), style="dim")
        self._live.update(mark.append_text(fit_end(shown, width)), refresh=True)
        for line in finished:  # above the live line
            self._console.print(line.plain.rstrip(), markup=False)


class JsonLines:
    """Events as the JSON lines that a server sends for them; `ack` and `status` are left out."""

    def __init__(self) -> None:
        self._seq = 0

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, event: ServerMessage) -> None:
        """Print one event, numbered from 1."""
        if isinstance(event, Ack | Status):
            return
        self._seq += 1
        print(escape_controls(encode_server_message(event, self._seq)), flush=True)


def fit_end(text: Text, cells: int) -> Text:
    """Return the end of `text` that fits into `cells` terminal cells, with … in front if cut.

    The cut is between words where there are any.
    """
    if text.cell_len <= cells:
        return text
    cut = next(i for i in range(len(text) + 1) if text[i:].cell_len < cells)
    cut = max(cut, text.plain.find(" ", cut))
    return Text("…", no_wrap=True).append_text(text[cut:])


class DownloadBar:
    """Progress of a model download on stderr: a bar, and messages above it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bars = _bars(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._task: TaskID | None = None

    def __enter__(self) -> DownloadBar:
        return self

    def __exit__(self, *_: object) -> None:
        _stop(self._bars)

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(
            without_controls(text), style="dim", markup=False, highlight=False, soft_wrap=True
        )

    def advance(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` bytes (None: unknown) have arrived."""
        if self._task is None:
            self._bars.start()
            self._task = self._bars.add_task(self._name, total=total)
        self._bars.update(self._task, completed=done, total=total)


@contextmanager
def recordings_bar(name: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on stderr for `total` seconds of audio (None: unknown).

    Yields:
        a function to call with the seconds of audio finished since the last call.
    """
    bars = _bars(_AudioDone(), TimeRemainingColumn())
    task = bars.add_task(name, total=total)
    bars.start()
    try:
        yield lambda seconds: bars.advance(task, seconds)
    finally:
        _stop(bars)


class _AudioDone(ProgressColumn):
    """Share and length of the audio that is done, and the speed: ``43 %  5:12 / 12:14  47×``."""

    def render(self, task: Task) -> Text:
        done, total = task.completed, task.total
        elapsed = task.finished_time or task.elapsed or 0.0
        shown = length(done)
        if total:
            shown = f"{min(100, 100 * done / total):3.0f} %  {shown} / {length(total)}"
        return Text(f"{shown}  {done / elapsed:.0f}×" if done and elapsed else shown)


def length(seconds: float) -> str:
    """Return a length as minutes and seconds, e.g. ``12:14`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def print_json(record: Mapping[str, object]) -> None:
    """Print an object as one JSON line on stdout; numbers are rounded to three decimals."""
    line = json.dumps(_rounded(record), ensure_ascii=False, default=str)
    print(escape_controls(line), flush=True)


def print_transcript(text: str, title: str | None) -> None:
    """Print a transcript, below its title if there is one."""
    shown = f"{title}:\n{text}\n" if title else text
    print(without_controls(shown, keep="\n\t"), flush=True)


def print_models(models: Sequence[ModelStatus]) -> None:
    """Print a table of models."""
    table = Table("model", "cached", "from", box=None, pad_edge=False, header_style="bold")
    for model in models:
        size = f"{model.size / 1e6:.0f} MB" if model.size else "–"
        table.add_row(model.name, size, model.source or "", style=None if model.cached else "dim")
    Console(highlight=False, markup=False).print(table)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of text."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(without_controls, row))
    Console(highlight=False, markup=False).print(table)


def print_error(message: str, console: Console | None = None) -> None:
    """Print an error in red on `console`, by default on stderr."""
    console = console or Console(stderr=True)
    text = without_controls(f"error: {message}", keep="\n")
    wrap = not console.is_terminal  # which cuts words
    console.print(text, style="red", markup=False, highlight=False, soft_wrap=wrap)


def print_notice(message: str) -> None:
    """Print a notice on stderr."""
    text = without_controls(message, keep="\n")
    Console(stderr=True).print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _bars(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _stop(bars: Progress) -> None:
    # Stopping bars that never started writes an empty line when stderr is not a terminal.
    if bars.live.is_started:
        bars.stop()
