"""Brings together what a server needs before its first worker: plan, descriptors, firewall, run directory.

Owns the order in which things are opened, and that all of them are closed again. When `stack` is "auto" and
something turns out to be unavailable, the server runs on kernel sockets and says why.
"""

import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core.errors import what_failed
from gossamer.core.tcp.isn import SECRET_BYTES
from gossamer.shards.admin.server import open_admin
from gossamer.shards.configuration.config import Config
from gossamer.shards.confinement.confinement import confine, worker_identity
from gossamer.shards.confinement.imports import warn_of_imports
from gossamer.shards.exitcode import CannotStartError, QueueTakenError, StackUnavailableError
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.installed import InstalledRules
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.keeper.deposit import Deposit
from gossamer.shards.keeper.forking import start_keeper
from gossamer.shards.keeper.keeper import CLAIMS, CONTROL, LIVENESS, LOCK
from gossamer.shards.keeper.succession import ADMIN, LIVENESS_READ, Estate
from gossamer.shards.letters.workerplan import Confinement, WorkerPlan
from gossamer.shards.machine.procfs import ProcessIdentity, own_identity
from gossamer.shards.opening.active_opens import allocation_lock
from gossamer.shards.opening.content import Content, Contents
from gossamer.shards.opening.given import UNIX
from gossamer.shards.opening.opening import Opened
from gossamer.shards.plan.machine_facts import (
    FIREWALL_RIGHTS,
    find_loopback_obstacle,
    missing_rights,
    read_facts,
    require_calls_of,
    resolve_host,
    warnings_of_rights,
)
from gossamer.shards.plan.plan import MachineFacts, RunPlan, plan_shards
from gossamer.shards.plan.steering import Steering, shared
from gossamer.shards.rundir.bootsecret import boot_secret
from gossamer.shards.rundir.control import open_control
from gossamer.shards.rundir.rundir import KEEPER, RunDirectory, RunState, default_run_dir

QUEUES_TRIED_MAX: Final = 1024
"""Numbers that may turn out to be taken, before a start gives up."""
ANY_ADDRESS = ("0.0.0.0", "::")


class RunSecrets(msgspec.Struct, frozen=True):
    """What is the same for all workers of a server, over restarts of any of them."""

    hmark: int
    """Of the hash that steers flows to queues."""
    fast_open: bytes
    boot: bytes = b""
    """Of the sequence numbers and timestamps of this boot (`shards.rundir.bootsecret`)."""


