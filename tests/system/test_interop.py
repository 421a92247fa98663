"""The same scripts on both TCPs, against each other: each end observes what the kernel's TCP would show, and
what stands on the wire is right. What differs stands in docs/differences.md, with its reason.

`make interop` also plays the link that is cut, where most of the time is waiting, and each stack against
itself on the bad one.

The matrix: a scenario x who is functional x IPv4 or IPv6 x a clean or a bad link. A cell (two stacks, a link)
is played once, all scenarios in it, and looked at by one test, which names each run that is not right.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from gossamer.loadtest.interop.cell import CellResult, play
from gossamer.loadtest.interop.process import UNFINISHED
from gossamer.loadtest.interop.scenarios import (
    CLOSED_WINDOW,
    LINKS,
    PROBED,
    RESET,
    SCENARIOS,
    ScenarioRun,
    runs,
)
from gossamer.loadtest.interop.wire import Judgement, Packet, judge

pytestmark = [pytest.mark.needs("nfqueue", "tun", "tshark", "ethtool"), pytest.mark.slow]
KERNEL, OURS = "kernel", "nfqueue"
PAIRS = ((KERNEL, KERNEL), (OURS, KERNEL), (KERNEL, OURS), (OURS, OURS))
ALL = "GOSSAMER_INTEROP" in os.environ
CELLS = [
    (link, client, server)
    for link in (LINKS if ALL else ("clean", "bad"))
    for client, server in PAIRS
    if ALL or link == "clean" or client != server
]
RESULT = "result"
REPAIRS = "repairs of what was not lost"
DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"
Play = Callable[[str, str, str], CellResult]

CELL_PARAMETERS = [
    pytest.param(
        *cell, id=f"{cell[0]}: {cell[1]} to {cell[2]}", marks=[] if cell[0] == "clean" else [pytest.mark.long]
    )
    for cell in CELLS
]


@pytest.fixture
def played(once: Callable[[str, Callable[[Path], None]], Path]) -> Play:
    """Each cell once in a run of the tests."""

    def result(link: str, client: str, server: str) -> CellResult:
        def make(folder: Path) -> None:
            brought = msgspec.msgpack.encode(play(link, client, server, folder))
            (folder / RESULT).write_bytes(brought)

        folder = once(f"cell-{link}-{client}-{server}", make)
        return msgspec.msgpack.decode((folder / RESULT).read_bytes(), type=CellResult)

    return result


def plain(notes: list[str]) -> str:
    """Observations as the table of differences writes them: without digests."""
    return "; ".join(re.sub(r" [0-9a-f]{12}$", "", note) for note in notes)


@cache
def differences() -> dict[tuple[str, str, str], tuple[str, str]]:
    """(scenario, functional end, observed at) -> what Linux shows, what ours does."""
    rows = [
        [cell.strip() for cell in line.strip("|\n ").split("|")]
        for line in DIFFERENCES.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| scenario")
    ]
    assert all(len(row) == 6 and row[5] for row in rows), "each row has its reason"
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def listed(run: ScenarioRun, client: str, server: str, side: str) -> tuple[str, str] | None:
    """The row that is about this end of this run."""
    for end, stack in (("client", client), ("server", server)):
        if stack == OURS and (run.scenario.name, end, side) in differences():
            return differences()[run.scenario.name, end, side]
    return None


@pytest.mark.parametrize(("link", "client", "server"), CELL_PARAMETERS)
def test_cell__observed_as_between_two_kernels_or_listed__and_the_wire_is_right(
    played: Play, tmp_path: Path, link: str, client: str, server: str
) -> None:
    # First its own: the model may be played by another process at this moment.
    seen = played(link, client, server)
    models = {model: played(model, KERNEL, KERNEL) for model in {model_of(run, link) for run in runs(link)}}
    faults = faults_of(seen, models, link, client, server)
    if faults and all(fault.startswith(REPAIRS) for found in faults.values() for fault in found):
        # A machine that keeps packets waiting makes a loss of them, between two kernels too: what is a fault
        # of ours happens again.
        faults = faults_of(play(link, client, server, tmp_path), models, link, client, server)
    assert not faults


def is_theirs(fault: str, client: str, server: str) -> bool:
    """What two kernels repair between them says nothing of us: on a busy machine that is much."""
    return client == server == KERNEL and fault.startswith(REPAIRS)


def faults_of(
    seen: CellResult, models: dict[str, CellResult], link: str, client: str, server: str
) -> dict[str, list[str]]:
    """What is not right, by the run."""
    wires = by_port(seen.client_packets), by_port(seen.server_packets)
    faults: dict[str, list[str]] = {}
    for run in runs(link):
        port = seen.first_port + run.number
        ends = tuple(judge(wire[port], port, is_server=end == 1) for end, wire in enumerate(wires))
        found = [
            *differing(models[model_of(run, link)], seen, client, server, run),
            *(
                fault
                for end in ends
                for fault in wrong(end, link, run)
                if not is_theirs(fault, client, server)
            ),
            *missing(ends, run),
        ]
        faults |= {run.key: found} if found else {}
    return faults


def by_port(packets: list[Packet]) -> dict[int, list[Packet]]:
    """The packets of each port."""
    found: defaultdict[int, list[Packet]] = defaultdict(list)
    for packet in packets:
        for port in {packet.source_port, packet.target_port}:
            found[port].append(packet)
    return found


def model_of(run: ScenarioRun, link: str) -> str:
    """The link on which two kernels show what is right."""
    return "clean" if "clean" in run.scenario.links else link


def differing(
    reference: CellResult, seen: CellResult, client: str, server: str, run: ScenarioRun
) -> Iterator[str]:
    """What an end observed otherwise than between two kernels, or than docs/differences.md says."""
    for side, expected, found in (
        ("client", reference.client, seen.client),
        ("server", reference.server, seen.server),
    ):
        there, here = expected.get(run.key, []), found.get(run.key, [])
        row = listed(run, client, server, side)
        if UNFINISHED in here:
            yield f"the {side} did not come to its end: {here}"
        elif row is None and here != there:
            yield f"the {side} observed {here}, and between two kernels {there}"
        elif row is not None and (plain(there), plain(here)) != row:
            yield f"the {side}: {plain(there)!r} and {plain(here)!r}, but docs/differences.md has {row}"


def wrong(end: Judgement, link: str, run: ScenarioRun) -> Iterator[str]:
    """What an end sent that it should not: checksums, windows, resets, repairs."""
    if +end.faults:
        yield f"a bad checksum, or data beyond the peer's window: {+end.faults}"
    if end.seen["reset"] and RESET not in run.scenario.wire:
        yield "a reset"
    # A machine that lets a process wait makes a timeout of it, and a window sent again for nothing, by the
    # kernel's TCP too: each such segment bears two marks. Nothing may be lost by us.
    repaired = sum(end.repairs.values()) - 2 * end.repairs["spurious_retransmission"]
    if link == "clean" and repaired > 6 + end.seen["packets"] // 20:
        yield f"{REPAIRS}: {end.repairs}"


def missing(ends: tuple[Judgement, ...], run: ScenarioRun) -> Iterator[str]:
    """What the scenario is for, and was not there."""
    asker = ends[0]
    # A capture of a busy machine may have lost one end's packets: the other end's are judged all the same.
    if not any(end.seen["packets"] for end in ends):
        yield "nothing was captured"
    is_closed = any(end.seen["zero_window"] or end.seen["window_full"] for end in ends)
    if CLOSED_WINDOW in run.scenario.wire and not is_closed:
        yield "no window was closed"
    if PROBED in run.scenario.wire and not asker.seen["keep_alive"]:
        yield "no keepalive probe"
    maxseg_bytes = run.scenario.options.maxseg_bytes
    if maxseg_bytes is not None and not 0 < asker.longest_bytes <= maxseg_bytes:
        yield f"a segment of {asker.longest_bytes} bytes"


def test_differences__each_is_about_a_scenario_and_an_end() -> None:
    names = {scenario.name for scenario in SCENARIOS}
    for name, end, side in differences():
        assert name in names
        assert {end, side} <= {"client", "server"}
