"""Whether a server is to go on with what another supervisor has left, and with which configuration.

    plain start     on a run directory whose supervisor is gone, while its workers go on
    --adopt DIR     an upgrade: this process was that supervisor's
    --trial         the same, to see whether it would come up: a worker starts, which serves nobody

Owns these three.
"""

import os
import time
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core.layout import CONNECTION_LAYOUT
from gossamer.shards.configuration.config import Config
from gossamer.shards.configuration.reload import changes_that_need_a_restart
from gossamer.shards.exitcode import CannotStartError, ConfigError, NotRunningError
from gossamer.shards.keeper.succession import Estate, ServerRecord, claim
from gossamer.shards.machine.procfs import is_alive
from gossamer.shards.rundir.rundir import default_run_dir, read_state
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.supervisor.launch import WorkerProcess
from gossamer.shards.supervisor.startup import ServerRun

LOOK_SECONDS: Final = 0.02


def orphaned_directory(config: Config) -> Path | None:
    """The run directory of this configuration, if workers go on there without a supervisor."""
    server = config.server
    if not server.run_dir and not server.port:
        return None
    path = Path(server.run_dir) if server.run_dir else default_run_dir(server.port)
    try:
        state = read_state(path)
    except NotRunningError:
        return None  # Another user's: whoever takes its lock is told so.
    is_orphaned = state is not None and state.keeper is not None and not is_alive(state.owner)
    return path if is_orphaned else None


def upgraded(config: Config, directory: Path, *, is_adoption: bool) -> tuple[Config, Estate, list[str]]:
    """What was left, the configuration to go on with, and what of it stays as it was.

    Raises: NotRunningError, CannotStartError.
    """
    estate = claim(directory, is_adoption=is_adoption)
    merged, ignored = _merged(config, estate)
    return merged, estate, ignored


def inherited(config: Config, directory: Path) -> tuple[Config, Estate]:
    """What was left, and the configuration to go on with.

    Raises: ConfigError where it is that of another server; NotRunningError, CannotStartError.
    """
    found = claim(directory, is_adoption=False)
    found.close()
    _, ignored = _merged(config, found)
    if ignored:
        raise ConfigError(
            f"--run-dir {directory}: workers of a server whose supervisor is gone go on there, and "
            f"{ignored[0]}; end them first: gossamer stop --run-dir {directory}"
        )
    estate = claim(directory, is_adoption=True)
    return _merged(config, estate)[0], estate


def _merged(config: Config, estate: Estate) -> tuple[Config, list[str]]:
    before = estate.record.config
    # The same directory may be named or not.
    server = msgspec.structs.replace(config.server, run_dir=before.server.run_dir)
    return changes_that_need_a_restart(before, msgspec.structs.replace(config, server=server))


def _require_readable(record: ServerRecord) -> None:
    """See that connections can move from the workers that are there to ours. Raises: CannotStartError."""
    if record.plan.stack == "nfqueue" and record.connection_layout != CONNECTION_LAYOUT:
        raise CannotStartError(
            f"its connections (layout {record.connection_layout}) cannot be read by this version (layout "
            f"{CONNECTION_LAYOUT}): stop the server and start it again"
        )


def try_out(run: ServerRun) -> None:
    """Have a worker come up, and end it. Raises: CannotStartError, SystemExit with the worker's exit code
    where it has said itself why it does not.
    """
    if run.estate is not None:
        _require_readable(run.estate.record)
    shard = run.plan.shards[0].id
    try:
        process = WorkerProcess(run.worker_plan(shard, is_successor=True), waits=True)
    except OSError as error:
        raise CannotStartError(f"cannot start a worker: {os.strerror(error.errno or 0)}") from error
    deadline = time.monotonic() + run.config.supervisor.start_timeout_us / 1e6
    try:
        while process.state is not WorkerState.WAITING:
            if process.has_ended():
                raise SystemExit(max(1, process.reap()))
            if time.monotonic() >= deadline:
                raise CannotStartError("a worker does not come up within supervisor.start_timeout")
            time.sleep(LOOK_SECONDS)
    finally:
        process.kill()
