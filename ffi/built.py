"""Whether the C modules were built of the sources beside them: after a pull they may be of older ones, with
which what Python expects of them does not agree.

Owns what is compared, and the note that a build in place leaves: the digest of the sources, and how their
files looked then. Files that look the same are not read again. Where no sources stand, as in a wheel, there
is nothing to compare. setup.py runs this file by its path: it imports nothing of ours.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = os.path.dirname(__file__)
NOTE: Final = "_built_of"


def sources_in(folder: str) -> list[os.DirEntry[str]]:
    """All that the C modules are made of, by name; none where it is not there."""
    try:
        with os.scandir(os.path.join(folder, "src")) as found:
            sources = [entry for entry in found if entry.name.endswith((".c", ".h"))]
    except FileNotFoundError:
        return []
    with os.scandir(folder) as found:
        builders = [entry for entry in found if entry.name.startswith("build_")]
    return sorted(sources + builders, key=lambda entry: entry.name)


def digest(sources: list[os.DirEntry[str]]) -> str:
    """Of what stands in them. Raises: OSError."""
    whole = sha256()
    for entry in sources:
        whole.update(b"%b %d\n" % (entry.name.encode(), entry.stat().st_size))
        whole.update(Path(entry).read_bytes())
    return whole.hexdigest()


def looks(sources: list[os.DirEntry[str]]) -> str:
    """Their names, sizes and times, in short. Raises: OSError."""
    stats = [(entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in sources]
    return sha256(repr(stats).encode()).hexdigest()


def note(folder: str = FOLDER) -> None:
    """Say that the modules in the folder are of the sources in it. Raises: OSError."""
    sources = sources_in(folder)
    Path(folder, NOTE).write_text(f"{digest(sources)} {looks(sources)}")


def forget(folder: str = FOLDER) -> None:
    """Say it no more: they are about to change. Raises: OSError."""
    Path(folder, NOTE).unlink(missing_ok=True)


def require_built(folder: str = FOLDER) -> None:
    """Raises: ImportError of the name gossamer.ffi, where they are of other sources."""
    sources = sources_in(folder)
    if not sources:
        return
    try:
        built_of, looked, *_ = f"{Path(folder, NOTE).read_text()} ".split(" ")
    except FileNotFoundError:
        built_of = looked = ""
    if looked != looks(sources) and built_of != digest(sources):
        raise ImportError(
            "the C modules are not of the sources beside them, as after a pull: run `make setup`",
            name="gossamer.ffi",
        )
