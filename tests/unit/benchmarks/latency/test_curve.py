"""The curve of latency against accuracy: what a setting means, and the picture of some points."""

from __future__ import annotations

from typing import Any

from benchmarks.latency.curve import SETTINGS, parsed, row
from streamwhisper.session.options import SessionOptions

BALANCED = SessionOptions(language="en")


def result(wer: float, p50: float) -> dict[str, Any]:
    latency = {"p50": p50, "p90": 2 * p50, "p95": 2 * p50, "p99": 3 * p50}
    return {
        "wer": wer,
        "commit_latency": latency,
        "display_latency": latency,
        "unstable_partial_words": 7.5,
        "cpu_per_audio_second": 0.2,
    }


def test_a_setting_is_a_latency_or_changes_to_one() -> None:
    assert parsed("balanced") == BALANCED
    assert parsed("low") == BALANCED.tuned("low")
    assert parsed("update_interval=0.3").update_interval == 0.3
    both = parsed("accurate window.trim_after=8 agreement.risk_doubling_time=0.5")
    assert (both.window.trim_after, both.agreement.risk_doubling_time) == (8, 0.5)
    assert both.agreement.max_change_risk == BALANCED.tuned("accurate").agreement.max_change_risk


def test_the_default_settings_differ_from_each_other() -> None:
    assert len({parsed(setting) for setting in SETTINGS}) == len(SETTINGS)


def test_a_row_says_every_figure_of_a_setting() -> None:
    assert row("low", result(5.2, 0.5)) == (
        "| low | 5.20 % | 0.50 / 1.00 / 1.50 s | 0.50 s | 7.5 % | 0.200 s/s |"
    )
