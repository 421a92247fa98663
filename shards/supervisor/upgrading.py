"""Another version in place of this one: `gossamer upgrade`, SIGUSR2.

    trial    the new program starts beside: it reads what would be left to it, and has a worker come up, which
             serves nobody; where that fails it says why, and nothing has changed
    exec     this process becomes the new program, which claims from the keeper all that is held, takes the
             workers over as they are, and replaces them

So the process keeps its number, its workers stay its children, and no rule of the firewall changes.

Owns both steps. Should the new program end all the same after the exec, its workers go on without it, as when
a supervisor is killed.

Source: execve(2); sys.orig_argv of the standard library.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO, Final

from gossamer.core.clock import monotonic_us
from gossamer.core.errors import what_failed
from gossamer.core.printable import printable
from gossamer.shards.exitcode import CommandError
from gossamer.shards.log.logs import about
from gossamer.shards.supervisor.bequest import EXEC_WAIT_US, Bequest
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.replacing import Replacing
from gossamer.shards.supervisor.startup import ServerRun

log = logging.getLogger("gossamer.supervisor")

SERVE: Final = "serve"
ADOPT: Final = "--adopt"
TRIAL: Final = "--trial"
SAID_BYTES_MAX: Final = 4096
"""So much of the end of what a trial has said is looked at."""


def successor_argv(argv: Sequence[str], run_dir: str, *, is_trial: bool) -> list[str]:
    """The command line that this process was started by, as that of its successor.

    Raises: CommandError where it is none of `gossamer serve`.

    >>> successor_argv(["python", "gossamer", "serve", "www"], "/run/a", is_trial=False)
    ['python', 'gossamer', 'serve', '--adopt', '/run/a', 'www']
    """
    try:
        at = list(argv).index(SERVE) + 1
    except ValueError as error:
        raise CommandError("upgrade: this server was not started by gossamer serve") from error
    rest = argv[at + 2 :] if argv[at : at + 1] == [ADOPT] else argv[at:]
    return [*argv[:at], ADOPT, run_dir, *([TRIAL] if is_trial else []), *rest]


def last_line(said: bytes) -> str:
    """The last line of what a program has said, without its name before it."""
    lines = [line for line in said.decode("utf-8", "surrogateescape").splitlines() if line.strip()]
    return printable(lines[-1].strip().removeprefix("gossamer: ")) if lines else "it said nothing"


class Upgrading:
    """The upgrade of a server."""

    def __init__(
        self,
        run: ServerRun,
        children: Children,
        replacing: Replacing,
        bequest: Bequest,
        flush: Callable[[], None],
    ) -> None:
        """`flush` has all that was logged written."""
        self._run = run
        self._children = children
        self._replacing = replacing
        self._bequest = bequest
        self._flush = flush
        self._trial: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._kill_at_us = 0
        self.is_due = False
        """Whether the trial has gone well: `become` is next."""

    @property
    def is_under_way(self) -> bool:
        """Whether it has begun."""
        return self._trial is not None or self.is_due

    def begin(self, why: str) -> None:
        """Have the new version tried. Raises: CommandError."""
        self._require_calm()
        import tempfile  # Part of a start, and of use here alone.

        argv = self._argv(is_trial=True)
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the trial has ended
        try:
            # What it is to inherit is what this process has inherited, such as a log's descriptor.
            self._trial = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                close_fds=False,
                process_group=0,
            )
        except OSError as error:
            said.close()
            raise CommandError(f"upgrade: cannot start {argv[0]}: {what_failed(error)}") from error
        self._children.others.add(self._trial.pid)
        self._said = said
        self._kill_at_us = monotonic_us() + 2 * self._run.config.supervisor.start_timeout_us
        self._replacing.error = ""
        told = about("server_upgrading", pid=os.getpid(), trial=self._trial.pid, why=why)
        log.info(
            "upgrading: the new version is tried (pid %d); asked by %s", self._trial.pid, why, extra=told
        )

    def begin_loudly(self, why: str) -> None:
        """The same for somebody who hears no answer."""
        try:
            self.begin(why)
        except CommandError as error:
            self._refuse(str(error).removeprefix("upgrade: "))

    def _require_calm(self) -> None:
        children, deposit = self._children, self._run.deposit
        if self.is_under_way:
            raise CommandError("upgrade: it is under way")
        if not children.is_settled or children.is_stopping or not children.is_ready:
            raise CommandError(
                "upgrade: workers are being started or replaced at this moment; ask again in a few seconds"
            )
        if deposit is None or deposit.is_lost:
            raise CommandError("upgrade: this server has no keeper (its log says why); stop it and start it")

    def _argv(self, *, is_trial: bool) -> list[str]:
        argv = [sys.executable, *sys.orig_argv[1:]]
        return successor_argv(argv, os.fspath(self._run.directory.path), is_trial=is_trial)

    def tick(self, now_us: int) -> None:
        """See how the trial goes."""
        if self._trial is None or self._said is None:
            return
        status = self._trial.poll()
        if status is None:
            if now_us >= self._kill_at_us:
                self._trial.kill()
            return
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - SAID_BYTES_MAX))
        said = self._said.read()
        self._said.close()
        self._children.others.discard(self._trial.pid)
        self._trial = self._said = None
        if status:
            self._refuse(f"the new version does not come up (exit code {status}): {last_line(said)}")
        else:
            self.is_due = True

    def _refuse(self, why: str) -> None:
        self.is_due = False
        self._replacing.error = f"{why}; the present version goes on"
        told = about("upgrade_failed", why=why)
        log.error("upgrade refused: %s", self._replacing.error, extra=told)

    def become(self) -> None:
        """Be the new version; returns where that cannot be, and everything goes on."""
        if not self._children.is_settled:
            return None  # A worker has died meanwhile: its successor first.
        run = self._run
        if run.deposit is None or not self._bequest.is_told():
            return self._refuse("its keeper has ended, or does not listen")
        if run.rules.guard is not None:
            run.rules.guard.close()
        run.deposit.expect_successor(EXEC_WAIT_US)
        argv = self._argv(is_trial=False)
        told = about("server_upgrading", pid=os.getpid(), why="its trial has gone well")
        log.info("upgrading: its trial has gone well: process %d becomes it", os.getpid(), extra=told)
        self._flush()
        # They wait for the new version, which catches them before it lets them come.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            os.execv(argv[0], argv)
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._refuse(f"cannot start {argv[0]}: {what_failed(error)}")

    def close(self) -> None:
        """End a trial that is under way."""
        if self._trial is not None:
            self._trial.kill()
            self._trial.wait()
