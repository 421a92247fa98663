"""The table of `gossamer status` on terminals of several widths."""

import io

import msgspec
import pytest
from rich.console import Console

from gossamer.cli.status_table import COLUMNS, PARTS, WIDTH_MIN, print_status
from gossamer.shards.machine.procfs import Held
from gossamer.shards.seen.counters import COLUMNS as COUNTERS
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.seen.status import KeeperStatus, ResponseTimesStatus, ServerStatus, WorkerStatus

WORKER = WorkerStatus(
    id=63,
    pid=4_194_304,
    state=WorkerState.SERVING.name.lower(),
    queues=(65532, 65533, 65534, 65535),
    cpu=63,
    cpu_percent=100.0,
    rss_bytes=1023 << 20,
    connections=100_000,
    threads=100_001,
    accepted_total=10_000_000,
    requests_total=1_000_000_000,
    packets_in_total=1_000_000_001,
    packets_out_total=1_000_000_002,
    retransmits_total=1_000_003,
    drops={name: 123_456 for name in COUNTERS if name.startswith("drop_")},
    totals={"turns_total": 1_000_000_004},
    disk="io_uring",
    restarts=99,
    heartbeat_age_us=10_000_000,
)
STATUS = ServerStatus(
    stack="nfqueue",
    reason="as configured",
    core="native",
    output="frames",
    uptime_us=1,
    pid=1,
    host="127.0.0.1",
    port=1,
    url="http://127.0.0.1:1/",
    target="www",
    generation=1,
    reloading=False,
    reload_error="",
    chains=(),
    workers=[WORKER, WORKER],
)


def printed(width: int, status: ServerStatus = STATUS) -> str:
    output = io.StringIO()
    print_status(status, Console(file=output, width=width))
    return output.getvalue()


def test_held__of_all_workers_the_same__one_line() -> None:
    held = Held(
        65534, (), 1 << 12, no_new_privileges=True, has_seccomp=False, descriptors_max="9", memory_max="7"
    )
    line = "workers: uid 65534; no further groups; CAP_NET_ADMIN; no new privileges; no seccomp filter; "
    worker = msgspec.structs.replace(WORKER, held=held)
    found = printed(WIDTH_MIN, msgspec.structs.replace(STATUS, workers=[worker, worker]))
    assert found.count(f"{line}descriptors 9; memory 7") == 1
    rich = Held(0, (1, 2), (1 << 40) - 1, False, has_seccomp=True, descriptors_max="9", memory_max="7")
    worker = msgspec.structs.replace(WORKER, held=rich)
    found = printed(WIDTH_MIN, msgspec.structs.replace(STATUS, workers=[worker]))
    assert "uid 0; groups 1, 2; 40 capabilities; may gain privileges; seccomp; " in found


def test_parts__together__every_column_once() -> None:
    assert sorted(name for part in PARTS for name in part) == sorted(COLUMNS[1:])


@pytest.mark.parametrize("width", [80, 100, WIDTH_MIN, 300])
def test_status__any_width_from_80__no_line_is_longer_and_no_number_is_cut(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    for shown in ("4194304", "1,000,000,000", "1,000,000,002", "1,000,003", "10000 ms ago"):
        assert text.count(shown) == 2
    assert "…" not in text


@pytest.mark.parametrize("width", range(120, 240, 3))
def test_status__small_numbers__no_heading_is_cut_at_any_width(width: int) -> None:
    """What is in a column may be shorter than its heading."""
    small = msgspec.structs.replace(
        WORKER,
        connections=0,
        threads=4,
        accepted_total=0,
        requests_total=0,
        packets_in_total=0,
        packets_out_total=0,
        retransmits_total=0,
        drops={},
        totals={"turns_total": 95},
        restarts=0,
    )
    output = io.StringIO()
    print_status(msgspec.structs.replace(STATUS, workers=[small]), Console(file=output, width=width))
    assert "…" not in output.getvalue()
    assert "heartbeat" in output.getvalue()


def test_keeper__who_it_is_and_what_it_does__or_what_is_missing_without_it() -> None:
    kept = msgspec.structs.replace(STATUS, keeper=KeeperStatus(77, 9, "for the next one"))
    assert "keeper 77: holds 9 descriptors for the next one" in printed(WIDTH_MIN, kept).splitlines()
    assert "no keeper: workers end with a supervisor that is killed" in printed(WIDTH_MIN)


def test_response_times__of_those_that_answered__a_line_each() -> None:
    times = ResponseTimesStatus(1_234, 9, 79, 95, 1_023, 1_250_000)
    worker = msgspec.structs.replace(WORKER, response_times=times)
    lines = printed(WIDTH_MIN, msgspec.structs.replace(STATUS, workers=[worker, WORKER]))
    told = "worker 63: half of 1,234 responses took up to 0.079 ms, 99 % 1.02 ms, 99.9 % 1,250 ms"
    assert lines.splitlines().count(told) == 1


def test_rules__removed_by_somebody__how_many_and_what_is_missing_now() -> None:
    troubled = msgspec.structs.replace(STATUS, rules_restored_total=12, rules_trouble="[red] rules are gone")
    lines = printed(WIDTH_MIN, troubled).splitlines()
    assert "firewall: 12 rules were removed by somebody, and restored" in lines
    assert "firewall: [red] rules are gone" in lines
    assert "firewall" not in printed(WIDTH_MIN)
