"""What the supervisor does when it is asked over the control socket.

Owns which command asks which room.
"""

import logging
from collections.abc import Callable

import msgspec

from gossamer.shards.control import ControlAnswer, ControlRequest
from gossamer.shards.exitcode import CommandError
from gossamer.shards.logs import about
from gossamer.shards.startup import ServerRun
from gossamer.shards.status import ServerStatus
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.replacing import Replacing
from gossamer.shards.supervisor.scaling import Scaling
from gossamer.shards.supervisor.upgrading import Upgrading
from gossamer.shards.tapping import require_message_socket, tap_name

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
                self._replacing.restart(request.worker)
                return ControlAnswer(True, "restarting")
            case "upgrade":
                self._upgrading.begin("gossamer upgrade")
                return ControlAnswer(True, "upgrading")
            case "add" | "remove":
                scaling = self._scaling
                scaling.change(scaling.wanted + (1 if request.command == "add" else -1))
                return ControlAnswer(True, f"{scaling.wanted} workers")
            case "firewall":
                return ControlAnswer(True, "restoring", list(self._restore_rules()))
            case "capture":
                raise CommandError("capture: the request came without a socket for the packets")

    def answer_with(self, request: ControlRequest, fd: int) -> ControlAnswer:
        """Do what is asked with a descriptor: have workers tell of their packets over a socket, whose other
        end asked.
        """
        if request.command != "capture":
            return self.answer(request)
        if self._run.plan.stack != "nfqueue":
            raise CommandError(f"capture: {self._run.url} runs on kernel sockets, which tcpdump can see")
        slots = [slot for slot in self._children.slots if request.worker in (None, slot.shard)]
        try:
            require_message_socket(fd)
            names = {slot.shard: tap_name(slot.shard, request.peer) for slot in slots}
        except (OSError, ValueError) as error:
            raise CommandError(f"capture: {error}") from error
        told = [s.shard for s in slots if s.current is not None and s.current.tap(names[s.shard], fd)]
        if not told:
            raise CommandError("capture: no worker of that number serves at this moment")
        log.info("packets of workers %s are captured", told, extra=about("capture_started", why="asked to"))
        return ControlAnswer(True, "capturing", told)

    def _restore_rules(self) -> tuple[str, ...]:
        if self._run.guard is None:
            raise CommandError(f"firewall up: {self._run.url} runs on kernel sockets and needs no rules")
        self._run.guard.restore_now()
        return self._run.chains
