"""`--reload`: a process beside the supervisor that asks it for a reload whenever a source has changed.

Owns which files count (what `watchfiles` takes for Python's), and that a change is not lost where a reload is
under way: it is asked for again. The process ends by itself once its supervisor is gone, or is another
version, which starts one of its own: its standard input is a pipe whose other end no exec passes on. For
development: the old worker goes on where the new code cannot be imported.
"""

import importlib.util
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gossamer.shards.exitcode import CommandError, ConfigError, NotRunningError
from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL

LOOK_MS: Final = 500
"""How often it is seen whether the supervisor lives."""
TRIES_MAX: Final = 120
PAUSE_SECONDS: Final = 0.5
"""Between two tries to have a reload, which another may be in the way of."""

log = logging.getLogger("gossamer.watching")


def require_watching(folders: Sequence[str]) -> None:
    """Raises: ConfigError, where nothing could be watched."""
    if importlib.util.find_spec("watchfiles") is None:
        raise ConfigError("--reload: needs the package watchfiles: pip install 'gossamer[reload]'")
    for folder in folders:
        if not os.path.isdir(folder):
            raise ConfigError(f"application.reload_dirs: found {folder!r}; allowed: a folder that exists")


def start_watching(directory: Path, folders: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the process for the server of that run directory. Whoever starts it ends it."""
    argv = [sys.executable, "-P", "-m", __name__, os.fspath(directory), *folders]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)


def has_ended(fd: int) -> bool:
    """Whether nobody holds the other end of a pipe any more."""
    return bool(select.select([fd], [], [], 0)[0])


def ask_for_reload(directory: Path) -> str:
    """Why there was none; "" where there was. Raises: NotRunningError."""
    why = ""
    for _ in range(TRIES_MAX):
        try:
            ask(directory / CONTROL, ControlRequest("reload"))
        except NotRunningError:
            raise
        except CommandError as error:
            why = str(error)
            time.sleep(PAUSE_SECONDS)
        else:
            return ""
    return why


def watch_for(supervisor: int, directory: Path, folders: Sequence[str]) -> None:
    """Ask for a reload at each change, until the end of that pipe."""
    from watchfiles import PythonFilter, watch  # an extra, of use here alone

    changes = watch(
        *folders,
        watch_filter=PythonFilter(),
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    for changed in changes:
        if has_ended(supervisor):
            return
        if not changed:
            continue
        log.info("changed: %s", ", ".join(sorted(os.path.relpath(path) for _, path in changed)[:5]))
        why = ask_for_reload(directory)
        if why:
            log.error("not reloaded: %s", why)


def main() -> None:
    """The process's command: RUN_DIR FOLDER..."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s watcher %(levelname)s %(message)s")
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    try:
        watch_for(sys.stdin.fileno(), Path(sys.argv[1]), sys.argv[2:])
    except NotRunningError:
        return  # the server has ended


if __name__ == "__main__":
    main()
