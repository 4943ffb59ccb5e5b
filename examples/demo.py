"""Speech through a real server in real time: text appears as it is spoken.

    python examples/demo.py [SOUND] [--model tiny.en]

Starts ``streamwhisper serve`` as a separate process on a free port, sends the audio at the pace of
a microphone, and shows the text: committed words solid, the current guess dim. Then it prints the
latency of the words, and the word errors if a text file lies beside SOUND.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamwhisper import (
    Committed,
    Partial,
    Status,
    StreamClient,
    StreamWhisperError,
    connect,
    read_audio,
)

SAMPLE = Path(__file__).with_name("sample.flac")
RATE = 16000
CHUNK = RATE // 10


@contextmanager
def server(model: str) -> Iterator[str]:
    """A server in a process of its own; yields its address."""
    command = [sys.executable, "-m", "streamwhisper", "serve", "--model", model, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "ws://" not in line:
                raise SystemExit(f"the server did not start; try: {' '.join(command)}")
            yield line.split()[-1]
        finally:
            process.terminate()


async def listen(url: str, sound: Path) -> tuple[str, list[float], list[float]]:
    """Stream the sound; return the text, the words' latencies and the real-time factors."""
    text, first, latencies, factors = "", True, [], []
    samples = read_audio(sound)
    loop = asyncio.get_running_loop()
    moments: list[float] = []  # when each chunk was sent

    async def send(client: StreamClient) -> None:
        started = loop.time()
        for start in range(0, len(samples), CHUNK):
            chunk = samples[start : start + CHUNK]
            await asyncio.sleep(started + (start + len(chunk)) / RATE - loop.time())
            await client.send(chunk.astype("<f4").tobytes())
            moments.append(loop.time())
        await client.end()

    async with connect(url, encoding="pcm_f32le") as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(send(client))
        async for event in client:
            show(event, first=first)
            if isinstance(event, Committed):
                text, first = text + event.text, event.final
                for word in event.words:
                    chunk = min(int(word.end * RATE) // CHUNK, len(moments) - 1)
                    latencies.append(loop.time() - moments[chunk])
            elif isinstance(event, Status):
                factors.append(event.real_time_factor)
    return text, latencies, factors


def show(event: object, *, first: bool) -> None:
    """Print committed text, and on a terminal the current guess behind it, dim."""
    live = sys.stdout.isatty()
    if isinstance(event, Committed):
        print("\033[J" if live else "", end="")  # forget the last guess
        text = event.text.lstrip() if first else event.text
        print(text, end="\n" if event.final else "", flush=True)
    elif isinstance(event, Partial) and live:  # the cursor returns to where it was
        print(f"\033[J\0337\033[2m{event.text[:60]}\033[0m\0338", end="", flush=True)


def words_of(text: str) -> list[str]:
    """The words without case and punctuation."""
    kept = "".join(sign if sign.isalnum() or sign == "'" else " " for sign in text.lower())
    return kept.split()


def word_errors(spoken: list[str], heard: list[str]) -> int:
    """Levenshtein distance between two sequences of words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(spoken, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != other))
    return row[-1]


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="Text that appears as it is spoken.")
    parser.add_argument("sound", nargs="?", type=Path, default=SAMPLE, help="default: sample.flac")
    parser.add_argument("--model", default="tiny.en")
    flags = parser.parse_args()
    subprocess.run(
        [sys.executable, "-m", "streamwhisper", "models", "pull", flags.model], check=True
    )
    print(f"\n{flags.model} listens to {flags.sound.name} in real time:\n", flush=True)
    with server(flags.model) as url:
        text, latencies, factors = asyncio.run(listen(url, flags.sound))

    heard = words_of(text)
    print(f"\nwords heard        {len(heard)}")
    reference = flags.sound.with_suffix(".txt")
    if reference.is_file():
        spoken = words_of(reference.read_text(encoding="utf-8"))
        errors = word_errors(spoken, heard)
        print(f"word errors        {errors} of {len(spoken)} ({errors / len(spoken):.1%})")
    if len(latencies) > 1:
        tenths = statistics.quantiles(latencies, n=10, method="inclusive")
        print(f"commit latency     median {tenths[4]:.2f} s, p90 {tenths[8]:.2f} s after a word")
    if factors:
        factor = statistics.mean(factors)
        print(f"real-time factor   {factor:.2f} s of work for a second of sound")


if __name__ == "__main__":
    try:
        main()
    except StreamWhisperError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
