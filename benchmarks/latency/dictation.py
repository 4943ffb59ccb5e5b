"""Cost of dictation, and the time until its text is typed.

    python -m benchmarks dictation --model base

Uses real parts: a sound server whose virtual microphone plays real speech, a virtual screen, a
window with a text box, and the engine in the same process, as in ``streamwhisper mic``. Typing is
timed from the endpoint decision (`SpeechEnded`) until the window shows the whole utterance. Idle
CPU (share of one core) and memory are those of the command in a process of its own: during faint
noise, and at most during speech.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.lib.measure import percentiles
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import SAMPLE_RATE, clips, speech_folder
from streamwhisper.audio.files import write_wav
from streamwhisper.audio.formats import AudioFormat
from streamwhisper.dictation.app import Dictation
from streamwhisper.dictation.devices import look_again
from streamwhisper.dictation.keyboards import choose_keyboard
from streamwhisper.dictation.microphone import Microphone, MicrophoneOptions
from streamwhisper.dictation.switch import Switch
from streamwhisper.dictation.terminal import TerminalSink
from streamwhisper.dictation.typing import TypingSink
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed, SpeechEnded
from streamwhisper.live.stream import LiveStream
from tests.support.desktop import SoundServer, TextBox, screen, sound_server, text_box, until

PAUSE = 2.0  # seconds after each clip


class Watched(LiveStream):
    """An engine that notes when utterances end, and the text that must have been typed then."""

    def __init__(self, recognizer: LocalRecognizer) -> None:
        super().__init__(recognizer, audio_format=AudioFormat("pcm_f32le"))
        self.decided: float | None = None
        self.text = ""
        self.ends: list[tuple[float, str]] = []

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for event in super().__aiter__():
            if isinstance(event, SpeechEnded):
                self.decided = time.monotonic()
            elif isinstance(event, Committed):
                self.text += event.text
                if event.final and self.decided is not None:
                    self.ends.append((self.decided, self.text.strip()))
                    self.decided = None
            yield event


def watch(box: TextBox, stream: Watched, since: int) -> list[float]:
    """Wait for the utterances from number `since` on to be shown; the seconds each took."""
    times = []
    for decided, text in stream.ends[since:]:
        until(lambda text=text: box.text.startswith(text), f"typed {text!r}", 20)
        times.append(time.monotonic() - decided)
    return times


async def dictate(
    recognizer: LocalRecognizer, sound: SoundServer, box: TextBox, files: list[Path]
) -> list[float]:
    """Play files to a dictation that types; seconds from each decision to the text."""
    stream, stop = Watched(recognizer), asyncio.Event()

    @asynccontextmanager
    async def engine() -> AsyncIterator[Watched]:
        async with stream:
            yield stream

    face = TerminalSink(stderr=True)
    keyboard = choose_keyboard({"DISPLAY": box.display})
    microphone = Microphone(MicrophoneOptions(), face.say)
    sink = TypingSink(keyboard, face, face.say)
    running = asyncio.create_task(
        Dictation(microphone, engine, sink, face, Switch(on=True)).run(stop)
    )
    times: list[float] = []
    for file in files:
        playing = asyncio.create_task(asyncio.to_thread(sound.say, file))
        until_pause = time.monotonic() + PAUSE
        while not playing.done() or time.monotonic() < until_pause:
            if not playing.done():
                until_pause = time.monotonic() + PAUSE
            await asyncio.sleep(0.01)
            if len(stream.ends) > len(times):
                times += await asyncio.to_thread(watch, box, stream, len(times))
    stop.set()
    await running
    return times


@contextmanager
def command(sound: SoundServer, model: str, threads: int) -> Iterator[psutil.Process]:
    """``streamwhisper mic`` in a process of its own, once it listens."""
    arguments = ["mic", "--to", "stdout", "--model", model, "--threads", str(threads)]
    with (
        tempfile.NamedTemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", "streamwhisper", *arguments],
            env=sound.environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        until(lambda: "listening" in Path(log.name).read_text(), "it listens", 120)
        yield psutil.Process(process.pid)
        process.terminate()


def cost(sound: SoundServer, process: psutil.Process, noise: Path, files: list[Path]) -> Any:
    """Percent of a core while there is noise, and megabytes at most while there is speech."""
    with sound.play(noise) as playing:
        time.sleep(1)
        began, before = time.monotonic(), process.cpu_times()
        playing.wait()
        after, seconds = process.cpu_times(), time.monotonic() - began
    spent = after.user + after.system - before.user - before.system
    most = 0
    for file in files:
        with sound.play(file) as playing:
            while playing.poll() is None:
                most = max(most, process.memory_info().rss)
                time.sleep(0.05)
        time.sleep(PAUSE)
        most = max(most, process.memory_info().rss)
    return {"idle_percent": round(100 * spent / seconds, 2), "peak_mb": round(most / 1e6)}


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="base")
    parser.add_argument("--clips", type=int, default=20, help="utterances that are dictated")
    parser.add_argument("--seconds", type=float, default=30.0, help="of faint noise")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recordings = clips(speech_folder(), "ls-dev", flags.clips, longest=8.0)
        files = [folder / f"{number}.wav" for number in range(len(recordings))]
        for file, recording in zip(files, recordings, strict=True):
            write_wav(file, recording.samples)
        noise = folder / "noise.wav"
        count = round(flags.seconds * SAMPLE_RATE)
        write_wav(noise, np.random.default_rng(0).normal(0, 0.001, count).astype(np.float32))
        with sound_server(folder) as sound:
            with command(sound, flags.model, flags.threads) as process:
                costs = cost(sound, process, noise, files[:5])
            with patched(sound), screen() as display, text_box(display, folder / "box") as box:
                options = LocalOptions(threads=flags.threads)
                recognizer = LocalRecognizer.load(flags.model, options)
                recognizer.warm_up()
                times = asyncio.run(dictate(recognizer, sound, box, files))
    typed = percentiles(times)
    rows = [
        f"| endpoint decision → typed, {len(times)} utterances | "
        + ", ".join(f"{name} {value:.2f}" for name, value in typed.items())
        + " s |",
        f"| CPU while there is faint noise, of one core | {costs['idle_percent']:.2f} % |",
        f"| memory at most | {costs['peak_mb']} MB |",
    ]
    result = heading(flags.model, flags.threads) | {"typed": typed, "count": len(times)} | costs
    report(result, "\n".join(["| figure | value |\n|---|---|", *rows]), save=flags.save)


@contextmanager
def patched(sound: SoundServer) -> Iterator[None]:
    """PortAudio of this process listens to this sound server."""
    import os

    os.environ.update(sound.environment)
    look_again()
    yield


if __name__ == "__main__":
    main()
