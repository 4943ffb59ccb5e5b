"""Options of the cluster's wire format."""

from __future__ import annotations

from streamwhisper.recognition import ModelInfo

INFO = ModelInfo("tiny.en", 80, multilingual=False)
HALF = 2**-10  # of numbers below two
