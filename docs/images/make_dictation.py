"""Makes dictation.svg: a terminal in which ``streamwhisper mic`` hears examples/sample.flac.

    python docs/images/make_dictation.py

A real terminal, a real microphone without hardware, the real command;
tests/support/desktop.sh installs what that takes. What the terminal shows is read twenty times a
second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamwhisper.audio.files import read_audio, write_wav
from tests.support.desktop import SoundServer, sound_server, until

ROOT = Path(__file__).resolve().parents[2]
_CONSOLE = Console()
COLUMNS, ROWS = 78, 9
WIDTH, HEIGHT, MARGIN = 8.4, 19, 14  # of a character, of a line, around them; in pixels
COMMAND = "streamwhisper mic"
SECONDS = 13.9


def record(sound: SoundServer, speech: Path, folder: Path) -> list[tuple[float, str]]:
    """When the terminal began to look different, in seconds, and how: ANSI text."""
    tmux = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    environment = sound.environment | {"LANG": "C.UTF-8", "PS1": "$ "}
    program = f"printf '$ {COMMAND}\\n'; {sys.executable} -m {COMMAND} --verbatim; sleep 9"

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
            while playing.poll() is None or time.monotonic() - began < SECONDS + 2.5:
                shown = call("capture-pane", "-p", "-e")
                if shown != frames[-1][1]:
                    frames.append((time.monotonic() - began, shown))
                time.sleep(0.05)
    finally:
        call("kill-server")
    return frames


def line(text: Text, row: int) -> str:
    """One line as SVG."""
    parts = []
    for start, end in zip(cuts := _cuts(text), cuts[1:], strict=False):
        style = text.get_style_at_offset(_CONSOLE, start)
        red = style.color is not None and style.color.number == 1
        looks = 'opacity="0.5"' if style.dim else 'fill="#f85149"' if red else ""
        x = MARGIN + start * WIDTH
        parts.append(f'<tspan x="{x:.1f}" {looks}>{escape(text.plain[start:end])}</tspan>')
    return f'<text y="{MARGIN + (row + 0.75) * HEIGHT:.1f}">{"".join(parts)}</text>'


def _cuts(text: Text) -> list[int]:
    """Where the style changes."""
    inner = {at for span in text.spans for at in (span.start, span.end)}
    return sorted({0, len(text)} | inner)


def draw(frames: list[tuple[float, str]], length: float) -> str:
    """An animated SVG of all frames, over and over."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3" '
        'xml:space="preserve">',
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
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as temporary, sound_server(Path(temporary)) as sound:
        speech = Path(temporary) / "speech.wav"
        write_wav(speech, read_audio(ROOT / "examples/sample.flac")[: int(SECONDS * 16000)])
        frames = record(sound, speech, Path(temporary))
    path = Path(__file__).with_name("dictation.svg")
    path.write_text(draw(frames, frames[-1][0] + 3), encoding="utf-8")
    print(f"{path}: {len(frames)} frames, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
