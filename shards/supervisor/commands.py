"""What the supervisor does when it is asked over the control socket.

Owns which command asks which room.
"""

import logging
from collections.abc import Callable

import msgspec

from gossamer.shards.exitcode import CommandError
from gossamer.shards.log.logs import about
from gossamer.shards.rundir.control import ControlAnswer, ControlRequest
from gossamer.shards.seen.connectiontable import ConnectionsWanted
from gossamer.shards.seen.status import ServerStatus
from gossamer.shards.seen.tapping import require_message_socket, rows_name, tap_name, trace_name
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.replacing import Replacing
from gossamer.shards.supervisor.scaling import Scaling
from gossamer.shards.supervisor.startup import ServerRun
from gossamer.shards.supervisor.upgrading import Upgrading

log = logging.getLogger("gossamer.supervisor")


class Commands:
    """The commands of a running server. Each raises CommandError, which is its answer then."""

    def __init__(
        self,
        run: ServerRun,
        children: Children,
        scaling: Scaling,
        replacing: Replacing,
        upgrading: Upgrading,
        status: Callable[[], ServerStatus],
        stop: Callable[[str], None],
    ) -> None:
        self._run = run
        self._children = children
        self._scaling = scaling
        self._replacing = replacing
        self._upgrading = upgrading
        self._status = status
        self._stop = stop

    def answer(self, request: ControlRequest) -> ControlAnswer:
        """Do what is asked."""
        match request.command:
            case "status":
                return ControlAnswer(True, "", msgspec.to_builtins(self._status()))
            case "stop":
                self._stop("gossamer stop")
                return ControlAnswer(True, "stopping")
            case "reload":
                return ControlAnswer(True, "reloading", self._replacing.reload("gossamer reload"))
            case "restart":
                self._replacing.restart(request.worker, "gossamer worker restart")
                return ControlAnswer(True, "restarting")
            case "upgrade":
                self._upgrading.begin("gossamer upgrade")
                return ControlAnswer(True, "upgrading")
            case "add" | "remove":
                scaling = self._scaling
                wanted = scaling.wanted + (1 if request.command == "add" else -1)
                scaling.change(wanted, f"gossamer worker {request.command}")
                return ControlAnswer(True, f"{scaling.wanted} workers")
            case "firewall":
                return ControlAnswer(True, "restoring", list(self._restore_rules()))
            case "capture" | "connections" | "trace":
                raise CommandError(f"{request.command}: the request came without a socket for the answer")

    def answer_with(self, request: ControlRequest, fd: int) -> ControlAnswer:
        """Do what is asked with a descriptor: have workers tell of their packets or connections over a
        socket, whose other end asked.
        """
        command = request.command
        if command not in ("capture", "connections", "trace"):
            return self.answer(request)
        if command != "connections" and self._run.plan.stack != "nfqueue":
            raise CommandError(f"{command}: {self._run.url} runs on kernel sockets, which tcpdump can see")
        slots = [slot for slot in self._children.slots if request.worker in (None, slot.shard)]
        try:
            require_message_socket(fd)
            names = {slot.shard: name_of(request, slot.shard) for slot in slots}
        except (OSError, ValueError) as error:
            raise CommandError(f"{command}: {error}") from error
        processes = [process for slot in slots for process in slot.processes()]
        if command == "capture":  # What could not move is with those that have retired.
            processes = [slot.current for slot in slots if slot.current is not None]
        told = [process.shard for process in processes if process.tap(names[process.shard], fd)]
        if not told:
            raise CommandError(f"{command}: no worker of that number serves at this moment")
        if command == "capture":
            named, whose = ", ".join(map(str, told)), request.peer or "all peers"
            about_it = about("capture_started", workers=named, why="gossamer capture", peer=request.peer)
            log.info(
                "packets of %s are captured in workers %s; asked by gossamer capture",
                *(whose, named),
                extra=about_it,
            )
        return ControlAnswer(True, "told so", told)

    def _restore_rules(self) -> tuple[str, ...]:
        if self._run.rules.guard is None:
            raise CommandError(f"firewall up: {self._run.url} runs on kernel sockets and needs no rules")
        self._run.rules.guard.restore_now()
        return self._run.rules.chains


def name_of(request: ControlRequest, worker: int) -> str:
    """Under which name a worker is handed the socket. Raises: ValueError for no address."""
    if request.command == "connections":
        wanted = ConnectionsWanted(request.order, request.rows_max, request.peer)
        return rows_name(worker, wanted)
    if request.command == "trace":
        return trace_name(worker, request.peer, request.port)
    return tap_name(worker, request.peer)
