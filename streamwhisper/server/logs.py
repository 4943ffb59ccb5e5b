"""Logging: lines of text for people, or one JSON object per line for programs.

Control characters are escaped, so a client can neither forge a line nor reach the terminal that
shows it. The log contains neither audio nor access tokens at any level, and transcribed text only
if that is enabled: the WebSocket library's messages about frames and headers are dropped, and URLs
are logged without their query.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from streamwhisper.control_characters import escape_controls

__all__ = ["LogFormat", "LogLevel", "configure", "figures", "text_log", "wire_log"]

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

wire_log = logging.getLogger("streamwhisper.server.wire")
"""For the WebSocket library, whose lower levels log headers and frames."""

text_log = logging.getLogger("streamwhisper.server.text")
"""For committed text: disabled, whatever the level of the other loggers, until `configure`."""


def configure(
    format: LogFormat = "text", level: LogLevel = "info", *, committed: bool = False
) -> None:
    """Send the log of this process to stderr; call it once.

    Args:
        format: text for people, or JSON.
        level: minimum level to log.
        committed: whether to log the text that sessions commit, at any level.
    """
    text_log.setLevel(logging.INFO if committed else _NEVER)
    writer = logging.StreamHandler()
    writer.setFormatter(_Json() if format == "json" else _Text())
    root = logging.getLogger()
    root.handlers = [writer]
    root.setLevel(level.upper())
    for library in ("websockets", "asyncio", "httpx", "urllib3"):
        logging.getLogger(library).setLevel(max(root.level, logging.WARNING))


def figures(**values: Any) -> dict[str, Any]:
    """Return the argument ``extra`` of a log call that adds these values to the line."""
    return {"figures": {name: value for name, value in values.items() if value is not None}}


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        values = getattr(record, "figures", {})
        words = (f"{name}={_word(str(value))}" for name, value in values.items())
        return " ".join([escape_controls(super().formatMessage(record)), *words])

    def formatException(self, ei: Any) -> str:
        # The message of an exception may repeat what a client sent: no line of it looks like one of
        # the log.
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {escape_controls(line)}" for line in lines)


def _word(text: str) -> str:
    """Return a text as one word: quoted if it has spaces or control characters."""
    return text if text.isprintable() and " " not in text else repr(text)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "figures", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return escape_controls(json.dumps(line, ensure_ascii=False, default=str))


class _OneLine(logging.Filter):
    """Shortens the traceback that a port scan causes in older versions of the library."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == "opening handshake failed" and record.exc_info:
            record.msg = f"opening handshake failed: {record.exc_info[1]}"
            record.exc_info = record.exc_text = None
        return True


_NEVER = logging.CRITICAL + 1

text_log.setLevel(_NEVER)
wire_log.setLevel(logging.WARNING)
wire_log.addFilter(_OneLine())
