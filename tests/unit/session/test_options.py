"""Session options: one setting moves along the curve, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

from streamwhisper.session.options import SessionOptions
from streamwhisper.session.window import WindowOptions


def test_sooner_means_more_updates_and_more_risk() -> None:
    options = SessionOptions()
    low, accurate = options.tuned("low"), options.tuned("accurate")
    assert options.tuned("balanced") is options
    assert low.update_interval < options.update_interval < accurate.update_interval
    assert (
        low.agreement.max_change_risk
        > options.agreement.max_change_risk
        > accurate.agreement.max_change_risk
    )


def test_what_was_asked_for_otherwise_is_kept() -> None:
    options = SessionOptions(language="de", partials=False, window=WindowOptions(limit=20.0))
    for latency in ("low", "accurate"):
        tuned = options.tuned(latency)
        kept = replace(
            tuned,
            update_interval=options.update_interval,
            agreement=options.agreement,
        )
        assert kept == options
