"""Folders and files of the repository that tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
SAMPLE = EXAMPLES / "sample.flac"
SUPPORT = ROOT / "tests" / "support"
