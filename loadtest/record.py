"""The JSON of `gossamer load`, as types: what another program may rely on.

Owns the names and types of its keys; `loadtest/load.schema.json` is made of it (python -m
gossamer.loadtest.record), and `gossamer load compare` reads files by it. Units end names: `_us` microseconds.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

SCHEMA: Final = "gossamer-load/1"
SCHEMA_FILE: Final = Path(__file__).with_name("load.schema.json")


class Times(msgspec.Struct, forbid_unknown_fields=True):
    """A distribution, in microseconds."""

    mean: float
    p50: int
    p90: int
    p99: int
    p99_9: int = msgspec.field(name="p99.9")
    max: int
    at_least: list[str]
    """The figures that are the least value that they can have."""


class LagTimes(msgspec.Struct, forbid_unknown_fields=True):
    """How late requests were sent, and because of what."""

    no_free_connection: Times
    generator: Times


class NoteRecord(msgspec.Struct, forbid_unknown_fields=True):
    """One kind of error."""

    kind: str
    phase: str
    count: int
    first_us: int
    last_us: int
    example: str


class WarningRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What makes figures doubtful."""

    name: str
    line: str


class ThresholdRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What came of one of --require."""

    text: str
    value: float
    at_least: bool
    met: bool


class IntervalRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A slice of the run; times are of what was answered in it."""

    start_us: int
    end_us: int
    sent: int
    answered: int
    errors: int
    unanswered: int
    requests_per_second: float
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int
    lag_p99_us: int
    counts: list[int]
    """Response times: bucket, count, bucket, count ...; buckets as HdrHistogram has them, of two digits."""
    floors: list[int]
    """The same of what was not answered, by how long it had waited."""


class EnvironmentRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Where and when it was made."""

    started: str
    started_unix_us: int
    gossamer: str
    commit: str
    python: str
    kernel: str
    processor: str
    processors: int
    load_average: list[float]
    sysctls: dict[str, str]


class PathRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The packets of one way, and how many met each fault."""

    packets_total: int
    lost_total: int
    delayed_total: int
    reordered_total: int
    duplicated_total: int
    overflowed_total: int


class FaultsRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What --faults asked for, each way, and what came of it."""

    loss: float
    delay_us: int
    reorder: float
    duplicate: float
    seed: int
    sent: PathRecord
    received: PathRecord


class LoadRecord(msgspec.Struct, forbid_unknown_fields=True):
    """One run."""

    schema: Literal["gossamer-load/1"]
    url: str
    stack: str
    connections: int
    rate: float
    """Requests a second that were asked for, the mean of phases; 0 in a closed loop."""
    arrivals: str
    seed: int
    environment: EnvironmentRecord
    asked_us: int
    interrupted: bool
    valid: bool
    warnings: list[WarningRecord]
    due_total: int
    requests_total: int
    requests_per_second: float
    failed_total: int
    timed_out_total: int
    in_flight_total: int
    never_sent: dict[str, int]
    errors_total: int
    errors: list[NoteRecord]
    statuses: dict[str, int]
    expected_statuses: dict[str, int]
    """Of `statuses`, those of 400 and above that a check has judged."""
    connections_stood: int
    connections_total: int
    connections_refused: list[NoteRecord]
    addresses: list[str]
    reopened_total: int
    received_bytes: int
    sent_bytes: int
    body_bytes: int
    received_bytes_per_second: int
    engines: int
    cpu_share: float
    busy_share: float
    thresholds: list[ThresholdRecord]
    ended_by: str
    """The threshold that ended the run early; or an empty text."""
    response_us: Times
    service_us: Times
    lag_us: LagTimes
    connect_us: Times
    timeline: list[IntervalRecord]
    faults: FaultsRecord | None = None
    """Null without --faults."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a run."""
    return msgspec.json.schema(LoadRecord)


def schema_text() -> str:
    """The text of the schema's file."""
    return json.dumps(json_schema(), indent=1) + "\n"


def main() -> None:
    """Write the file."""
    SCHEMA_FILE.write_text(schema_text())


if __name__ == "__main__":
    main()
