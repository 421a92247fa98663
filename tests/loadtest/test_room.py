"""What is said where a machine has no room for so many connections."""

from pathlib import Path

import pytest

from gossamer.loadtest import room
from gossamer.loadtest.room import check_descriptors, check_ports, local_ports
from gossamer.shards.exitcode import CannotStartError


def test_descriptors__too_many_for_a_process__says_how_many_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room.resource, "getrlimit", lambda _what: (1_024, 20_000))
    check_descriptors(19_936, 1)
    check_descriptors(50_000, 3)
    with pytest.raises(CannotStartError) as raised:
        check_descriptors(50_000, 2)
    assert str(raised.value) == (
        "--connections: found 50000; allowed: 19936 in each process (20000 open files), so take --processes 3"
    )


def test_descriptors__no_limit__any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.resource, "getrlimit", lambda _what: (1_024, room.resource.RLIM_INFINITY))
    check_descriptors(1_000_000, 1)


def test_ports__too_many_for_an_address__says_how_many_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "range").write_text("32768\t60999\n")
    monkeypatch.setattr(room, "PORT_RANGE", tmp_path / "range")
    assert local_ports() == 28_232
    assert check_ports(14_116, 0, 1) == check_ports(50_000, 4, 1) == check_ports(50_000, 4, 2) == ""
    assert check_ports(28_232, 0, 1) == (
        "beyond 14116 connections of an address, a local port is slow to find: take --source with 2 "
        "addresses of this machine"
    )
    assert "4 addresses" in check_ports(50_000, 2, 1)
    with pytest.raises(CannotStartError, match=r"28232 local ports .*: take --source with 4 addresses"):
        check_ports(50_000, 1, 1)
    with pytest.raises(CannotStartError, match="allowed: 56464"):
        check_ports(60_000, 2, 2)  # two in turn of two are two pairs
