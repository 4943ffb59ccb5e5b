"""The log: lines for people, or one JSON object a line for programs.

It holds neither sound nor text nor keys, at no level: what the WebSocket library would say of
frames and headers is left out, and of addresses only the path is written.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["LogFormat", "LogLevel", "configure", "figures", "wire_log"]

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

wire_log = logging.getLogger("streamwhisper.server.wire")
"""For the WebSocket library, whose lesser levels tell of headers and frames."""


def configure(format: LogFormat = "text", level: LogLevel = "info") -> None:
    """Write the log of this process to stderr; call it once."""
    writer = logging.StreamHandler()
    writer.setFormatter(_Json() if format == "json" else _Text())
    root = logging.getLogger()
    root.handlers = [writer]
    root.setLevel(level.upper())
    for talkative in ("websockets", "asyncio", "httpx", "urllib3"):
        logging.getLogger(talkative).setLevel(max(root.level, logging.WARNING))


def figures(**values: Any) -> dict[str, Any]:
    """The argument ``extra`` of a log call that hands these values to programs as they are."""
    return {"figures": {name: value for name, value in values.items() if value is not None}}


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        values = getattr(record, "figures", {})
        return " ".join(
            [super().formatMessage(record), *(f"{name}={value}" for name, value in values.items())]
        )


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
        return json.dumps(line, ensure_ascii=False, default=str)


class _OneLine(logging.Filter):
    """Makes one line of what scanners of ports bring about, in older versions of the library."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == "opening handshake failed" and record.exc_info:
            record.msg = f"opening handshake failed: {record.exc_info[1]}"
            record.exc_info = record.exc_text = None
        return True


wire_log.setLevel(logging.WARNING)
wire_log.addFilter(_OneLine())
