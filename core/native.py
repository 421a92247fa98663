"""Which build of the pure core runs: its sources, interpreted, or the extension modules that `make native`
makes of them.

    GOSSAMER_NATIVE   unset: native, where a build of these very sources is there; 0: never; 1: or not at all

Owns the folder of the build, and the choice, which `gossamer.core` makes before any of its modules is
imported. A build of other sources, or for another Python, is passed by: what runs is always what is written.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PACKAGE: Final = Path(__file__).parent.parent
SUFFIX: Final = EXTENSION_SUFFIXES[0]
"""Of modules for this Python alone."""
COMPILED: Final = PACKAGE / "compiled" / SUFFIX.split(".")[1]
LIBRARY: Final = "gossamer__mypyc"
"""What the extension modules share."""
VARIABLE: Final = "GOSSAMER_NATIVE"


class NativeFinder:
    """Finds the modules of the native build; stands first in `sys.meta_path` where that build runs."""

    def __init__(self, folder: Path, modules: Sequence[str]) -> None:
        self._folder = folder
        self._modules = frozenset((*modules, LIBRARY))

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The compiled module of that name, if it is one."""
        del path, target
        if name not in self._modules:
            return None
        inside = PACKAGE.joinpath(*name.split(".")[1:])
        is_package = name != LIBRARY and inside.is_dir()
        file = str(self._folder / f"{name}{'.__init__' if is_package else ''}{SUFFIX}")
        return spec_from_file_location(
            name,
            file,
            loader=ExtensionFileLoader(name, file),
            submodule_search_locations=[str(inside)] if is_package else None,
        )


def choose() -> None:
    """Have the native build imported where it is wanted and there. Raises: SystemExit, with a line that says
    why, where only that build will do and it is not there."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "0", "1"):
        raise SystemExit(f"{VARIABLE}: found {wanted!r}, allowed is 0, 1, or nothing")
    if wanted == "0" or is_native():
        return
    manifest = _manifest()
    why_not = _obstacle_of(manifest)
    if not why_not:
        sys.meta_path.insert(0, NativeFinder(COMPILED, manifest["modules"]))
    elif wanted == "1":
        raise SystemExit(f"{VARIABLE}=1: {why_not}; `make native` builds it")


def is_native() -> bool:
    """Whether the native build runs."""
    return any(isinstance(finder, NativeFinder) for finder in sys.meta_path)


def running() -> str:
    """What runs, in a word, and why where it is not the native build."""
    if is_native():
        return "native"
    if os.environ.get(VARIABLE) == "0":
        return f"interpreted ({VARIABLE}=0)"
    return f"interpreted ({obstacle() or 'the native build came after the start'})"


def obstacle() -> str:
    """Why the native build cannot run, "" where it can."""
    return _obstacle_of(_manifest())


def inherited() -> dict[str, str]:
    """The environment in which a child does not run a native build that its parent does not."""
    return {} if is_native() else {VARIABLE: "0"}


def _manifest() -> dict[str, Any]:
    """What the build says of itself; nothing where there is none."""
    try:
        written = (COMPILED / "manifest.json").read_bytes()
    except FileNotFoundError:
        return {}
    import json  # where there is something to read: every command starts here

    manifest: dict[str, Any] = json.loads(written)
    return manifest


def _obstacle_of(manifest: dict[str, Any]) -> str:
    if not manifest:
        return "there is no native build for this Python"
    try:
        written = b"".join((PACKAGE / source).read_bytes() for source in manifest["sources"])
    except FileNotFoundError:
        return "the native build is of other sources"
    from hashlib import sha256  # the more so: it loads a library of cryptography

    is_of_these = sha256(written).hexdigest() == manifest["digest"]
    return "" if is_of_these else "the native build is of other sources"
