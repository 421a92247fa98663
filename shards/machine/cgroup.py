"""How many CPUs' time the control groups of a process grant it.

Owns the texts that say it: /proc/self/cgroup and /proc/self/mountinfo, `cpu.max` (version 2),
`cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1). A group has at most what each group above it has, so
all of them are read, as far as the mounts show them. Knows nothing of workers.

Source: cgroups(7), proc_pid_mountinfo(5); linux/Documentation/admin-guide/cgroup-v2.rst, "CPU Interface
Files".
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

MEMBERSHIP: Final = Path("/proc/self/cgroup")
MOUNTS: Final = Path("/proc/self/mountinfo")
CPU: Final = "cpu"


class Mount(msgspec.Struct, frozen=True):
    """A hierarchy of control groups that is mounted."""

    root: PurePosixPath
    """Which group of the hierarchy stands at `point`."""
    point: Path
    controllers: frozenset[str]
    """Of version 1; version 2 has a single hierarchy and names none."""


def _unescaped(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def parse_mounts(text: str) -> list[Mount]:
    """The hierarchies in the text of mountinfo that may bound CPU time."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        place, kind = before.split(), after.split()
        if len(place) < 5 or len(kind) < 3:
            continue
        controllers = frozenset(kind[2].split(",")) if kind[0] == "cgroup" else frozenset[str]()
        if kind[0] == "cgroup2" or CPU in controllers:
            mounts.append(Mount(PurePosixPath(_unescaped(place[3])), Path(_unescaped(place[4])), controllers))
    return mounts


def parse_membership(text: str, mount: Mount) -> PurePosixPath | None:
    """The group of the process in that hierarchy, from /proc/self/cgroup; None when it has none."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if CPU in controllers.split(",") if mount.controllers else (number == "0" and not controllers):
            return PurePosixPath(path)
    return None


def folders(mount: Mount, group: PurePosixPath) -> Iterator[Path]:
    """The folder of a group and of each one above it, up to where the hierarchy is mounted."""
    is_shown = group.is_relative_to(mount.root) and ".." not in group.parts
    inside = group.relative_to(mount.root) if is_shown else PurePosixPath()
    for each in (inside, *inside.parents):
        yield mount.point / each


def parse_quota(quota: str, period: str) -> Fraction | None:
    """CPUs' time, as the kernel writes it: microseconds in each period; None for no bound ("max", -1)."""
    is_bound = quota.isdecimal() and period.isdecimal() and int(quota) > 0 < int(period)
    return Fraction(int(quota), int(period)) if is_bound else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        # The highest group has no such file, nor has a group without the controller; and a bound that may
        # not be read is held by the kernel all the same.
        return []


def _quota_of(mount: Mount, folder: Path) -> Fraction | None:
    if mount.controllers:
        words = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
    else:
        words = _words(folder / "cpu.max")
    return parse_quota(*words) if len(words) == 2 else None


def find_cpu_quota(membership: str, mounts: str) -> Fraction | None:
    """How many CPUs' time a process of these groups gets at most; None where no group bounds it."""
    quotas = []
    for mount in parse_mounts(mounts):
        group = parse_membership(membership, mount)
        if group is not None:
            quotas += [_quota_of(mount, folder) for folder in folders(mount, group)]
    return min((quota for quota in quotas if quota is not None), default=None)


def read_cpu_quota() -> Fraction | None:
    """What this process gets at most; None where no group bounds it, or /proc does not say."""
    try:
        return find_cpu_quota(MEMBERSHIP.read_text(), MOUNTS.read_text())
    except OSError:
        # Without control groups (or without /proc) there is no bound that we could know of.
        return None
