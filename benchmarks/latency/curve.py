"""Latency against accuracy: one point for each setting, on one virtual clock.

    python -m benchmarks curve --items longform/speaker-61 --pace 0.15 --plot curve.svg

A setting is a latency ("low", "balanced" or "accurate"), changes to it ("update_interval=0.3"), or
both. With ``--pace`` text and latency depend on the settings only (see ``virtual.py``); the cost of
the work is measured all the same. The offline error rate of the same weights is the lower bound of
the curve.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

from benchmarks.latency.streaming import YARDSTICKS, offline_figures
from benchmarks.lib.measure import machine_line
from benchmarks.lib.virtual import argument_parser, measured, prepared, session_options
from streamwhisper.session.options import Latency, SessionOptions

LATENCIES = get_args(Latency)
SETTINGS = [
    *LATENCIES,
    "update_interval=0.15",
    "update_interval=0.5",
    "agreement.max_change_risk=0.0005",
    "agreement.max_change_risk=0.02",
    "agreement.risk_doubling_time=0.4",
    "agreement.max_age=10.0",
]
MARKERS = "os^vD<>PX*hd"
STEP = 0.11  # inches
_HEADER = """\
| setting | WER | commit p50 / p90 / p99 | display p50 | unstable | compute |
|---|---|---|---|---|---|"""


def parsed(setting: str) -> SessionOptions:
    """The options that a setting names: ``"low window.trim_after=6"``."""
    latency, *changes = setting.split()
    if latency not in LATENCIES:
        latency, changes = "balanced", [latency, *changes]
    return session_options(cast("Latency", latency), changes)


def row(setting: str, result: dict[str, Any]) -> str:
    """One setting's line of the table."""
    commit = " / ".join(f"{result['commit_latency'][key]:.2f}" for key in ("p50", "p90", "p99"))
    return (
        f"| {setting} | {result['wer']:.2f} % | {commit} s "
        f"| {result['display_latency']['p50']:.2f} s | {result['unstable_partial_words']} % "
        f"| {result['cpu_per_audio_second']:.3f} s/s |"
    )


def plot(
    file: Path, title: str, results: Sequence[tuple[str, dict[str, Any]]], offline: float
) -> None:
    """Draw commit latency (p50, with a whisker to p90) against WER; the suffix says the format.

    Settings of one error rate stand above each other, so that all are seen.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.transforms import ScaledTranslation

    figure, axes = pyplot.subplots(figsize=(9, 5), layout="constrained")
    colors = matplotlib.color_sequences["tab10"]
    named = [
        (result["commit_latency"]["p50"], result["wer"])
        for setting, result in results
        if setting in LATENCIES
    ]
    axes.plot(*zip(*named, strict=True), color="0.75", zorder=1)
    level: Counter[float] = Counter()
    for index, (setting, result) in enumerate(results):
        latency, wer = result["commit_latency"], result["wer"]
        raised = ScaledTranslation(0, level[wer] * STEP, figure.dpi_scale_trans)
        level[wer] += 1
        axes.errorbar(
            latency["p50"],
            wer,
            xerr=[[0], [latency["p90"] - latency["p50"]]],
            fmt=MARKERS[index % len(MARKERS)],
            color=colors[index % len(colors)],
            markersize=9 if setting in LATENCIES else 6,
            capsize=3,
            elinewidth=1,
            label=setting,
            transform=axes.transData + raised,
        )
    axes.axhline(offline, color="black", linestyle="--", label="offline, greedy")
    axes.set_title(title, fontsize="medium", wrap=True)
    axes.set_xlabel("seconds from a word's end to its commit: p50, whisker to p90")
    axes.set_ylabel("word error rate, %")
    axes.set_xlim(0, 1.05 * max(result["commit_latency"]["p90"] for _, result in results))
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(file, dpi=150)


def main() -> None:
    """Measure every setting, print a table and a JSON line, and draw the picture."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--settings", nargs="+", default=SETTINGS, metavar="SETTING")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a .png or .svg of the curve")
    flags = parser.parse_args()
    settings = {setting: parsed(setting) for setting in flags.settings}
    recognizer, recordings = prepared(flags)
    offline = min(offline_figures(flags.model, recordings, YARDSTICKS).values())
    pace = "measured" if flags.pace is None else f"{flags.pace:g} s"
    seconds = sum(recording.seconds for recording in recordings)
    title = f"{flags.model}, {', '.join(flags.items)}: {seconds:.0f} s, {pace} a request"
    print(f"{title}; {machine_line(flags.threads)}\n\n{_HEADER}", flush=True)
    results = []
    for setting, options in settings.items():
        result, _ = measured(recognizer, options, recordings, flags.pace)
        results.append((setting, result))
        print(row(setting, result), flush=True)
    print(f"| offline, greedy | {offline:.2f} % | | | | |\n")
    if flags.plot is not None:
        plot(flags.plot, title, results, offline)
    rows = [{"setting": setting, **result} for setting, result in results]
    print(
        json.dumps(
            {
                "model": flags.model,
                "items": flags.items,
                "gap": flags.gap,
                "pace": flags.pace,
                "machine": machine_line(flags.threads),
                "offline_wer": offline,
                "rows": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
