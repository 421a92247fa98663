"""The result of a run, written to files: which ending is which format.

Owns the formats' names, and that a file can be written before anything is sent.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gossamer.core.errors import what_failed
from gossamer.loadtest.output.hdrlog import log
from gossamer.loadtest.output.openmetrics import metrics
from gossamer.loadtest.output.page import page
from gossamer.loadtest.output.rows import rows
from gossamer.shards.exitcode import CommandError, ConfigError

FORMATS: Final[Mapping[str, Callable[[dict[str, Any]], str]]] = {
    ".json": lambda found: json.dumps(found) + "\n",
    ".html": page,
    ".csv": rows,
    ".hlog": log,
    ".om": metrics,
}


def check_output(path: Path) -> None:
    """Whether a file of that name can be written, and has a format. Raises: ConfigError, in one line."""
    if path.suffix not in FORMATS:
        raise ConfigError(f"--output: found {str(path)!r}; allowed: a name that ends in {', '.join(FORMATS)}")
    place = path if path.exists() else path.parent
    if not os.access(place, os.W_OK):
        why = "may not be written" if place.exists() else "is not there"
        raise ConfigError(f"--output {path}: {place} {why}")


def write_output(path: Path, found: dict[str, Any]) -> None:
    """Write one. Raises: CommandError, in one line."""
    text = FORMATS[path.suffix](found)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--output: {what_failed(error)}") from None
