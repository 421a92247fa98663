"""The door to the pure core: an observer sees all that becomes of every connection, and can make it again."""

import ast
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.loop.tcp.door import CookieReturns, Open, Record, SynArrives, begin
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Host, Network
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Close, Event, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.wire.flow import Flow, pack_flow

CLIENT, SERVER = ("10.0.0.1", 50_001), ("10.0.0.2", 80)
LOSSY = Faults(loss=0.05, duplicate=0.02, reorder=0.1, delay_us=3_000, jitter_us=1_000)
TEXT = bytes(range(256)) * 2_000

Passed = tuple[Record, Any, Record, Actions]


class Recorder:
    """An observer that keeps everything, by connection."""

    def __init__(self) -> None:
        self.passed: dict[Flow, list[Passed]] = {}

    def __call__(self, flow: Flow, before: Record, event: Any, after: Record, actions: Actions) -> None:
        self.passed.setdefault(flow, []).append((before, event, after, actions))


def watched(host: Host) -> Recorder:
    recorder = Recorder()
    host.loop.observe(recorder)
    return recorder


class Transfer:
    """A client sends TEXT, the server sends it back, both close; all of it recorded."""

    def __init__(self, faults: Faults, parameters: TcpParameters, seed: int = 7) -> None:
        self.network = Network(faults, seed)
        self.client = self.network.host(bytes((10, 0, 0, 1)), TcpParameters())
        self.server = self.network.host(bytes((10, 0, 0, 2)), parameters)
        self.acceptor = TcpAcceptor(self.server.loop, SERVER, parameters)
        self.here, self.there = watched(self.client), watched(self.server)

    def run(self) -> None:
        user = self.client.spawn(self._use())
        self.network.run(self.server.spawn(self._serve()), user)
        self.network.run(for_us=SECOND_US)
        assert user.inbox == TEXT

    async def _serve(self) -> None:
        stream = await self.acceptor.accept()
        while data := await stream.recv():
            await stream.send(data)
        await stream.close()

    async def _use(self) -> bytes:
        stream = await TcpConnect(CLIENT, SERVER, NEVER_US, TcpStream)
        await stream.send(TEXT)
        await stream.shutdown()
        pieces = []
        while data := await stream.recv(5_000):
            pieces.append(data)
        await stream.close()
        return b"".join(pieces)


def replayed(passed: list[Passed]) -> tuple[list[Record], list[Actions]]:
    """The events alone, through `step` from the first record on."""
    records: list[Record] = []
    actions: list[Actions] = []
    record: Record = None
    for _, event, _, _ in passed:
        record, asked = begin(None, event) if record is None else step(record, event)
        records.append(record)
        actions.append(asked)
    return records, actions


@pytest.mark.parametrize(
    ("faults", "parameters", "begins"),
    [
        (LOSSY, TcpParameters(), SynArrives),
        (Faults(delay_us=3_000), TcpParameters(syn_cookies="always"), CookieReturns),
    ],
    ids=["lossy", "cookies"],
)
def test_transfer__recorded__the_events_alone_give_the_same_records(
    faults: Faults, parameters: TcpParameters, begins: type
) -> None:
    transfer = Transfer(faults, parameters)
    transfer.run()
    for recorder, flow, beginning in (
        (transfer.here, pack_flow(CLIENT, SERVER), Open),
        (transfer.there, pack_flow(SERVER, CLIENT), begins),
    ):
        passed = recorder.passed[flow]
        assert type(passed[0][1]) is beginning
        assert replayed(passed) == ([after for _, _, after, _ in passed], [asked for *_, asked in passed])
        assert [before for before, *_ in passed] == [None, *(after for _, _, after, _ in passed[:-1])]


def test_observer__every_way_into_the_core__is_seen() -> None:
    seen = []
    for seed in range(4):  # In TIME-WAIT nothing comes but what was sent twice.
        transfer = Transfer(LOSSY, TcpParameters(), seed)
        transfer.run()
        for recorder in (transfer.here, transfer.there):
            seen += [one for each in recorder.passed.values() for one in each]
    kinds: set[type[Event] | type] = {type(event) for _, event, _, _ in seen}
    assert {Open, SynArrives, SegmentArrives, Send, Receive, Close, Timeout} <= kinds
    assert {type(before) for before, *_ in seen} == {type(None), Tcb, TimeWait}


ASKED = {"step", "segment_arrives", "send", "receive", "close", "abort", "expired", "arrives", "known"} | {
    "open_active",
    "opened",
    "half_open",
    "begin",
}
"""The functions of the pure core, and the door's own, that make a record out of another, or of none."""
FOLDER = Path(__file__).parents[4] / "core" / "loop" / "tcp"
ROOM = sorted(path for path in FOLDER.glob("*.py") if path.name != "door.py")


def direct_calls(tree: ast.AST) -> list[str]:
    """The transitions that a file calls by itself, as a function or as one of a module of `core.tcp`."""
    modules = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "gossamer.core.tcp"
        for alias in node.names
    }
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [func.id for func in calls if isinstance(func, ast.Name)]
    names += [
        func.attr
        for func in calls
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in modules
    ]
    return [name for name in names if name in ASKED]


STRAIGHT = {"packets.py": ["segment_arrives"], "sending.py": ["send"]}
"""What `Door` names: while nobody observes, called as they are. The tests above see them observed."""


@pytest.mark.parametrize("path", ROOM, ids=lambda path: path.name)
def test_room__nobody_but_the_door__asks_the_core(path: Path) -> None:
    assert direct_calls(ast.parse(path.read_text())) == STRAIGHT.get(path.name, [])


def test_direct_calls__of_each_form__are_seen() -> None:
    text = "from gossamer.core.tcp import listen\nstep(a, b)\nlisten.segment_arrives(a, b, c)\nself.step(d)"
    assert direct_calls(ast.parse(text)) == ["step", "segment_arrives"]


def test_observer__taken_away__sees_no_more() -> None:
    transfer = Transfer(Faults(delay_us=3_000), TcpParameters())
    transfer.server.loop.observe(None)
    transfer.run()
    assert not transfer.there.passed
    assert transfer.here.passed
