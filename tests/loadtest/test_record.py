"""The JSON of a run: its types, and their file."""

import json
from typing import Any

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.environment import environment
from gossamer.loadtest.record import SCHEMA_FILE, LoadRecord, schema_text
from gossamer.loadtest.result import result_of
from gossamer.loadtest.summary import whole_summary
from gossamer.loadtest.thresholds import parse_threshold

from .virtual_server import perform, random_fates


def test_json__of_a_run__decodes_and_encodes_to_the_same() -> None:
    run = perform(
        random_fates(1, 2_000), rate=300.0, duration_us=2 * SECOND_US, thresholds=(parse_threshold("p50<1s"),)
    )
    found = json.loads(json.dumps(whole_summary(result_of(run), "http://a/", "kernel", environment())))
    record = msgspec.json.decode(json.dumps(found), type=LoadRecord)
    assert json.loads(msgspec.json.encode(record)) == found
    assert found["errors"]


def test_schema__its_file__is_of_these_types() -> None:
    written, made = (
        json.loads(text, object_hook=in_any_order) for text in (SCHEMA_FILE.read_text(), schema_text())
    )
    assert written == made, "python -m gossamer.loadtest.record"


def in_any_order(found: dict[str, Any]) -> dict[str, Any]:
    """The alternatives of a type: which stands first depends on the version of msgspec."""
    return found | {"anyOf": sorted(found["anyOf"], key=repr)} if "anyOf" in found else found
