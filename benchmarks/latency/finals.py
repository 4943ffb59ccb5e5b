"""Time until the text of an utterance is final, after its endpoint and after a flush.

    python -m benchmarks finals --model tiny.en --clips 20

A real server receives utterances in real time, in 100 ms chunks.

After the endpoint: one session receives all utterances, each followed by enough silence for the
server to detect its end. ``speech_ended`` reports how much audio had been received when the end
was detected, and latency counts from the moment that audio was sent. (The arrival of
``speech_ended`` would hide the server's own delay.) The endpoint's silence is shown beside it.

After a flush (push-to-talk): each utterance has its own session, and a flush follows its last
sample; once with the whole clip, once cut directly after its last word. Clips with text that is
committed after ``flushed`` are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.latency.streaming import stream
from benchmarks.lib.live_run import Run, send_paced
from benchmarks.lib.measure import Errors, count_errors, percentiles
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import (
    SAMPLE_RATE,
    Recording,
    clips,
    joined,
    normalized,
    speech_folder,
    tokens,
)
from streamwhisper.client import StreamClient, connect
from streamwhisper.engine.cores import usable_cores
from streamwhisper.events import Committed, Flushed, SpeechEnded

CHUNK = 0.1
"""Seconds sent at a time."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An utterance that ended by itself.

    Attributes:
        decided: where the sound ends on which that was decided, in audio seconds.
        told: from sending that sound to ``speech_ended``, in seconds.
        final: from sending that sound to the final commit, in seconds.
        silence: audio seconds from its last word's end to `decided`; None where that end is not
            known.
        whole: from sending its last word's end to the final commit, in seconds; None likewise.
    """

    decided: float
    told: float
    final: float
    silence: float | None
    whole: float | None


def endpoints(run: Run) -> list[Endpoint]:
    """The utterances that ended before the sound did, in order.

    The n-th segment that ended is the n-th utterance that became final, for nothing was flushed.
    """
    ended = [(at, message) for at, message in run.arrivals if isinstance(message, SpeechEnded)]
    ends = run.speech_ends()
    found = []
    for (told, message), (utterance, final) in zip(ended, run.finals().items(), strict=True):
        decided = message.detected_at
        if decided >= run.recording.seconds:  # the end of the sound ended it
            continue
        sent, end = run.sent(decided), ends.get(utterance)
        found.append(
            Endpoint(
                decided,
                told - sent,
                final - sent,
                None if end is None else decided - end,
                None if end is None else final - run.sent(end),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What a flush brought.

    Attributes:
        seconds: from sending it to ``flushed``.
        late: words that were committed afterwards, though no sound had followed.
        errors: of the words that were committed by then.
    """

    seconds: float
    late: int
    errors: Errors


def answer(run: Run) -> Answer:
    """Judge a run whose sound was followed by one flush, sent at its `end_sent`."""
    flushed = next(at for at, message in run.arrivals if isinstance(message, Flushed))
    commits = [(at, m.text) for at, m in run.arrivals if isinstance(m, Committed)]
    by_then = "".join(text for at, text in commits if at <= flushed)
    return Answer(
        flushed - run.end_sent,
        sum(len(tokens(text)) for at, text in commits if at > flushed),
        count_errors(normalized(run.recording.text), normalized(by_then)),
    )


def cut(clip: Recording, margin: float) -> Recording:
    """The clip without the sound that lies more than `margin` seconds after its last word."""
    end = max(word.end or math.inf for word in clip.words) + margin
    return replace(clip, samples=clip.samples[: round(min(end, clip.seconds) * SAMPLE_RATE)])


class PushToTalk:
    """An ear that is told of the end of sound by a flush: the button is let go."""

    def __init__(self, client: StreamClient) -> None:
        self._client = client

    async def send(self, data: bytes) -> None:
        """Send the next samples."""
        await self._client.send(data)

    async def end(self) -> None:
        """Have all of it committed."""
        await self._client.flush()


