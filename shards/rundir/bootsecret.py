"""The secret of initial sequence numbers and timestamps: one a boot, for every process of this user.

Owns the file that holds it. A process that drew its own would begin below what the TIME-WAIT of its peers
remembers of its predecessor: they answer a SYN with an ACK, and each connection takes a second. The clock in
both numbers is that of the machine, which only rises until the next boot, when the file of the last is not
read any more.

Source: RFC 6528 3; RFC 7323 7.1; RFC 6191 2; random(4) for the identifier of a boot.
"""

import contextlib
import logging
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from gossamer.core.errors import what_failed
from gossamer.core.tcp.isn import SECRET_BYTES
from gossamer.shards.rundir.rundir import base_directory

log = logging.getLogger("gossamer.supervisor")

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
NAME: Final = "secret-"
BOOT_ID_FORM: Final = re.compile(r"[0-9a-f-]{36}")


def boot_secret(directory: Path | None = None) -> bytes:
    """The secret of this boot; one of this process alone where none can be kept."""
    folder = base_directory() if directory is None else directory
    try:
        boot = BOOT_ID.read_text().strip()
        if not BOOT_ID_FORM.fullmatch(boot):
            return secrets.token_bytes(SECRET_BYTES)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = folder / f"{NAME}{boot}"
        return _read(path) or _make(path)
    except OSError as error:
        log.warning(
            "the secret of this boot cannot be kept (%s): after a restart, a connection that is opened to a "
            "peer which remembers the one before waits a second",
            what_failed(error),
        )
        return secrets.token_bytes(SECRET_BYTES)


def _read(path: Path) -> bytes | None:
    """What the file holds; None where there is none. Raises: OSError for one that others could have written,
    or read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(fd)
        is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        octets = os.read(fd, SECRET_BYTES + 1)
    finally:
        os.close(fd)
    if not is_ours or found.st_mode & 0o077 or len(octets) != SECRET_BYTES:
        raise PermissionError(path)
    return octets


def _make(path: Path) -> bytes:
    """Write a new one; the first of several processes that do so wins. Raises: OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, secrets.token_bytes(SECRET_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
            _remove_others(path)
    finally:
        os.close(fd)
        temporary.unlink(missing_ok=True)
    made = _read(path)
    if made is None:
        raise FileNotFoundError(path)
    return made


def _remove_others(path: Path) -> None:
    """Those of boots before this one."""
    for other in path.parent.glob(f"{NAME}*"):
        if other != path:
            other.unlink(missing_ok=True)