class ServerRun(contextlib.ExitStack):
    """A server's plan and resources; closing it gives back everything, rules included."""

    def __init__(self, config: Config, estate: Estate | None = None) -> None:
        """`estate` is what another supervisor has left, to be gone on with."""
        super().__init__()
        self.estate = estate
        self.contents = Contents(config)
        self.callback(self.contents.close)
        self.owner: ProcessIdentity = own_identity()
        self.deposit: Deposit | None = None
        """The keeper; None where none could be started, or it has ended."""
        self.warnings: list[str] = []
        self.confinement: Confinement
        self.rules = InstalledRules(self.warnings)
        """The firewall's; none on kernel sockets."""
        self.secrets = RunSecrets(secrets.randbits(32), secrets.token_bytes(SECRET_BYTES))
        self.plan: RunPlan
        self.owners: dict[int, int] = {}
        """Which shard is to have which queue of the served port."""
        self.givers: dict[int, int] = {}
        """Which shard was told to give it away, until the other one says that it reads it."""
        self._steering: Steering | None = None
        self.opened: Opened
        self.directory: RunDirectory
        self.admin: socket.socket | None = None
        """Listens at the admin address, if there is one."""
        self.control: socket.socket
        """Where commands come (`shards.rundir.control`)."""
        self._claims: socket.socket
        """Where the keeper hears who takes over."""
        self.liveness_read = -1
        self._liveness_write = -1
        self._liveness = contextlib.ExitStack()
        """Holds the end of the pipe that nobody writes to."""

    @property
    def url(self) -> str:
        """Where a browser finds the server."""
        if self.opened.host.startswith(UNIX):
            return self.opened.host
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.opened.host, self.opened.host)
        bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
        scheme = "https" if self.config.tls.is_on else "http"
        return f"{scheme}://{bracketed}:{self.opened.port}/"

    @property
    def config(self) -> Config:
        """What the workers to come run with."""
        return self.content.config

    @property
    def content(self) -> Content:
        """The folders and files that go with it."""
        return self.contents.present

    @property
    def moves(self) -> bool:
        """Whether queues can go from one worker to another."""
        return self.plan.stack == "nfqueue" and self.config.nfqueue.backend == "netlink"

    def served_queues_of(self, shard: int) -> tuple[int, ...]:
        """The queues of the served port that a shard has."""
        return tuple(queue for queue, owner in self.owners.items() if owner == shard)

    def queues_of(self, shard: int) -> tuple[int, ...]:
        """The queues of a shard, those of its own ports included."""
        served = self.served_queues_of(shard)
        own = self.plan.shard(shard).active_queue
        return served if own is None else (*served, own)

    def handshake_queues_of(self, shard: int) -> tuple[int, ...]:
        """Where the SYNs of those come to that have another place."""
        served = self.served_queues_of(shard)
        return tuple(number for queue in served for number in self.plan.with_handshakes(queue)[1:])

    def worker_plan(self, shard: int, *, is_successor: bool = False) -> WorkerPlan:
        """The letter to a worker of that shard. A successor has no queue before it takes one over."""
        queues = () if is_successor else self.queues_of(shard)
        opened = self.opened.descriptors(shard, self.liveness_read, queues if self.moves else ())
        descriptors = self.content.descriptors(opened)
        return WorkerPlan(
            config=self.config,
            stack=self.plan.stack,
            shard=self.plan.shard(shard),
            queues=queues,
            steering=self._steering,
            host=self.opened.host,
            port=self.opened.port,
            descriptors=descriptors,
            confinement=self.confinement,
            fast_open_secret=self.secrets.fast_open,
            boot_secret=self.secrets.boot,
            certificates=self.content.certificates,
            is_successor=is_successor,
        )

    def _open_stack(self, host: str, facts: MachineFacts) -> None:
        self.plan = plan_shards(self.config, facts)
        require_calls_of(self.plan.stack)
        with contextlib.ExitStack() as undo:
            opened = undo.enter_context(Opened(host, self.config.server.port))
            opened.open_port(self.config, self.plan.stack, len(self.plan.shards))
            if self.plan.stack == "nfqueue":
                opened.open_packets(self.config, self.plan)
                self.owners = shared(self.plan.queues, {}, range(len(self.plan.shards)))
                undo.callback(self._remove_rules)
                self._install_rules(opened)
                self._steering = Steering(self.plan.queues, self.secrets.hmark, opened.port)
            self.opened = opened
            self.push(undo.pop_all())

    @property
    def rules_owner(self) -> ProcessIdentity:
        """Whose the rules are: the process that lives as long as anybody serves."""
        return self.owner if self.deposit is None else self.deposit.keeper

    def _rule_targets(self, opened: Opened) -> list[QueueTarget]:
        plan = self.plan
        served = QueueTarget(opened.port, opened.port, plan.queues, opened.host, plan.handshake_queues)
        targets = [served]
        for shard in self.plan.shards:
            ports = shard.active_ports
            if ports is not None:
                targets.append(QueueTarget(ports.first, ports.last, self.queues_of(shard.id)[-1:]))
        return targets

    def _install_rules(self, opened: Opened) -> None:
        """Raises: FirewallError."""
        targets = self._rule_targets(opened)
        self.rules.install(self.rules_owner, targets, self.secrets.hmark)

    def _remove_rules(self) -> None:
        """Give them back. Raises: FirewallError."""
        self.rules.remove(self.rules_owner)

    def _open_stack_with_free_queues(self, host: str, facts: MachineFacts) -> None:
        """Try queue numbers: one may be taken after the list was read, or the list may be root's alone."""
        for _ in range(QUEUES_TRIED_MAX):
            try:
                self._open_stack(host, facts)
                break
            except QueueTakenError as error:
                facts = msgspec.structs.replace(facts, queues_taken=facts.queues_taken | {error.number})
        else:
            self._open_stack(host, facts)
        if self.plan.stack == "nfqueue":
            self.warnings += warnings_of_rights(facts, self.opened.queue_buffer_bytes)

    def _open_stack_or_fall_back(self, host: str) -> None:
        facts = read_facts(of_network=self.config.server.stack != "kernel")
        try:
            self._open_stack_with_free_queues(host, facts)
        except StackUnavailableError as error:
            if self.config.server.stack != "auto":
                raise
            self.rules, self.owners, self._steering = InstalledRules(self.warnings), {}, None
            self._open_stack(host, msgspec.structs.replace(facts, nfqueue_obstacle=str(error)))

    def _open_liveness(self) -> None:
        self._hold_liveness(*os.pipe2(os.O_CLOEXEC))

    def _hold_liveness(self, read: int, write: int) -> None:
        self.liveness_read, self._liveness_write = read, write
        self.callback(os.close, read)
        self._liveness.callback(os.close, write)
        self.push(self._liveness)

    def begin_end(self) -> None:
        """Refuse new connections, and let the workers know that nobody takes over from them."""
        self.opened.refuse_new()
        if self.deposit is not None:
            self.deposit.begin_end()
        self._liveness.close()

    def _open_directory(self) -> None:
        configured = self.config.server.run_dir
        name = self.opened.port or self.opened.host.replace("/", "-")
        self.directory = RunDirectory(Path(configured) if configured else default_run_dir(name))
        self.directory.acquire()
        self.callback(self.directory.release)
        self.control = self.enter_context(open_control(self.directory.control_path))
        self._claims = self.enter_context(open_control(self.directory.path / KEEPER))
        self._write_state()

    def _write_state(self) -> None:
        self.directory.write_state(
            RunState(
                pid=self.owner.pid,
                start_ticks=self.owner.start_ticks,
                host=self.opened.host,
                port=self.opened.port,
                stack=self.plan.stack,
                url=self.url,
                chains=self.rules.chains,
                keeper=self.deposit.keeper if self.deposit is not None else None,
            )
        )

    def _remove_dead_rules(self) -> None:
        try:
            removed = firewall.remove_dead_rules()
        except firewall.FirewallError as error:
            # On kernel sockets nothing of it is needed; on the functional TCP the same error comes again.
            self.warnings.append(str(error))
            return
        for chain in removed:
            self.warnings.append(f"removed {chain}, left behind by a process that was killed")

    def _require_loopback(self, host: str) -> None:
        """Whoever is to be reached from elsewhere too is only warned. Raises: CannotStartError."""
        if not (obstacle := find_loopback_obstacle(host)):
            return
        if host not in ANY_ADDRESS:
            raise CannotStartError(obstacle)
        self.warnings.append(obstacle)

    def _start_keeper(self) -> None:
        try:
            self.deposit = start_keeper(self.config.log)
        except OSError as error:
            self.warnings.append(
                f"no keeper: {what_failed(error)}: workers end with a supervisor that is killed, and "
                "there is no upgrade in place"
            )
            return
        self.callback(self._end_keeper)

    def _end_keeper(self) -> None:
        if self.deposit is not None:
            self.deposit.end()

    def lose_keeper(self) -> None:
        """It has ended: the rules are this process's from now on, or the next server would take them for
        those of a dead one. Raises: FirewallError.
        """
        assert self.deposit is not None
        lost, self.deposit = self.deposit, None
        lost.end()
        self._write_state()
        if self.rules.guard is not None:
            self.rules.guard.close()
            self._install_rules(self.opened)
            firewall.remove_rules_of(lost.keeper)
            self._write_state()

    def descriptors(self) -> dict[str, int]:
        """What the next supervisor must have, but for the workers' own, by the names in
        `shards.keeper.succession`."""
        return {
            LOCK: self.directory.lock_fd,
            LIVENESS: self._liveness_write,
            LIVENESS_READ: self.liveness_read,
            CONTROL: self.control.fileno(),
            CLAIMS: self._claims.fileno(),
            **self.opened.named(),
            **({ADMIN: self.admin.fileno()} if self.admin is not None else {}),
        }

    def take_over(self) -> None:
        """Go on with what another supervisor has left. Raises: CannotStartError; then it stays with the
        keeper.
        """
        assert self.estate is not None
        record, descriptors = self.estate.record, self.estate.descriptors
        self.deposit = self.estate.deposit
        self.plan, self.owners = record.plan, dict(record.owners)
        self.rules = InstalledRules(self.warnings, record.chains)
        self.secrets = RunSecrets(record.hmark_secret, record.fast_open_secret, record.boot_secret)
        self.confinement, warnings = confine(self.config, self.plan.stack)
        self.warnings += warnings
        self.opened = Opened(record.host, record.port)
        self.opened.take(descriptors)
        self.opened.know_given(self.config)
        self.opened.why_packets = record.why_packets
        if self.plan.stack == "nfqueue":
            self._steering = Steering(self.plan.queues, self.secrets.hmark, record.port)
        self.directory = RunDirectory.held(self.estate.directory, descriptors[LOCK])
        self.control = socket.socket(fileno=descriptors[CONTROL])
        self._claims = socket.socket(fileno=descriptors[CLAIMS])
        if ADMIN in descriptors:
            self.admin = socket.socket(fileno=descriptors[ADMIN])

    def own_all(self) -> None:
        """From now on all that was taken over is given back at the end, as if it had been opened here.

        Raises: FirewallError; then it stays with the keeper.
        """
        assert self.estate is not None
        if self.plan.stack == "nfqueue":
            targets = self._rule_targets(self.opened)
            self.rules.take(self.rules_owner, targets, self.secrets.hmark)
        self.callback(self._end_keeper)
        self.enter_context(self.opened)
        if self.plan.stack == "nfqueue":
            self.callback(self._remove_rules)
        descriptors = self.estate.descriptors
        self._hold_liveness(descriptors[LIVENESS_READ], descriptors[LIVENESS])
        self.callback(self.directory.release)
        for sock in (self.control, self._claims, *([self.admin] if self.admin is not None else [])):
            self.callback(sock.close)
        self._write_state()

    def open(self) -> None:
        """Open everything. Raises: ConfigError, CannotStartError."""
        worker_identity(self.config)
        self._start_keeper()
        host = resolve_host(self.config.server.host)
        if not self.config.server.is_given:
            self._require_loopback(host)
        if not missing_rights(FIREWALL_RIGHTS):
            with allocation_lock():
                self._remove_dead_rules()
                self._open_stack_or_fall_back(host)
        else:
            self._open_stack_or_fall_back(host)
        self.confinement, warnings = confine(self.config, self.plan.stack)
        self.warnings += warnings + warn_of_imports(self.config, self.confinement, self.plan.stack)
        if self.plan.stack == "nfqueue":
            self.secrets = msgspec.structs.replace(self.secrets, boot=boot_secret())
        self._open_liveness()
        self._open_directory()
        self.admin = open_admin(self.config.admin.address, self.directory.path)
        if self.admin is not None:
            self.callback(self.admin.close)
