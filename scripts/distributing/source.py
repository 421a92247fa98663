"""The source distribution: a clone without its history, the same bytes whoever makes it.

Owns what setuptools would do otherwise: it follows the links of gossamer/ and packs what they lead to
twice; and time, user and umask of whoever packs are in its archive.
"""

import gzip
import io
import os
import tarfile
from pathlib import Path

from setuptools.command.sdist import sdist

LINKED = ("core", "ffi", "loadtest", "shards")
"""Folders that gossamer/ has links to."""
EARLIEST = 315532800
"""1980: no wheel can say an earlier time. Where SOURCE_DATE_EPOCH is not set."""


def is_second_copy(path: Path) -> bool:
    """Whether it is packed where its link leads."""
    return path.parts[:1] == ("gossamer",) and path.parts[1:2] != () and path.parts[1] in LINKED


def packed(folder: Path, name: str, time: int) -> bytes:
    """A tar archive of all files of a folder, under that name."""
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            within = path.relative_to(folder)
            if path.is_file() and not is_second_copy(within):
                entry = archive.gettarinfo(str(path), f"{name}/{within}")
                entry.mode = 0o755 if entry.mode & 0o100 else 0o644
                archive.addfile(_of_nobody(entry, time), io.BytesIO(path.read_bytes()))
        for linked in LINKED:
            entry = tarfile.TarInfo(f"{name}/gossamer/{linked}")
            entry.type, entry.linkname = tarfile.SYMTYPE, f"../{linked}"
            archive.addfile(_of_nobody(entry, time))
    return octets.getvalue()


def _of_nobody(entry: tarfile.TarInfo, time: int) -> tarfile.TarInfo:
    entry.type = tarfile.REGTYPE if entry.type == tarfile.LNKTYPE else entry.type
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = time
    return entry


class SourceArchive(sdist):
    """Packs the tree that setuptools has gathered."""

    def make_archive(self, base_name: str, format: str, *_: object, base_dir: str, **__: object) -> str:  # noqa: A002 # as setuptools names it
        """Write the archive; its path. Raises: ValueError for another format than the one of an index."""
        if format != "gztar":
            raise ValueError(f"a source distribution is a gztar, and not a {format}")
        time = int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST))
        octets = packed(Path(base_dir), Path(base_dir).name, time)
        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(octets, mtime=time))
        return str(path)