async def push_to_talk(server: Server, recording: Recording) -> Run:
    """Send a recording, flush, and end the session when the flush is answered."""
    run = Run(recording)
    async with (
        connect(server.url, encoding="pcm_f32le", language="en") as client,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(send_paced(PushToTalk(client), run, CHUNK, 1.0))
        async for event in client:
            run.arrivals.append((time.perf_counter(), event))
            if isinstance(event, Flushed):
                await client.end()
    return run


def timed_clips(count: int) -> list[Recording]:
    """`count` utterances whose words all have known ends, spread evenly over their set."""
    every = clips(speech_folder(), "ls-dev", 10_000)
    timed = [clip for clip in every if all(word.end is not None for word in clip.words)]
    return timed[:: max(1, len(timed) // count)][:count]


def endpoint_figures(found: Sequence[Endpoint]) -> dict[str, Any]:
    """Percentiles over utterances."""
    return {
        "utterances": len(found),
        "decision_to_speech_ended": percentiles([each.told for each in found]),
        "decision_to_final": percentiles([each.final for each in found]),
        "speech_to_final": percentiles([e.whole for e in found if e.whole is not None]),
        "endpoint_silence": percentiles([e.silence for e in found if e.silence is not None]),
    }


def flush_figures(found: Sequence[Answer]) -> dict[str, Any]:
    """Percentiles over clips, and how complete their text was."""
    errors = sum((each.errors for each in found), Errors(0, 0, 0, 0))
    return {
        "clips": len(found),
        "flush_to_flushed": percentiles([each.seconds for each in found]),
        "not_fully_committed": sum(each.late > 0 for each in found),
        "wer": round(100 * errors.rate, 2),
    }


def table(endpoint: dict[str, Any], flushes: dict[str, dict[str, Any]]) -> str:
    """The figures as a Markdown table."""
    ended = f"{endpoint['utterances']} utterances"
    rows = [
        ("endpoint decision sent → final", endpoint["decision_to_final"], ended),
        ("endpoint decision sent → speech_ended", endpoint["decision_to_speech_ended"], ended),
        ("last word's end sent → final", endpoint["speech_to_final"], "the silence included"),
        ("the endpoint's silence", endpoint["endpoint_silence"], "last word's end → decision"),
    ]
    for name, found in flushes.items():
        note = f"{found['clips']} clips, {found['not_fully_committed']} not fully committed by then"
        note += f", WER {found['wer']} %"
        rows.append((f"flush sent → flushed, {name}", found["flush_to_flushed"], note))
    lines = [f"| {name} | {p['p50']:.3f} s | {p['p95']:.3f} s | {note} |" for name, p, note in rows]
    return "\n".join(["| | p50 | p95 | |\n|---|---|---|---|", *lines])


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--gap", type=float, default=1.5, help="seconds of silence between clips")
    parser.add_argument("--margin", type=float, default=0.05, help="seconds kept after a word")
    parser.add_argument("--threads", type=int, default=max(1, usable_cores() - 1))
    parser.add_argument("--serve", default="", help="more flags for streamwhisper serve")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    chosen = timed_clips(flags.clips)
    pressed = {
        "whole clips": chosen,
        f"cut {flags.margin:g} s after the last word": [cut(clip, flags.margin) for clip in chosen],
    }
    with running_server(flags.model, flags.threads, shlex.split(flags.serve)) as server:
        run = asyncio.run(stream(server, joined(chosen, flags.gap), CHUNK, speed=1.0))
        endpoint = endpoint_figures(endpoints(run))
        flushes = {
            name: flush_figures([answer(asyncio.run(push_to_talk(server, clip))) for clip in each])
            for name, each in pressed.items()
        }
    result = heading(flags.model, flags.threads) | {
        "gap": flags.gap,
        "endpoint": endpoint,
        "flush": flushes,
    }
    report(result, table(endpoint, flushes), save=flags.save)


if __name__ == "__main__":
    main()
