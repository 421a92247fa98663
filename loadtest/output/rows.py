"""A run as CSV: a row for each interval.

Owns the columns.

Source: RFC 4180.
"""

import csv
import io
from typing import Any, Final

COLUMNS: Final = (
    "start_us", "end_us", "sent", "answered", "errors", "unanswered", "requests_per_second",
    "p50_us", "p90_us", "p99_us", "max_us", "lag_p99_us",
)  # fmt: skip


def rows(found: dict[str, Any]) -> str:
    """The text of the file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found["timeline"])
    return text.getvalue()
