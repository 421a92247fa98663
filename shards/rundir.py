"""The run directory of one server: lock, state file, control socket.

Owns names and places. A lock that a living process holds says that the server runs; the state file alone
says nothing, as a killed process leaves it behind.
"""

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from gossamer.shards.exitcode import CannotStartError, NotRunningError
from gossamer.shards.procfs import is_alive
from gossamer.shards.rules import Owner, QueueTarget

STATE: Final = "state.json"
LOCK: Final = "lock"
CONTROL: Final = "control.sock"
SOCKET_PATH_BYTES_MAX: Final = 107
"""What sun_path holds. Source: unix(7)."""


class RunState(msgspec.Struct, frozen=True):
    """What the state file says."""

    pid: int
    start_ticks: int
    host: str
    port: int
    stack: str
    url: str
    chains: tuple[str, ...] = ()
    targets: tuple[QueueTarget, ...] = ()
    """What the rules bring packets to: the served port, and the ports of connections that workers open."""
    hmark_secret: int = 0

    @property
    def owner(self) -> Owner:
        """The supervisor."""
        return Owner(self.pid, self.start_ticks)


def base_directory() -> Path:
    """Where run directories stand by default: /run for root, XDG_RUNTIME_DIR for others, a private folder
    else, and for a root who may not write to /run (a user namespace, a root that is read-only).
    """
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        return Path("/run/gossamer")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "gossamer"
    return Path(tempfile.gettempdir()) / f"gossamer-{os.geteuid()}"


def default_run_dir(port: int) -> Path:
    """The run directory of the server on that port."""
    return base_directory() / str(port)


class RunDirectory:
    """The run directory of a server that is starting or running; holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_fd = -1

    @property
    def control_path(self) -> Path:
        """The control socket."""
        return self.path / CONTROL

    def acquire(self) -> None:
        """Create it and take its lock. Raises: CannotStartError."""
        if len(os.fsencode(self.control_path)) > SOCKET_PATH_BYTES_MAX:
            raise CannotStartError(
                f"--run-dir {self.path}: its path is too long for a socket; allowed: about 90 bytes"
            )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            self._lock()
        except BlockingIOError as error:
            raise CannotStartError(
                f"--run-dir {self.path}: a server is running there; "
                f"stop it (gossamer stop --run-dir {self.path}) or name another directory"
            ) from error
        except OSError as error:
            raise CannotStartError(
                f"--run-dir {self.path}: {error.strerror}; name one that you may write to"
            ) from error

    def _lock(self) -> None:
        """Lock the file that stands at the path now: one that its last holder removed meanwhile locks nobody
        out.
        """
        while True:
            fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(self.path / LOCK)):
                    self._lock_fd = fd
                    return
            except FileNotFoundError:
                pass  # removed between open and stat: take the next one
            except OSError:
                os.close(fd)
                raise
            os.close(fd)

    def _check_owner(self) -> None:
        found, above = self.path.lstat(), self.path.parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise CannotStartError(f"--run-dir {self.path}: it is no directory of yours; name another one")
        if above.st_uid not in (0, os.geteuid()):
            # Its owner could put another directory in our place.
            raise CannotStartError(f"--run-dir {self.path}: it is in a directory of another user")

    def write_state(self, state: RunState) -> None:
        """Replace the state file in one step."""
        temporary = self.path / f"{STATE}.new"
        temporary.write_bytes(msgspec.json.encode(state) + b"\n")
        temporary.replace(self.path / STATE)

    def release(self) -> None:
        """Remove the files and let go of the lock."""
        for name in (CONTROL, STATE, LOCK):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else keeps files in it: then the directory is theirs
            self.path.rmdir()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def read_state(path: Path) -> RunState | None:
    """The state of a server whose process still lives; None when there is none.

    Raises: NotRunningError when it is not ours to read.
    """
    try:
        state = msgspec.json.decode((path / STATE).read_bytes(), type=RunState)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    except PermissionError as error:
        raise NotRunningError(f"--run-dir {path}: it belongs to another user; ask as that one") from error
    return state if is_alive(state.owner) else None


def running_directories() -> list[Path]:
    """The default run directories in which a server runs."""
    base = base_directory()
    if not base.is_dir():
        return []
    return [path for path in sorted(base.iterdir()) if read_state(path)]


def find_run_dir(run_dir: str | None, port: int | None) -> Path:
    """The run directory that a command means. Raises: NotRunningError."""
    if run_dir:
        path = Path(run_dir)
        if read_state(path) is None:
            raise NotRunningError(f"--run-dir {path}: no server runs there")
        return path
    if port is not None:
        return find_run_dir(str(default_run_dir(port)), None)
    found = running_directories()
    if not found:
        raise NotRunningError(f"no server runs under {base_directory()}; name its directory with --run-dir")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise NotRunningError(f"several servers run ({names}); say which one with --port or --run-dir")
    return found[0]
