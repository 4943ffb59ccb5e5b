"""Record dictation.svg: a terminal in which `streamwhisper mic` writes a dictated note.

    python docs/images/make_dictation.py [SPEECH] [--model base]

A real terminal, the real command and a microphone without hardware, which
`tests/support/desktop.sh` installs. SPEECH is any audio file; without one, hibari-tts (extra
`demo-clip`) speaks a note. The terminal is read twenty times a second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamwhisper.audio.files import read_audio, write_wav
from tests.support.desktop import SoundServer, sound_server, until

ROOT = Path(__file__).resolve().parents[2]
_CONSOLE = Console()
COLUMNS, ROWS = 78, 6
WIDTH, HEIGHT, MARGIN = 8.4, 19, 14  # of a character, of a line, around them; in pixels
PAUSE = 0.5  # seconds after a sentence
END = 3  # seconds that the last frame stays
NOTE = (
    "Hi Sam, thank you for the notes from Tuesday.",
    "I will send you the draft on Friday morning.",
    "See you at the office on Monday.",
)


def speak(sentences: tuple[str, ...]) -> NDArray[np.float32]:
    """Return synthetic speech: float32, 16 kHz, with a pause around each sentence."""
    from hibari import SAMPLE_RATE, Hibari

    voice, pause = Hibari(), np.zeros(int(PAUSE * SAMPLE_RATE), np.float32)
    spoken = [voice(sentence, seed=n, speed=0.95) for n, sentence in enumerate(sentences, 3)]
    parts = [pause, *(part for words in spoken for part in (words, pause))]
    samples: NDArray[np.float32] = soxr.resample(np.concatenate(parts), SAMPLE_RATE, 16000)
    return samples


def record(sound: SoundServer, speech: Path, model: str, folder: Path) -> list[tuple[float, str]]:
    """Return each state of the terminal: seconds from the start, and ANSI text."""
    tmux = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    environment = sound.environment | {"LANG": "C.UTF-8", "PS1": "$ "}
    command = f"streamwhisper mic --model {model}"
    program = f"printf '$ {command}\\n'; {sys.executable} -m {command}; sleep 9"

    def call(*command: str) -> str:
        done = subprocess.run(
            [*tmux, *command], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.rstrip("\n")

    call("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), program)
    try:
        until(lambda: "●" in call("capture-pane", "-p"), "it listens", 120)
        began, frames = time.monotonic(), [(0.0, call("capture-pane", "-p", "-e"))]
        with sound.play(speech) as playing:
            ended = None
            while ended is None or time.monotonic() - ended < 2.5:
                if ended is None and playing.poll() is not None:
                    ended = time.monotonic()
                shown = call("capture-pane", "-p", "-e")
                if shown != frames[-1][1]:
                    frames.append((time.monotonic() - began, shown))
                time.sleep(0.05)
    finally:
        call("kill-server")
    return frames


def line(text: Text, row: int) -> str:
    """Return one line as SVG."""
    parts = []
    for start, end in zip(cuts := _cuts(text), cuts[1:], strict=False):
        style = text.get_style_at_offset(_CONSOLE, start)
        red = style.color is not None and style.color.number == 1
        looks = 'opacity="0.5"' if style.dim else 'fill="#f85149"' if red else ""
        x = MARGIN + start * WIDTH
        parts.append(f'<tspan x="{x:.1f}" {looks}>{escape(text.plain[start:end])}</tspan>')
    return f'<text y="{MARGIN + (row + 0.75) * HEIGHT:.1f}">{"".join(parts)}</text>'


def _cuts(text: Text) -> list[int]:
    """Return the offsets at which the style changes."""
    inner = {at for span in text.spans for at in (span.start, span.end)}
    return sorted({0, len(text)} | inner)


def draw(frames: list[tuple[float, str]], length: float) -> str:
    """Return an animated SVG that repeats forever."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
            'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3" '
            'xml:space="preserve">'
        ),
        "<title>streamwhisper mic in a terminal</title>",
        '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
    ]
    ends = [start for start, _ in frames[1:]] + [length]
    for (start, shown), end in zip(frames, ends, strict=True):
        lines = [line(Text.from_ansi(each), row) for row, each in enumerate(shown.split("\n"))]
        first, last = start / length, end / length
        times = f"0;{first:.4f};{last:.4f}" if start else f"0;{last:.4f}"
        values = "hidden;visible;hidden" if start else "visible;hidden"
        animation = (
            f'<animate attributeName="visibility" calcMode="discrete" values="{values}" '
            f'keyTimes="{times}" dur="{length:.1f}s" repeatCount="indefinite"/>'
        )
        still = "visible" if end == length else "hidden"  # where nothing moves, the last one
        out.append(f'<g visibility="{still}">{animation}{"".join(lines)}</g>')
    return "\n".join([*out, "</svg>\n"])


def main() -> None:
    """Record and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("speech", nargs="?", type=Path)
    parser.add_argument("--model", default="base")
    chosen = parser.parse_args()
    samples = read_audio(chosen.speech) if chosen.speech else speak(NOTE)
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as temporary, sound_server(Path(temporary)) as sound:
        speech = Path(temporary) / "speech.wav"
        write_wav(speech, samples)
        frames = record(sound, speech, chosen.model, Path(temporary))
    path = Path(__file__).with_name("dictation.svg")
    path.write_text(draw(frames, frames[-1][0] + END), encoding="utf-8")
    print(f"{path}: {len(frames)} frames, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
