"""The run directory of one server: lock, state file, control socket, admin socket, the keeper's socket.

Owns names and places. A lock that a living process holds says that the server runs; the state file alone
says nothing, as a killed process leaves it behind. Of a server whose supervisor is gone the keeper may live,
and then its workers do (`shards.keeper`). It says nothing that anybody acts on with more rights than
its writer had, and holds no secret.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec

from gossamer.shards.exitcode import CannotStartError, ConfigError, NotRunningError
from gossamer.shards.machine.procfs import ProcessIdentity, is_alive, user_outside
from gossamer.shards.rundir.private_folder import PrivateFolder, UntrustedFolderError, read_small

STATE: Final = "state.json"
LOCK: Final = "lock"
CONTROL: Final = "control.sock"
ADMIN: Final = "admin.sock"
KEEPER: Final = "keeper.sock"
SOCKET_PATH_BYTES_MAX: Final = 107
"""What sun_path holds. Source: unix(7)."""
STATE_BYTES_MAX: Final = 1 << 16


class RunState(msgspec.Struct, frozen=True):
    """What the state file says."""

    pid: int
    start_ticks: int
    host: str
    port: int
    stack: str
    url: str
    chains: tuple[str, ...] = ()
    keeper: ProcessIdentity | None = None
    """Who goes on when the supervisor is killed; None where nobody does."""

    @property
    def owner(self) -> ProcessIdentity:
        """The supervisor."""
        return ProcessIdentity(self.pid, self.start_ticks)


def base_directory() -> Path:
    """Where run directories stand by default: /run for root, XDG_RUNTIME_DIR for others, a private folder
    else, and for a root who may not write to /run (a user namespace, a root that is read-only).
    """
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        return Path("/run/gossamer")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "gossamer"
    import tempfile  # Of use here alone.

    uid = os.geteuid()
    # Root of somebody's user namespace is another one than that of somebody else's: both have this folder.
    outside = user_outside(uid)
    name = f"gossamer-{uid}" if outside == uid else f"gossamer-{uid}-{outside}"
    return Path(tempfile.gettempdir()) / name


def default_run_dir(name: int | str) -> Path:
    """The run directory of the server on that port, or of that name."""
    return base_directory() / str(name)


class RunDirectory:
    """The run directory of a server that is starting or running; holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder: PrivateFolder
        self.lock_fd = -1

    @classmethod
    def held(cls, path: Path, lock_fd: int) -> "RunDirectory":
        """The one whose lock another process has taken, and given on. Raises: CannotStartError."""
        directory = cls(path)
        try:
            directory._folder = PrivateFolder(path)
        except (UntrustedFolderError, OSError) as error:
            raise CannotStartError(f"--run-dir {path}: {error}") from error
        directory.lock_fd = lock_fd
        return directory

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
            self._folder = PrivateFolder(self.path)
            self._lock_or_undo()
        except UntrustedFolderError as error:
            raise CannotStartError(f"--run-dir {self.path}: {error}") from error
        except BlockingIOError as error:
            raise CannotStartError(
                f"--run-dir {self.path}: a server is running there; "
                f"stop it (gossamer stop --run-dir {self.path}) or name another directory"
            ) from error
        except OSError as error:
            raise CannotStartError(
                f"--run-dir {self.path}: {error.strerror}; name one that you may write to"
            ) from error

    def _lock_or_undo(self) -> None:
        try:
            self._lock()
        except OSError:
            self._folder.remove()
            raise

    def _lock(self) -> None:
        """Lock the file that stands at the path now: one that its last holder removed meanwhile locks nobody
        out.
        """
        flags, folder = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, self._folder.fd
        while True:
            fd = os.open(LOCK, flags, 0o600, dir_fd=folder)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(LOCK, dir_fd=folder, follow_symlinks=False)):
                    self.lock_fd = fd
                    return
            except FileNotFoundError:
                pass  # removed between open and stat: take the next one
            except OSError as error:
                os.close(fd)
                if not isinstance(error, BlockingIOError):
                    self._folder.unlink(LOCK)  # Nothing can be locked there: nobody has it.
                raise
            os.close(fd)

    def write_state(self, state: RunState) -> None:
        """Replace the state file in one step."""
        temporary = f"{STATE}.new"
        self._folder.create(temporary, msgspec.json.encode(state) + b"\n")
        self._folder.rename(temporary, STATE)

    def release(self) -> None:
        """Remove the files and let go of the lock."""
        for name in (CONTROL, ADMIN, KEEPER, STATE, LOCK):
            self._folder.unlink(name)
        self._folder.remove()
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1


def read_state(path: Path) -> RunState | None:
    """The state of a server whose supervisor, or keeper, still lives; None when there is none.

    Raises: NotRunningError when it is not ours to read.
    """
    try:
        state = msgspec.json.decode(read_small(path / STATE, STATE_BYTES_MAX), type=RunState)
    except (FileNotFoundError, NotADirectoryError, ValueError, msgspec.DecodeError):
        return None
    except PermissionError as error:
        raise NotRunningError(f"--run-dir {path}: it belongs to another user; ask as that one") from error
    except OSError as error:
        raise NotRunningError(f"--run-dir {path}: {STATE}: {error.strerror}") from error
    lives = is_alive(state.owner) or (state.keeper is not None and is_alive(state.keeper))
    return state if lives else None


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
        state = read_state(path)
        if state is None:
            raise NotRunningError(f"--run-dir {path}: no server runs there")
        if port is not None and port != state.port:
            raise ConfigError(f"--port {port} and --run-dir {path}: the server there has port {state.port}")
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
