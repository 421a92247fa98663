"""What the admin address asks of the workers: tables of connections, and points of time-sequence graphs.

    question -> `tell`, as a command's -> messages over a socket, as they come -> an answer

Owns the sockets and what is kept of what came over them. It never waits, and believes no more of a worker
than that it is a worker: a message of another form, or one too many, ends what it was for. Bounds:
GATHERINGS_MAX tables at once, TRACES_MAX graphs, GATHER_US for an answer, QUIET_US for a graph that nobody
asks for any more.
"""

import contextlib
import selectors
import socket
from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.shards.exitcode import CommandError
from gossamer.shards.rundir.control import ControlAnswer, ControlRequest
from gossamer.shards.seen.connectiontable import (
    PAGE_BYTES_MAX,
    PAGE_ROWS,
    ConnectionPage,
    ConnectionsWanted,
    ConnectionTable,
    together,
)
from gossamer.shards.seen.tracepoints import RECORD_BYTES_MAX, KeptPoints, TracePage, TraceRecord

Tell = Callable[[ControlRequest, int], ControlAnswer]
"""Has workers tell over a socket. Raises: CommandError."""

GATHERINGS_MAX: Final = 4
GATHER_US: Final = 3_000_000
TRACES_MAX: Final = 4
QUIET_US: Final = 5_000_000
READS_IN_A_TURN: Final = 64


def _told(tell: Tell, request: ControlRequest) -> tuple[socket.socket, list[int]]:
    """Our end of what the workers tell over, and which workers those are. Raises: CommandError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.ExitStack() as undo, theirs:
        undo.callback(ours.close)
        ours.setblocking(False)
        workers = tell(request, theirs.fileno()).result
        undo.pop_all()
    return ours, workers


class Gathering:
    """One table on its way to one client."""

    def __init__(self, channel: socket.socket, workers: list[int], wanted: ConnectionsWanted) -> None:
        self.channel = channel
        self.deadline_us = monotonic_us() + GATHER_US
        self._wanted = wanted
        self._workers = workers
        self._pages: list[ConnectionPage] = []
        self._pages_max = len(workers) * (wanted.rows_max // PAGE_ROWS + 2)

    def read(self) -> bool:
        """Take what has come; whether that was all."""
        for _ in range(READS_IN_A_TURN):
            try:
                message = self.channel.recv(PAGE_BYTES_MAX)
                page = msgspec.msgpack.decode(message, type=ConnectionPage) if message else None
            except BlockingIOError:
                return False
            except (OSError, msgspec.DecodeError):
                return True
            if page is None or page.worker not in self._workers or len(page.rows) > PAGE_ROWS:
                return True
            self._pages.append(page)
            if len(self._pages) >= self._pages_max:
                return True
        return False

    def table(self) -> ConnectionTable:
        """What has come."""
        return together(self._pages, self._wanted, self._workers)


class Graph:
    """The points of one connection, as long as somebody asks for them."""

    def __init__(self, channel: socket.socket, request: ControlRequest) -> None:
        self.channel = channel
        self.request = request
        self.points = KeptPoints()
        self.asked_us = monotonic_us()
        self.is_over = False

    def read(self) -> bool:
        """Take what has come; whether no more will."""
        for _ in range(READS_IN_A_TURN):
            try:
                message = self.channel.recv(RECORD_BYTES_MAX)
                if not message:
                    return True
                self.points.add(msgspec.msgpack.decode(message, type=TraceRecord))
            except BlockingIOError:
                return False
            except (OSError, msgspec.DecodeError):
                return True
        return False

    def page(self, since: int) -> TracePage:
        """What is new."""
        request, points = self.request, self.points
        assert request.worker is not None
        return TracePage(
            request.worker,
            f"{request.peer} {request.port}",
            monotonic_us(),
            points.next,
            list(points.since(since)),
            points.lost_total,
            self.is_over,
        )


class Questions:
    """All that is asked at this moment."""

    def __init__(self, selector: selectors.BaseSelector, tell: Tell) -> None:
        self._selector = selector
        self._tell = tell
        self._gatherings: dict[Gathering, Callable[[ConnectionTable], None]] = {}
        self._graphs: dict[ControlRequest, Graph] = {}

    # Tables.

    def gather(self, request: ControlRequest, answer: Callable[[ConnectionTable], None]) -> None:
        """Ask for a table; `answer` is called once it is there. Raises: CommandError."""
        if len(self._gatherings) >= GATHERINGS_MAX:
            raise CommandError("connections: others are asking at this moment; ask again")
        wanted = ConnectionsWanted(request.order, request.rows_max, request.peer)
        gathering = Gathering(*_told(self._tell, request), wanted)
        self._gatherings[gathering] = answer
        self._selector.register(gathering.channel, selectors.EVENT_READ, lambda: self._read_table(gathering))

    def _read_table(self, gathering: Gathering) -> None:
        if gathering.read():
            self._finish(gathering)

    def _finish(self, gathering: Gathering) -> None:
        answer = self._gatherings.pop(gathering)
        self._selector.unregister(gathering.channel)
        gathering.channel.close()
        answer(gathering.table())

    # Graphs.

    def look(self, request: ControlRequest, since: int) -> TracePage:
        """What is new of a connection; the first look begins its graph. Raises: CommandError."""
        graph = self._graphs.get(request)
        if graph is None or graph.is_over:
            graph = self._begin(request)
        graph.asked_us = monotonic_us()
        return graph.page(since)

    def _begin(self, request: ControlRequest) -> Graph:
        if len(self._graphs) >= TRACES_MAX:
            self._end(min(self._graphs.values(), key=lambda graph: graph.asked_us))
        channel, _ = _told(self._tell, request)
        graph = self._graphs[request] = Graph(channel, request)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self._read_points(graph))
        return graph

    def _read_points(self, graph: Graph) -> None:
        if graph.read():
            graph.is_over = True
            self._selector.unregister(graph.channel)
            graph.channel.close()

    def _end(self, graph: Graph) -> None:
        del self._graphs[graph.request]
        if not graph.is_over:
            self._selector.unregister(graph.channel)
            graph.channel.close()

    def tick(self, now_us: int) -> None:
        """Answer with what there is where its time is over; forget graphs that nobody looks at."""
        for gathering in [each for each in self._gatherings if now_us > each.deadline_us]:
            self._finish(gathering)
        for graph in [each for each in self._graphs.values() if now_us - each.asked_us > QUIET_US]:
            self._end(graph)

    def close(self) -> None:
        """Ask no more."""
        for gathering in tuple(self._gatherings):
            self._gatherings[gathering] = lambda _table: None
            self._finish(gathering)
        for graph in tuple(self._graphs.values()):
            self._end(graph)
