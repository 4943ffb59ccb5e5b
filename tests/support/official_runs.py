"""Lines of an interrupted run of the accuracy benchmark."""

from __future__ import annotations

import json
from dataclasses import asdict

from benchmarks.accuracy.official import Heard, System


def heard(system: System, clip: str, text: str, temperature: float = 0.0) -> Heard:
    return Heard(system.name, clip, text, temperature, seconds=0.5, cpu_seconds=0.25)


def line(one: Heard) -> str:
    return json.dumps(asdict(one)) + "\n"
