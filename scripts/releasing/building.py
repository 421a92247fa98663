"""Wheel and source distribution, built twice, and what others' tools say of them."""

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from releasing.table import FailedError, NotHereError, run

HOOK = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
PYTHONS_SERVED = """
import sys
from collections import namedtuple
from cibuildwheel.util.packaging import find_compatible_wheel

wheels, pythons = [namedtuple("Wheel", "name")(sys.argv[1])], sys.argv[2].split()
print(*(each for each in pythons if find_compatible_wheel(wheels, each)))
"""
"""Prints for which of these builds cibuildwheel takes a wheel that is there."""


class Built:
    """What is built of the last commit, in a folder: both distributions, or of a kind of its own
    (GOSSAMER_WHEEL) the wheel alone."""

    def __init__(self, root: Path, folder: Path, tools: Path, kind: str = "") -> None:
        self._root = root
        self._folder = folder
        self._tools = tools
        self._kind = kind
        self.made = folder / "first" / "made"
        # Which it is by now: one that comes meanwhile is not looked at.
        self._commit, self._epoch = run(["git", "log", "-1", "--format=%H %ct"], root).split()

    @property
    def wheel(self) -> Path:
        """The wheel. Raises: FailedError."""
        return self._only("*.whl")

    @property
    def source(self) -> Path:
        """The source distribution. Raises: FailedError."""
        return self._only("*.tar.gz")

    def _only(self, pattern: str) -> Path:
        found = list(self.made.glob(pattern))
        if len(found) != 1:
            raise FailedError(f"there is no {pattern}")
        return found[0]

    def twice(self) -> str:
        """Build in two folders, the second as one whom others may not read, with hashes of its own; equal or
        not."""
        for name, umask, seed in (("first", 0o022, "1"), ("second", 0o077, "2")):
            self._build(self._folder / name, umask, seed)
        digests = []
        for path in sorted(self.made.iterdir()):
            again = self._folder / "second" / "made" / path.name
            if path.read_bytes() != again.read_bytes():
                raise FailedError(f"{path.name}: two builds differ")
            digests.append(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}")
        return ", ".join(digests)

    def _build(self, folder: Path, umask: int, seed: str) -> None:
        sources, made = folder / "sources", folder / "made"
        sources.mkdir(parents=True)
        made.mkdir()
        archive = subprocess.run(
            ["git", "archive", self._commit], cwd=self._root, capture_output=True, check=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(sources)
        settings = {"SOURCE_DATE_EPOCH": self._epoch, "PYTHONHASHSEED": seed, "GOSSAMER_WHEEL": self._kind}
        for hook in ("build_wheel",) if self._kind else ("build_sdist", "build_wheel"):
            before = os.umask(umask)
            try:
                run([sys.executable, "-c", HOOK, hook, made], sources, {**os.environ, **settings}, 1800)
            finally:
                os.umask(before)

    def twine(self) -> str:
        """Whether an index would take them."""
        run([self._tools / "twine", "check", "--strict", self.wheel, self.source])
        return "both pass, strictly"

    def contents(self) -> str:
        """What is in the wheel."""
        return run([self._tools / "check-wheel-contents", "--ignore", "W002", self.wheel])

    def abi3(self) -> str:
        """Whether the modules of C keep to the stable ABI of Python 3.11."""
        return (
            run([self._tools / "abi3audit", "--strict", "--report", self.wheel])
            and "5 modules keep to abi3 of 3.11"
        )

    def manylinux(self) -> str:
        """Which manylinux this machine's C library makes of it."""
        said = run([self._tools / "auditwheel", "show", self.wheel])
        tags = re.findall(r'"((?:many|musl)linux_\d+_\d+_\w+)"', said)
        if not tags:
            raise FailedError(said)
        return f"built here it is {tags[0]}; cibuildwheel's containers decide a release"

    def of_one_python(self) -> str:
        """Whether its tag says that it is for this very Python. Raises: FailedError."""
        python = f"cp{sys.version_info.major}{sys.version_info.minor}"
        _, _, *tag = self.wheel.stem.split("-")
        if tag[:2] != [python, python]:
            raise FailedError(f"it is for {tag}")
        return "-".join(tag)

    def matrix(self) -> str:
        """What cibuildwheel would build."""
        return run([self._tools / "cibuildwheel", "--print-build-identifiers", "--platform", "linux",
                    "--archs", "x86_64,aarch64", self._root])  # fmt: skip

    def for_each_python(self) -> str:
        """Whether it would build one plain wheel for all Pythons, and a native one for each. Raises:
        FailedError."""
        builds = [line for line in self.matrix().split() if line.endswith("-manylinux_x86_64")]
        served = {}
        for abi in ("abi3", "cp311"):
            wheel = f"gossamer-1-cp311-{abi}-manylinux_2_28_x86_64.whl"
            asked_of = [self._tools / "python", "-c", PYTHONS_SERVED, wheel, " ".join(builds)]
            served[abi] = run(asked_of).split()
        if len(builds) < 2 or served != {"abi3": builds, "cp311": []}:
            raise FailedError(f"of {builds} these are served by a wheel of each kind: {served}")
        return f"one plain wheel for {len(builds)} Pythons, a native one for each"

    def containers(self) -> str:
        """Building them all takes containers."""
        raise NotHereError("the images of manylinux and musllinux are not to be had without a network")
