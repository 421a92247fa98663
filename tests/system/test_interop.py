"""The same scripts on both TCPs, against each other: each end observes what the kernel's TCP would show, and
what stands on the wire is right. What differs stands in docs/differences.md, with its reason.

`make interop` also plays the link that is cut, where most of the time is waiting, and each stack against
itself on the bad one.

The matrix: a scenario x who is functional x IPv4 or IPv6 x a clean or a bad link. A cell (two stacks, a link)
is played once, all scenarios in it, and looked at by many tests.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

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
from gossamer.loadtest.interop.wire import judge

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
DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"
Play = Callable[[str, str, str], CellResult]

MATRIX = [
    pytest.param(
        link,
        client,
        server,
        run,
        id=f"{link}: {client} to {server}: {run.key}",
    )
    for link, client, server in CELLS
    for run in runs(link)
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Each cell once."""

    @cache
    def once(link: str, client: str, server: str) -> CellResult:
        return play(link, client, server, tmp_path_factory.mktemp("cell"))

    return once


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


@pytest.mark.parametrize(("link", "client", "server", "run"), MATRIX)
def test_observed__as_between_two_kernels_or_listed(
    played: Play, link: str, client: str, server: str, run: ScenarioRun
) -> None:
    model = "clean" if "clean" in run.scenario.links else link
    reference, seen = played(model, KERNEL, KERNEL), played(link, client, server)
    for side, expected, found in (
        ("client", reference.client, seen.client),
        ("server", reference.server, seen.server),
    ):
        there, here = expected.get(run.key, []), found.get(run.key, [])
        assert UNFINISHED not in here
        row = listed(run, client, server, side)
        if row is None:
            assert here == there, f"the {side} of {run.key} observed something else"
        else:
            assert (plain(there), plain(here)) == row, f"docs/differences.md, the {side} of {run.key}"


@pytest.mark.parametrize(("link", "client", "server", "run"), MATRIX)
def test_wire__checksums_windows_resets_and_repairs(
    played: Play, link: str, client: str, server: str, run: ScenarioRun
) -> None:
    seen = played(link, client, server)
    port = seen.first_port + run.number
    ends = [
        judge(seen.client_packets, port, is_server=False),
        judge(seen.server_packets, port, is_server=True),
    ]
    asker, _ = ends
    assert asker.seen["packets"] > 0, "captured"
    for end in ends:
        assert not +end.faults, "no end sends a bad checksum, or data beyond its peer's window"
        assert not end.seen["reset"] or RESET in run.scenario.wire
    if link == "clean":
        # A machine that lets a process wait makes a timeout of it, and a window sent again for nothing, by
        # the kernel's TCP too: each such segment bears two marks. Nothing may be lost by us.
        for end in ends:
            for_nothing = end.repairs["spurious_retransmission"]
            assert sum(end.repairs.values()) - 2 * for_nothing <= 6 + end.seen["packets"] // 20
    if CLOSED_WINDOW in run.scenario.wire:
        assert any(end.seen["zero_window"] or end.seen["window_full"] for end in ends)
    if PROBED in run.scenario.wire:
        assert asker.seen["keep_alive"] > 0
    if run.scenario.options.maxseg_bytes is not None:
        assert 0 < asker.longest_bytes <= run.scenario.options.maxseg_bytes


def test_differences__each_is_about_a_scenario_and_an_end() -> None:
    names = {scenario.name for scenario in SCENARIOS}
    for name, end, side in differences():
        assert name in names
        assert {end, side} <= {"client", "server"}
