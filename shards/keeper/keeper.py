"""The keeper at work: it holds, and where no supervisor is left it answers for the server.

    supervised  it takes what it is given, and heeds no signal
    orphaned    status and stop are answered at the control socket; whoever claims all is the supervisor then
    ended       the workers have: rules and run directory go, and the keeper too

Owns the order of these. Of what it holds it knows four names; the rest is the next supervisor's.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
from pathlib import Path
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.io.signals import SignalSocket
from gossamer.shards.exitcode import CommandError
from gossamer.shards.firewall import firewall
from gossamer.shards.keeper.adopted import send_signal
from gossamer.shards.keeper.notes import (
    Await,
    Claim,
    Complete,
    Farewell,
    Forget,
    Keep,
    Refuse,
    Said,
    ServerEnding,
    ServerNote,
    UnheardError,
    hear,
    say,
)
from gossamer.shards.letters.signals import STOPPING, signal_name
from gossamer.shards.log.logs import about
from gossamer.shards.machine.procfs import ProcessIdentity, is_alive
from gossamer.shards.plan.machine_facts import FIREWALL_RIGHTS, missing_rights
from gossamer.shards.rundir.control import ControlAnswer, ControlRequest, ControlServer
from gossamer.shards.rundir.rundir import RunDirectory

log = logging.getLogger("gossamer.keeper")

CLAIMS: Final = "claims"
CONTROL: Final = "control"
LOCK: Final = "lock"
LIVENESS: Final = "liveness"
"""What it knows by name: the socket where claims come, that of `gossamer stop`, the lock of the run
directory, and the pipe whose end tells workers that nobody takes over."""

TICK_SECONDS: Final = 0.1
CLAIM_SECONDS: Final = 5.0
KILL_GRACE_US: Final = 3_000_000


class Keeper:
    """Runs until the server has ended."""

    def __init__(self, link: socket.socket, signals: SignalSocket, own: ProcessIdentity) -> None:
        self._own = own
        self._signals = signals
        self._selector = selectors.DefaultSelector()
        self._held: dict[str, int] = {}
        self._note: ServerNote | None = None
        self._link: socket.socket | None = None
        self._claims: socket.socket | None = None
        self._control: ControlServer | None = None
        self._silent_until_us = 0
        self._is_ending = False
        self._kill_at_us: int | None = None
        self._is_over = False
        self._selector.register(signals, selectors.EVENT_READ, self._signalled)
        self._join(link)

    def run(self) -> None:
        """Serve until it is over."""
        while not self._is_over:
            for key, _ in self._selector.select(TICK_SECONDS if self._is_orphaned else None):
                key.data()
            if self._is_orphaned and not self._is_over:
                self._look(monotonic_us())

    @property
    def _is_orphaned(self) -> bool:
        return self._link is None

    # Supervised.

    def _join(self, link: socket.socket) -> None:
        link.setblocking(False)
        self._link = link
        self._silent_until_us = 0
        self._selector.register(link, selectors.EVENT_READ, self._hear)

    def _hear(self) -> bool:
        """Take the next that the supervisor says; whether there was anything."""
        assert self._link is not None
        try:
            heard = hear(self._link)
        except BlockingIOError:
            return False
        except UnheardError as error:
            log.warning("what the supervisor says is of another version: %s", error)
            return True
        except OSError:
            heard = None
        if heard is None:
            self._lose()
        else:
            self._take(*heard)
        return True

    def _take(self, said: Said, fd: int | None) -> None:
        match said:
            case Keep(name) if fd is not None:
                self._forget(name)
                self._held[name] = fd
                if name == CLAIMS:
                    self._listen(fd)
            case Forget(name):
                self._forget(name)
            case ServerNote():
                self._note = said
            case Await(wait_us):
                self._silent_until_us = monotonic_us() + wait_us
            case ServerEnding():
                self._begin_end()
            case Farewell():
                self._is_over = True

    def _forget(self, name: str) -> None:
        if name in self._held:
            os.close(self._held.pop(name))

    def _begin_end(self) -> None:
        """Keep no more than what the end itself needs."""
        self._is_ending = True
        for name in self._held.keys() - {CLAIMS, CONTROL, LOCK}:
            self._forget(name)

    def _lose(self) -> None:
        assert self._link is not None
        self._selector.unregister(self._link)
        self._link.close()
        self._link = None
        if self._is_ending:
            self._patience_from_now()

    # Orphaned.

    def _look(self, now_us: int) -> None:
        living = [worker for worker in self._workers() if is_alive(worker)]
        if not living:
            self._finish()
        elif self._kill_at_us is not None and now_us >= self._kill_at_us:
            self._kill(living)
        elif self._control is None and now_us >= self._silent_until_us and CONTROL in self._held:
            self._answer_for_it()

    def _answer_for_it(self) -> None:
        """Say that the supervisor is gone, and be asked in its place."""
        listening = socket.socket(fileno=os.dup(self._held[CONTROL]))
        self._control = ControlServer(listening, self._selector, self._answer)
        if not self._is_ending:
            pids = ", ".join(str(worker.pid) for worker in self._workers())
            told = about("supervisor_died", workers=pids, why="it was killed, or ended of its own fault")
            log.error("the supervisor is gone; its workers (%s) go on", pids, extra=told)

    def _workers(self) -> list[ProcessIdentity]:
        return [ProcessIdentity(*named) for named in self._note.workers] if self._note else []

    def _kill(self, workers: list[ProcessIdentity]) -> None:
        for worker in workers:
            log.error("worker (pid %d): did not end in time: killed", worker.pid)
            send_signal(worker, signal.SIGKILL)

    def _answer(self, request: ControlRequest) -> ControlAnswer:
        if request.command == "stop":
            self._stop("gossamer stop")
            return ControlAnswer(True, "stopping")
        assert self._note is not None
        pids = ", ".join(str(pid) for pid, _ in self._note.workers)
        run_dir = os.fsdecode(self._note.run_dir)
        raise CommandError(
            f"{request.command}: the supervisor is gone, and its workers ({pids}) go on without one; "
            f"gossamer serve with --run-dir {run_dir} takes them over, gossamer stop ends them"
        )

    def _stop(self, why: str, *, at_once: bool = False) -> None:
        log.info("stopping: asked by %s", why, extra=about("server_stopping", why=why))
        self._begin_end()
        self._patience_from_now(at_once=at_once)

    def _patience_from_now(self, *, at_once: bool = False) -> None:
        graceful_us = self._note.graceful_us + KILL_GRACE_US if self._note else 0
        self._kill_at_us = monotonic_us() + (0 if at_once else graceful_us)

    def _signalled(self) -> None:
        for number in self._signals.read():
            if self._is_orphaned and (number in STOPPING or number == signal.SIGINT):
                self._stop(signal_name(number), at_once=number == signal.SIGINT)

    # Claims.

    def _listen(self, fd: int) -> None:
        if self._claims is not None:
            self._selector.unregister(self._claims)
            self._claims.close()
        self._claims = socket.socket(fileno=os.dup(fd))
        self._selector.register(self._claims, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        assert self._claims is not None
        try:
            client, _ = self._claims.accept()
        except OSError:
            return  # it went away again
        client.settimeout(CLAIM_SECONDS)
        try:
            if self._hear_claim(client):
                self._adopted(client)
                return
        except (OSError, UnheardError) as error:
            log.warning("whoever claims what is held has left: %s", error)
        client.close()

    def _hear_claim(self, client: socket.socket) -> bool:
        """Give what is asked for; whether who asks is the supervisor now. Raises: OSError, UnheardError."""
        while self._link is not None and self._hear():
            pass  # A supervisor that has become another program is gone, and its last words come first.
        heard = hear(client)
        if heard is None or not isinstance(heard[0], Claim):
            return False
        is_adoption = heard[0].is_adoption
        if self._note is None or self._is_ending or (is_adoption and not self._is_orphaned):
            say(client, Refuse("the server ends" if self._is_ending else "a supervisor runs"))
            return False
        for name, fd in self._held.items():
            say(client, Keep(name), fd)
        say(client, self._note)
        say(client, Complete())
        return is_adoption

    def _adopted(self, client: socket.socket) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        self._join(client)

    # The end.

    def _finish(self) -> None:
        self._is_over = True
        if self._control is not None:
            self._control.close()
        if not self._is_ending and any(self._workers()):  # Else it never served, and who began it says why.
            log.error("the last worker has ended, and no supervisor is there: the server ends")
        with contextlib.suppress(CommandError):
            self._give_back()

    def _give_back(self) -> None:
        """Remove rules and run directory. Raises: CommandError."""
        note, lock = self._note, self._held.get(LOCK)
        try:
            if note.has_rules if note is not None else not missing_rights(FIREWALL_RIGHTS):
                firewall.remove_rules_of(self._own)
        except firewall.FirewallError as error:
            log.error("the firewall's rules stay: %s; gossamer firewall down --dead removes them", error)
        if note is not None and lock is not None:
            RunDirectory.held(Path(os.fsdecode(note.run_dir)), lock).release()
