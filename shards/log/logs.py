"""How log lines look: one line an event, on standard error, for people or as JSON.

    2026-01-31T12:00:00 supervisor[16] INFO worker 0 (pid 17): started: its shard begins
    {"time":"2026-01-31T12:00:00.000000Z","who":"supervisor","process":16,"level":"info",
     "message":"worker 0 ...","event":"worker_started","worker":0,"pid":17,"why":"its shard begins"}

Owns both forms, and how an event of the life of a server says what it is beside its words.
"""

import logging
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from gossamer.core.printable import printable

LogFormat = Literal["text", "json"]


class LineFormatter(logging.Formatter):
    """The lines, with names of files as they are shown elsewhere, whatever their octets."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return printable(super().format(record))


class JsonFormatter(logging.Formatter):
    """An object a line: time, who, in which process, level, message; an event's own names; a traceback where
    there is one."""

    def __init__(self, who: str) -> None:
        super().__init__()
        self._who = who

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record. Whatever octets stand in a name, it is one line of valid UTF-8."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "who": self._who,
            "process": record.process,
            "level": record.levelname.lower(),
            "message": printable(record.getMessage()),
            **getattr(record, "about", {}),
        }
        if record.exc_info:
            line["traceback"] = printable(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


def about(event: str, **names: int | str) -> dict[str, dict[str, int | str]]:
    """What `extra` is for an event: its name, and whom and why it is about."""
    shown = {key: printable(value) if isinstance(value, str) else value for key, value in names.items()}
    return {"about": {"event": event, **shown}}


def configure_logging(level: str, who: str, log_format: LogFormat = "text") -> None:
    """Send all log records of this process to standard error."""
    handler = logging.StreamHandler()
    # Per cent signs in a name would be read as fields of the format.
    line = f"%(asctime)s {who.replace('%', '%%')}[%(process)d] %(levelname)s %(message)s"
    text = LineFormatter(line, datefmt="%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(JsonFormatter(who) if log_format == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
