"""Opens what workers inherit: listening sockets, queues, raw sockets, the document root.

Owns these descriptors for the life of the server, so that a connection in a backlog, or a packet in a queue,
outlives a worker. Decides nothing: what to open stands in the plan.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Mapping
from itertools import islice

from gossamer.core.clock import SECOND_US
from gossamer.ffi import nfqueue_netlink, sendsocket
from gossamer.ffi.frames import open_frame_socket
from gossamer.ffi.silence import drop_all_received
from gossamer.ffi.socketbuffers import receive_buffer_bytes
from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import CannotStartError, QueueTakenError, StackUnavailableError
from gossamer.shards.keeper.succession import (
    FRAMES,
    HANDSHAKES,
    LISTENING,
    QUEUE,
    RAW_IPV4,
    RAW_IPV6,
    RESERVED,
    named,
)
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR, Descriptors
from gossamer.shards.opening.frames import legacy_in_the_way
from gossamer.shards.opening.given import address_in, open_given, remove_unix
from gossamer.shards.opening.refusing import leave_to_others, name_all, refuse_new
from gossamer.shards.plan.plan import RunPlan

IN_USE_HINT = "another program has it; name another one with --port, or 0 for any"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind(host: str, port: int, *, share: bool) -> socket.socket:
    """A bound TCP socket. Raises: CannotStartError."""
    try:
        bound = socket.socket(_family(host), socket.SOCK_STREAM)
    except OSError as error:
        hint = "; this kernel has no IPv6: name an IPv4 address" if error.errno == errno.EAFNOSUPPORT else ""
        raise CannotStartError(f"server.host: no socket for {host}: {error.strerror}{hint}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        hint = {errno.EADDRINUSE: IN_USE_HINT, errno.EACCES: "a port below 1024 needs root"}.get(
            error.errno or 0, ""
        )
        reason = f"{error.strerror}{'; ' + hint if hint else ''}"
        raise CannotStartError(f"server.port: cannot bind {host} port {port}: {reason}") from error
    return bound


def _silence(reserved: socket.socket) -> None:
    try:
        drop_all_received(reserved)
    except OSError as error:
        reserved.close()
        raise StackUnavailableError(f"no socket filter: {error.strerror}") from error


def reserve_port(host: str, port: int, *, silently: bool) -> socket.socket:
    """A socket that listens on the port, so that nobody else can; `silently` it hears nothing, and the
    kernel's TCP answers nobody there.

    Raises: CannotStartError, also where anybody else listens; StackUnavailableError where the kernel has no
    socket filters.
    """
    reserved = _bind(host, port, share=False)
    if silently:
        _silence(reserved)
    try:
        # SO_REUSEADDR lets two bind as long as none listens.
        reserved.listen(1)
    except OSError as error:
        reserved.close()
        hint = f"; {IN_USE_HINT}" if error.errno == errno.EADDRINUSE else ""
        raise CannotStartError(f"server.port: {host} port {port}: {error.strerror}{hint}") from error
    return reserved


class Opened(contextlib.ExitStack):
    """The open descriptors of a server; closing it closes them all."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.host = host
        self.port = port
        self._listening: dict[int, socket.socket] = {}
        self.queues: dict[int, tuple[int, ...]] = {}
        """The descriptors of each, by its number: its own, and that of its SYNs where they have one. None
        where workers open their own."""
        self._is_given = False
        """Whether it is no port of ours that is listened on (`shards.opening.given`)."""
        self._path = ""
        """Of the Unix socket that is ours."""
        self._reserved = NO_DESCRIPTOR
        self._raw: tuple[int, int] = (NO_DESCRIPTOR, NO_DESCRIPTOR)
        self._frames = NO_DESCRIPTOR
        self.why_packets: str | None = None
        """What spoke against frames when this was opened; None when nothing did."""
        self.queue_buffer_bytes = nfqueue_netlink.RECEIVE_BUFFER_BYTES
        """Room of the sockets of queues: less than wanted where the kernel allows no more."""

    def named(self) -> dict[str, int]:
        """All of them, by the names that they have in `shards.keeper.succession`."""
        single = {
            RESERVED: self._reserved,
            RAW_IPV4: self._raw[0],
            RAW_IPV6: self._raw[1],
            FRAMES: self._frames,
        }
        return {
            **{name: fd for name, fd in single.items() if fd != NO_DESCRIPTOR},
            **{named(QUEUE, number): fds[0] for number, fds in self.queues.items()},
            **{named(HANDSHAKES, number): fds[1] for number, fds in self.queues.items() if fds[1:]},
            **{named(LISTENING, shard): sock.fileno() for shard, sock in self._listening.items()},
        }

    def take(self, descriptors: Mapping[str, int]) -> None:
        """Have those of them that another supervisor has opened."""
        for name, fd in descriptors.items():
            kind, _, number = name.rpartition(" ")
            if kind == LISTENING:
                self._listening[int(number)] = self.enter_context(socket.socket(fileno=fd))
            elif kind == QUEUE:
                own = descriptors.get(named(HANDSHAKES, int(number)))
                self.queues[int(number)] = (fd,) if own is None else (fd, own)
                self._held(fd)
            elif kind == HANDSHAKES or name in (RESERVED, RAW_IPV4, RAW_IPV6, FRAMES):
                self._held(fd)
        given = descriptors.get
        self._reserved = given(RESERVED, NO_DESCRIPTOR)
        self._raw = (given(RAW_IPV4, NO_DESCRIPTOR), given(RAW_IPV6, NO_DESCRIPTOR))
        self._frames = given(FRAMES, NO_DESCRIPTOR)

    def _held(self, fd: int) -> int:
        self.callback(os.close, fd)
        return fd

    def open_port(self, config: Config, stack: str, workers: int) -> None:
        """Listen once for each worker, or reserve the port. Raises: CannotStartError."""
        if config.server.is_given:
            given = self.enter_context(open_given(config))
            self.host, self.port = address_in(given)
            self.know_given(config)
            for shard in range(workers):
                self._listening[shard] = self.enter_context(given.dup())
            return
        if stack == "nfqueue":
            reserved = self.enter_context(reserve_port(self.host, self.port, silently=True))
            self.port = reserved.getsockname()[1]
            self._reserved = reserved.fileno()
            return
        probe = self.enter_context(reserve_port(self.host, self.port, silently=False))
        self.port = probe.getsockname()[1]
        probe.close()
        for shard in range(workers):
            self.add_listening(config, shard)

    def know_given(self, config: Config) -> None:
        """What is listened on is such a socket, where the configuration says so."""
        self._is_given = config.server.is_given
        if config.server.uds:
            self._path = os.path.abspath(config.server.uds)
            self.callback(self._remove_path)

    def add_listening(self, config: Config, shard: int, *, now: bool = True) -> None:
        """Listen for a worker that is to come; or, not `now`, have the port so that it can, once it serves.

        Where others serve already, what came to it before would wait until it is there. Raises:
        CannotStartError.
        """
        if config.server.is_given:
            self._listening[shard] = self.enter_context(next(iter(self._listening.values())).dup())
            return
        for other in islice(self._listening.values(), 1):
            with contextlib.suppress(OSError):  # There is no filter, or an old kernel, which keeps it.
                name_all(other)
        listening = self.enter_context(_bind(self.host, self.port, share=True))
        if config.tcp.defer_accept_us:
            seconds = -(-config.tcp.defer_accept_us // SECOND_US)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)
        if now:
            listening.listen(config.server.backlog)
        listening.setblocking(False)
        self._listening[shard] = listening

    def remove_listening(self, shard: int) -> None:
        """Close what a worker listened on that is gone."""
        if shard in self._listening:
            # What names the others stays: the keeper still listens on this one for a moment.
            self._listening.pop(shard).close()

    def open_packets(self, config: Config, plan: RunPlan) -> None:
        """Open queues and raw sockets. Raises: StackUnavailableError."""
        try:
            raw_ipv4, raw_ipv6 = sendsocket.open_raw_sockets()
        except OSError as error:
            raise StackUnavailableError(f"no raw socket: {error.strerror}") from error
        self.enter_context(raw_ipv4)
        if raw_ipv6 is not None:
            self.enter_context(raw_ipv6)
        self._raw = (raw_ipv4.fileno(), raw_ipv6.fileno() if raw_ipv6 is not None else NO_DESCRIPTOR)
        self._frames = self._open_frames(config)
        if config.nfqueue.backend == "netlink":
            own = (shard.active_queue for shard in plan.shards if shard.active_queue is not None)
            lengths = config.nfqueue.queue_length_max, config.nfqueue.handshake_queue_length_max
            for queue in (*plan.queues, *own):
                pairs = zip(plan.with_handshakes(queue), lengths, strict=False)
                opened = (self.enter_context(open_queue(number, length)) for number, length in pairs)
                self.queues[queue] = tuple(self._with_room(each).fileno() for each in opened)

    def _with_room(self, queue: socket.socket) -> socket.socket:
        self.queue_buffer_bytes = min(self.queue_buffer_bytes, receive_buffer_bytes(queue))
        return queue

    def _open_frames(self, config: Config) -> int:
        """The socket that frames leave from, where they may. Raises: StackUnavailableError."""
        wanted = config.nfqueue.output
        self.why_packets = "as configured" if wanted == "raw" else None
        if wanted == "auto":
            self.why_packets = legacy_in_the_way()
        if self.why_packets is not None:
            return NO_DESCRIPTOR
        try:
            return self.enter_context(open_frame_socket()).fileno()
        except OSError as error:
            self.why_packets = f"no packet socket for frames: {error.strerror}"
            if wanted == "auto":
                return NO_DESCRIPTOR
            raise StackUnavailableError(self.why_packets) from error

    def refuse_new(self, shard: int | None = None) -> None:
        """Have every listening socket refuse what is new, or leave what is new for a shard to the others;
        what is in their queues can still be accepted.

        The shard is the last that has begun to listen: they come and go in the order of their numbers.
        """
        if self._is_given:
            if shard is None:
                self._remove_path()
            return
        if shard is not None:
            others = [self._listening[number] for number in sorted(self._listening) if number != shard]
            leave_to_others(self._listening[shard], others)
            return
        for listening in self._listening.values():
            refuse_new(listening)

    def _remove_path(self) -> None:
        """Once: another server may have the path afterwards."""
        path, self._path = self._path, ""
        if path:
            remove_unix(path)

    def descriptors(self, shard: int, liveness: int, queues: tuple[int, ...] = ()) -> Descriptors:
        """What the worker of that shard inherits, with these queues."""
        return Descriptors(
            liveness=liveness,
            listening=self._listening[shard].fileno() if self._listening else NO_DESCRIPTOR,
            queues=tuple(self.queues[number] for number in queues),
            raw_ipv4=self._raw[0],
            raw_ipv6=self._raw[1],
            frames=self._frames,
            reserved=self._reserved,
        )


def open_queue(number: int, length_max: int) -> socket.socket:
    """A bound queue. Raises: QueueTakenError, StackUnavailableError."""
    try:
        return nfqueue_netlink.open_queue(number, length_max)
    except OSError as error:
        what = f"nfqueue: cannot open queue {number}: {error.strerror}"
        hint = "another process may have it: set nfqueue.queue_first beyond it"
        if error.errno == errno.EBUSY:
            raise QueueTakenError(f"{what}; {hint}", number) from error
        raise StackUnavailableError(f"{what}; {hint}" if error.errno == errno.EPERM else what) from error
