"""What is left to the next supervisor is checked before any of it is believed."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import NotRunningError
from gossamer.shards.keeper.succession import (
    ProcessRecord,
    ServerRecord,
    ShardRecord,
    check,
    claim,
    decode_record,
    descriptors_of,
    encode_record,
)
from gossamer.shards.plan.plan import RunPlan, ShardPlan
from gossamer.shards.seen.counters import COLUMNS, create_row

PID = 4321
RECORD = ServerRecord(
    config=Config(),
    plan=RunPlan("kernel", "as configured", (ShardPlan(0),)),
    host="127.0.0.1",
    port=8080,
    owners={100: 0},
    shards=(ShardRecord(0, 1, False, {"requests_total": 9}, (ProcessRecord(PID, 77, 5, "current"),)),),
    wanted=1,
    generation=3,
    why_packets=None,
    hmark_secret=7,
    fast_open_secret=b"\x00\xff",
    boot_secret=b"",
    chains=(),
)


@pytest.fixture
def descriptors() -> Iterator[dict[str, int]]:
    """One of the right kind for each name that the record needs."""
    with contextlib.ExitStack() as held:
        made: dict[str, int] = {}
        for name in descriptors_of(RECORD):
            if name.startswith("row "):
                made[name] = create_row()
            elif name.startswith("liveness"):
                made[name], other = os.pipe()
                held.callback(os.close, other)
            elif name == "lock":
                made[name] = os.open(os.devnull, os.O_RDONLY)
            else:
                made[name] = socket.socket(socket.AF_UNIX).detach()
            held.callback(os.close, made[name])
        yield made


def test_record__written_and_read__is_the_same() -> None:
    assert decode_record(encode_record(RECORD)) == RECORD


def test_record__folder_whose_name_is_no_utf8__is_the_same() -> None:
    server = msgspec.structs.replace(RECORD.config.server, target="/srv/\udcff")
    config = msgspec.structs.replace(RECORD.config, server=server)
    record = msgspec.structs.replace(RECORD, config=config)
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("port", "8080"),
        ("owners", {"x": 0}),
        ("wanted", 0),
        ("config", {"server": {"dance": 1}}),
        ("shards", [{"shard": -1}]),
        ("plan", None),
    ],
)
def test_record__a_value_that_cannot_be__refused(key: str, value: object) -> None:
    written = json.loads(encode_record(RECORD)) | {key: value}
    with pytest.raises(ValueError, match=r"\$"):
        decode_record(json.dumps(written).encode())


@pytest.mark.parametrize("octets", [b"", b"\xff", b"[]", b"{}"])
def test_record__rubbish__refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"value|decode|Expected|missing"):
        decode_record(octets)


def test_check__all_there_and_of_its_kind__nothing_to_say(descriptors: dict[str, int]) -> None:
    check(RECORD, descriptors)


def test_check__any_of_them_missing__named(descriptors: dict[str, int]) -> None:
    for name in descriptors:
        others = {key: fd for key, fd in descriptors.items() if key != name}
        with pytest.raises(ValueError, match=f"'{name}' is missing"):
            check(RECORD, others)


@pytest.mark.parametrize("name", [f"letters {PID}", "listening 0", "liveness", "control"])
def test_check__of_another_kind__named(descriptors: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is something else"):
        check(RECORD, descriptors | {name: descriptors["lock"]})


def test_check__counters_too_short_or_without_a_heartbeat__named(descriptors: dict[str, int]) -> None:
    for columns, what in ((COLUMNS * 2, "too short"), (("state",), "no heartbeat")):
        process = ProcessRecord(PID, 77, 5, "current", columns)
        shard = msgspec.structs.replace(RECORD.shards[0], processes=(process,))
        with pytest.raises(ValueError, match=what):
            check(msgspec.structs.replace(RECORD, shards=(shard,)), descriptors)


def test_claim__nobody_is_there__said(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="no server is left there to take over"):
        claim(tmp_path, is_adoption=True)
