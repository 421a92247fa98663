"""Rows about the kernel, of files that say what a machine does not."""

import pytest

from gossamer.shards.doctor import kernel


@pytest.mark.parametrize(
    ("release", "is_amiss"),
    [
        ("6.1.0-13-amd64", False),
        ("4.18.0", False),
        ("4.17.19", True),
        ("3.10.0-1160.el7", True),
        ("5", False),
    ],
)
def test_release(release: str, is_amiss: bool) -> None:
    assert kernel._release(release).is_amiss is is_amiss


def test_clock_and_backlog__each_side_of_what_is_good() -> None:
    assert [kernel._clock(name).is_amiss for name in ("tsc", "kvm-clock", "hpet")] == [False, False, True]
    assert [kernel._backlog(text).is_amiss for text in ("4096", "128", kernel.NOT_SAID)] == [
        False,
        True,
        False,
    ]


def test_rows__of_this_machine__each_found() -> None:
    rows = list(kernel.rows())
    assert len({row.name for row in rows}) == len(rows) == 9
    assert all(row.found for row in rows)
