"""How many examples a slow property tries."""

from __future__ import annotations

import os

QUICK = os.environ.get("HYPOTHESIS_PROFILE") == "quick"


def examples(full: int) -> int:
    """Return the number of examples for a full run, or a quarter of it in a quick one."""
    return max(4, full // 4) if QUICK else full
