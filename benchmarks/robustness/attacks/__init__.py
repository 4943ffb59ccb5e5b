"""Attacks on a server: add one to a file of its kind, or a file to `ATTACKS`."""

from benchmarks.robustness.attacks import containers, crowds, frames, messages
from benchmarks.robustness.attacks.attack import Attack, Target

__all__ = ["ATTACKS", "Attack", "Target"]

ATTACKS: tuple[Attack, ...] = (
    *frames.ATTACKS,
    *messages.ATTACKS,
    *containers.ATTACKS,
    *crowds.ATTACKS,
)
"""All attacks, in the order in which they run."""
