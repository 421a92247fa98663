"""Rows about files: where a server keeps its state, what the workers' user may read, installed packages."""

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from gossamer.shards.configuration.config import Config
from gossamer.shards.confinement.confinement import confine, find_unreadable, user_name
from gossamer.shards.doctor.findings import Finding, For
from gossamer.shards.exitcode import CommandError
from gossamer.shards.rundir.rundir import base_directory

PACKAGE: Final = Path(__file__).resolve().parent.parent.parent
REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)[^<>=;]*(?:>=\s*([0-9.]+))?")
EXTRA: Final = "extra =="


def rows(folder: str) -> Iterator[Finding]:
    """All of them; `folder` is what is to be served, "" for none."""
    yield _run_directory()
    yield _readable("interpreter", [sys.executable, str(PACKAGE)], For.ANY)
    if folder:
        yield _readable("folder", [folder], For.ANY)
    yield from _packages(requires("gossamer") or () if _is_installed("gossamer") else ())


def _run_directory() -> Finding:
    base = base_directory()
    place = base if base.exists() else base.parent
    way = "" if os.access(place, os.W_OK) else "a folder that can be written: --run-dir"
    return Finding("run directory", str(base), For.ANY, way)


def _readable(name: str, paths: list[str], needed_for: For) -> Finding:
    config = Config()
    try:
        confinement, _ = confine(config, "kernel")
        refused = find_unreadable(confinement, "kernel", paths)
    except CommandError as error:
        return Finding(name, str(error), needed_for, "name another user: server.user")
    who = "this user" if confinement.identity is None else user_name(config)
    if refused:
        # The interpreter and a folder are opened before rights are given up; what comes later is not.
        way = f"server.user, or chmod o+rx: {who} may not read it, which later imports and sub-folders need"
        return Finding(name, refused, For.SOME, way)
    return Finding(name, f"{paths[0]}, may be read by {who}", needed_for)


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _packages(requirements: "list[str] | tuple[str, ...]") -> Iterator[Finding]:
    for line in requirements:
        found = REQUIREMENT.match(line)
        if found is None:
            continue
        name, least = found.groups()
        needed_for = For.SOME if EXTRA in line else For.ANY
        if not _is_installed(name):
            if needed_for is For.ANY:
                yield Finding(f"package {name}", "not installed", needed_for, f"pip install {name!r}")
            continue
        number = version(name)
        way = f"pip install '{name}>={least}'" if least and _parts(number) < _parts(least) else ""
        if way or needed_for is For.ANY:
            yield Finding(f"package {name}", number, needed_for, way)


def _parts(number: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", number)[:3]]
