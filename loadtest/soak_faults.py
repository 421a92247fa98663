"""What `make soak` does to a running server, a method each.

Owns the faults: how each is done, and that it was. What requests meet meanwhile is `soak`'s.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, Segment
from gossamer.ffi.nfqueue_netlink import QUEUES_IN_USE
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, Namespace
from gossamer.loadtest.servers import Gossamer, ServerError, gossamer_command
from gossamer.loadtest.wallclock import WallClock

REFUSAL_S: Final = 30.0
"""How long a server may take that must not start."""
LOOK_S: Final = 0.1
PAUSED_S: Final = 4.0
"""Twice as long as a heart may take to beat."""
REQUEST_S: Final = 1.0
PORT: Final = 8080
IDLE: Final = 700
"""Connections at once, with which descriptors run out on kernel sockets."""
LOG_BYTES: Final = 64 * 1024
AWAY_S: Final = 1.0
"""So long the address of the server is gone, or elsewhere."""
JUMP_S: Final = 400 * 86_400
"""More than a year."""
NOTICED_S: Final = 5.0
"""When at the latest answers have the date that the clock was set to, and hearts have beaten since."""
OVERRUN: Final = 20_000
"""Packets of one flow, each of a whole MTU: more than the room of the socket of its queue."""
OVERRUN_BYTES: Final = 1_400
OF_SOCKET: Final = 6
"""The column of QUEUES_IN_USE with what was dropped for want of room in the socket."""


class Soaked:
    """A server, its clients, and what can be done to it. Each fault returns when it is done, not when it is
    over."""

    def __init__(
        self,
        client: Namespace,
        host: Namespace,
        server: Gossamer,
        log: Path,
        stack: str,
        clock: WallClock | None,
    ) -> None:
        self.client = client
        self.host = host
        self.server = server
        self.log = log
        self.clock = clock
        self.faults: dict[str, Callable[[], None]] = {
            "a worker is killed (SIGKILL)": self.kill,
            "a worker is stopped (SIGSTOP)": self.stop,
            "the link is down for 2 s": self.cut_link,
            "the disk of the access log is full": self.fill_disk,
            f"{IDLE} connections at once": self.exhaust,
            "a second server on the same port": self.start_second,
            "a reload": self.reload,
            f"the address is gone for {AWAY_S:g} s": self.take_address,
            "the address moves to another device, and back": self.move_address,
            f"everything stands still for {PAUSED_S:g} s": self.pause,
        }
        if stack == "nfqueue":
            self.faults["somebody removes all rules"] = self.remove_rules
            self.faults["a queue's socket is overrun"] = self.overrun
        if clock is not None:
            self.faults["the wall clock jumps, and back"] = self.jump

    def kill(self) -> None:
        """One worker."""
        os.kill(self.server.pids()[0], signal.SIGKILL)

    def stop(self) -> None:
        """One worker, which the supervisor kills for it."""
        os.kill(self.server.pids()[0], signal.SIGSTOP)

    def pause(self) -> None:
        """All processes of the server, as when its machine is suspended: for them the clock jumps ahead."""
        pids = self.host.pids()
        for number, wait_s in ((signal.SIGSTOP, PAUSED_S), (signal.SIGCONT, 0.0)):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(wait_s)

    def cut_link(self) -> None:
        """Down, and up again."""
        self.host.run(["ip", "link", "set", "eth0", "down"])
        time.sleep(2)
        self.host.run(["ip", "link", "set", "eth0", "up"])

    def fill_disk(self) -> None:
        """Until nothing is left, for a second."""
        filler = self.log.parent / "filler"
        with contextlib.suppress(OSError):
            filler.write_bytes(bytes(2 * LOG_BYTES))
        time.sleep(1)
        filler.unlink()
        os.truncate(self.log, 0)

    def exhaust(self) -> None:
        """More connections than there are descriptors, for a second."""
        with self.client.entered(), contextlib.ExitStack() as held:
            for _ in range(IDLE):
                with contextlib.suppress(OSError):
                    held.enter_context(socket.create_connection((RIGHT_V4, PORT), REQUEST_S))
            time.sleep(1)

    def start_second(self) -> None:
        """It must be refused. Raises: ServerError."""
        argv = [*gossamer_command(), "serve", str(self.log.parent), "--host", "0.0.0.0", "--port", str(PORT)]
        argv += ["--run-dir", str(self.server.run_dir) + "-second"]
        done = subprocess.run(self.host.command(argv), capture_output=True, timeout=REFUSAL_S, check=False)
        if done.returncode != 3:
            raise ServerError(f"a second server ended with {done.returncode}: {done.stderr.decode()}")

    def reload(self) -> None:
        """All workers are replaced."""
        self.server.control("reload")

    def remove_rules(self) -> None:
        """As whoever sets a firewall up anew does."""
        self.host.run(["iptables", "-w", "-t", "security", "-F"])

    @contextlib.contextmanager
    def outlived(self) -> Iterator[None]:
        """What is done in the block ends no worker. Raises: ServerError when it does."""
        pids = self.server.pids()
        yield
        if [worker["pid"] for worker in self.server.settled_status()["workers"]] != pids:
            raise ServerError("a worker has ended of it")

    def take_address(self) -> None:
        """Away, and back."""
        with self.outlived():
            self.host.ip(f"addr del {RIGHT_V4}/24 dev eth0")
            time.sleep(AWAY_S)
            self.host.ip(f"addr add {RIGHT_V4}/24 dev eth0")

    def move_address(self) -> None:
        """For a while it is that of a device which leads nowhere."""
        subnet = f"{RIGHT_V4.rpartition('.')[0]}.0/24"
        with self.outlived():
            self.host.ip(
                "link add eth1 type veth peer name eth2",
                "link set eth1 up",
                f"addr del {RIGHT_V4}/24 dev eth0",
                f"addr add {RIGHT_V4}/32 dev eth1",
                f"route add {subnet} dev eth0 src {RIGHT_V4}",
            )
            time.sleep(AWAY_S)
            self.host.ip("link del eth1", f"addr add {RIGHT_V4}/24 dev eth0")

    def overrun(self) -> None:
        """More than the socket of a queue holds, while no worker reads. Raises: ServerError when it held
        all."""
        pids, before = self.server.pids(), self.overrun_total()
        with self.outlived():
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                with self.client.entered():
                    send_strays(OVERRUN)
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
        if self.overrun_total() == before:
            raise ServerError(f"{OVERRUN} packets did not overrun the socket of a queue")

    def overrun_total(self) -> int:
        """Packets that did not fit into the sockets of queues."""
        lines = self.host.run(["cat", QUEUES_IN_USE]).splitlines()
        return sum(int(line.split()[OF_SOCKET]) for line in lines)

    def jump(self) -> None:
        """Of the server alone: to another year, and back."""
        with self.outlived():
            self.set_clock(JUMP_S)
            self.set_clock(0)

    def set_clock(self, ahead_s: int) -> None:
        """Raises: ServerError when no answer shows it, or hearts stand still."""
        assert self.clock is not None
        self.clock.set_ahead(ahead_s)
        self.wait_until(lambda: self.has_date(ahead_s), "no answer shows where the clock was set")
        told = self.requests_told()
        self.wait_until(lambda: self.requests_told() > told, "since the clock was set no heart beats")

    @staticmethod
    def wait_until(condition: Callable[[], bool], trouble: str) -> None:
        """Raises: ServerError when it does not come true in time."""
        give_up = time.monotonic() + NOTICED_S
        while not condition():
            if time.monotonic() > give_up:
                raise ServerError(trouble)
            time.sleep(LOOK_S)

    def requests_told(self) -> int:
        """Requests that workers have told of, which they do at each beat of their hearts."""
        return sum(int(worker["requests_total"]) for worker in self.server.status()["workers"])

    def has_date(self, ahead_s: int) -> bool:
        """Whether an answer is dated as with a clock so far ahead."""
        return abs(self.date() - time.time() - ahead_s) < NOTICED_S

    def date(self) -> float:
        """That of an answer, in seconds since 1970; 0 when there is none."""
        with (
            self.client.entered(),
            contextlib.closing(new_connection()) as connection,
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/")
            return parsedate_to_datetime(connection.getresponse().headers["Date"]).timestamp()
        return 0.0

    def held(self) -> dict[str, int]:
        """What must not grow."""
        rules = self.host.run(["iptables-save"]).count("-A GSMR")
        descriptors = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        return {"descriptors": descriptors, "processes": len(self.host.pids()), "rules": rules}


def new_connection() -> http.client.HTTPConnection:
    """For one request."""
    return http.client.HTTPConnection(RIGHT_V4, PORT, timeout=REQUEST_S)


def send_strays(count: int) -> None:
    """Packets of no connection, all of one flow."""
    raw_ipv4, raw_ipv6 = open_raw_sockets()
    if raw_ipv6 is not None:
        raw_ipv6.close()
    flow = pack_flow((LEFT_V4, PORT), (RIGHT_V4, PORT))
    with raw_ipv4, contextlib.closing(RawSink(raw_ipv4.fileno())) as sink:
        for _ in range(count):
            sink.emit(flow, Segment(1, 1, ACK, 1_000, payload=bytes(OVERRUN_BYTES)))
            sink.flush()
