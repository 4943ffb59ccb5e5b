"""The captions page as a person uses it: what stands on it, and when it has come to rest."""

from __future__ import annotations

import re
from typing import Any


def text_of(page: Any) -> str:
    return " ".join(page.inner_text("#captions").split())


def wait_for_words(page: Any, count: int) -> None:
    """Until so many words are committed."""
    page.locator(".committed").filter(has_text=re.compile(r"\w+")).first.wait_for()
    page.evaluate(
        """async (count) => {
      const committed = () => [...document.querySelectorAll(".committed")]
        .map((e) => e.textContent).join("").split(/\\s+/).filter(Boolean).length;
      while (committed() < count) await new Promise((resolve) => setTimeout(resolve, 20));
    }""",
        count,
    )


def stop(page: Any) -> None:
    page.click("#start")
    page.get_by_role("button", name="Start", exact=True).wait_for()


LISTEN_UNTIL_QUIET = """
async () => {
  const quiet = () => document.querySelector(".partial")?.textContent === "";
  for (let last = -1, rest = 0; rest < 15; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const length = document.getElementById("captions").textContent.length;
    rest = length === last && length > 0 && quiet() && listening() ? rest + 1 : 0;
    last = length;
  }
  function listening() {
    return document.getElementById("level").ariaValueNow < 20;
  }
}
"""
