"""Draw latency.svg: seconds from a spoken word to its final text, for three engines.

    python docs/images/make_latency.py

The figures are the rows of the side-by-side run in benchmarks/RESULTS.md or benchmarks/history/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINES = (
    "streamwhisper",
    "WhisperLiveKit 0.2.26, SimulStreaming",
    "WhisperLiveKit 0.2.26, LocalAgreement",
)
WIDTH, LEFT, TOP, ROW, SECOND = 840, 300, 44, 46, 42  # pixels; the last for one second
COLOURS = ("#1f7a68", "#8a94a0", "#8a94a0")


@dataclass(frozen=True)
class Result:
    """One engine's row; latencies in seconds, cost in CPU-seconds per second of audio."""

    engine: str
    median: float
    p95: float
    cost: float


def read(engine: str) -> Result:
    """Find the engine's newest row with p50 / p90 / p95 of commit latency."""
    sources = [ROOT / "benchmarks/RESULTS.md", *sorted((ROOT / "benchmarks/history").glob("*.md"))]
    row = re.compile(
        rf"^\| {re.escape(engine)} \|[^|]*\| ([\d.]+) / [\d.]+ / ([\d.]+) s "
        r"\|[^|]*\|[^|]*\|[^|]*\|[^|]*\| ([\d.]+) \|",
        re.MULTILINE,
    )
    for source in sources:
        if found := row.findall(source.read_text(encoding="utf-8")):
            return Result(engine, *map(float, found[-1]))
    raise SystemExit(f"no row of {engine} in {', '.join(map(str, sources))}")


def draw(results: list[Result]) -> str:
    """Bars to the median, whiskers to the 95th percentile."""
    height = TOP + ROW * len(results) + 44
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" '
            'font-family="system-ui, sans-serif" font-size="15" fill="#1c2126">'
        ),
        "<title>Seconds from a spoken word to its final text</title>",
        '<rect width="100%" height="100%" rx="8" fill="#faf9f6"/>',
        (
            '<text x="20" y="28" font-weight="600">Spoken word → final text, tiny.en on one CPU '
            "thread</text>"
        ),
    ]
    bottom = TOP + ROW * len(results)
    for second in range(0, 11, 2):
        x = LEFT + second * SECOND
        out.append(f'<path d="M{x} {TOP}V{bottom}" stroke="#e3e0d8"/>')
        out.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{second} s</text>')
    for place, (result, colour) in enumerate(zip(results, COLOURS, strict=True)):
        y = TOP + ROW * place
        middle, end = y + 18, LEFT + result.p95 * SECOND
        weight = 600 if place == 0 else 400
        out += [
            (
                f'<text x="{LEFT - 12}" y="{middle}" text-anchor="end" font-weight="{weight}">'
                f"{result.engine}</text>"
            ),
            (
                f'<text x="{LEFT - 12}" y="{middle + 16}" text-anchor="end" font-size="12" '
                f'fill="#5a626a">{result.cost:.2f} CPU-seconds per second of audio</text>'
            ),
            (
                f'<rect x="{LEFT}" y="{y + 8}" width="{result.median * SECOND:.0f}" height="24" '
                f'rx="3" fill="{colour}"/>'
            ),
            (
                f'<path d="M{LEFT + result.median * SECOND:.0f} {y + 20}H{end:.0f}m0 -6v12" '
                f'stroke="{colour}" stroke-width="2" fill="none"/>'
            ),
            (
                f'<text x="{end + 8:.0f}" y="{y + 25}" font-weight="{weight}">'
                f"{result.median:.2f} s; p95 {result.p95:.2f} s</text>"
            ),
        ]
    out.append(
        f'<text x="{WIDTH - 20}" y="{bottom + 36}" text-anchor="end" font-size="12" '
        'fill="#5a626a">bar: median, whisker: 95th percentile</text>'
    )
    return "\n".join([*out, "</svg>\n"])


def main() -> None:
    """Draw and write."""
    path = Path(__file__).with_name("latency.svg")
    path.write_text(draw([read(engine) for engine in ENGINES]), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
