"""The eleven defects of the seed, each with the test that would have found it, against the public interface.

Source: the Haskell package `tcp` 0.0.2, as other projects carried it on.
"""

from typing import Any

from gossamer.core.clock import SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Action, Failed, Failure
from gossamer.core.tcp.constants import REASSEMBLY_BLOCKS_MAX
from gossamer.core.tcp.events import SegmentArrives, Send, Timeout
from gossamer.core.tcp.isn import initial_numbers
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, RST, SYN, Segment

CLIENT, SERVER = ("10.0.0.1", 50_001), ("10.0.0.2", 80)


def segments(actions: tuple[Action, ...]) -> list[Segment]:
    return [action for action in actions if isinstance(action, Segment)]


def network() -> tuple[Network, Any, Any, TcpAcceptor]:
    made = Network(Faults(delay_us=1_000))
    client, server = made.host(bytes((10, 0, 0, 1))), made.host(bytes((10, 0, 0, 2)))
    return made, client, server, TcpAcceptor(server.loop, SERVER, TcpParameters())


async def connected() -> TcpStream:
    stream: TcpStream = await TcpConnect(CLIENT, SERVER, 100 * SECOND_US, TcpStream)
    return stream


def test_defect_01__syn_backoff__is_a_number_and_doubles() -> None:
    """Its table of waits was defined as itself, and evaluated for ever."""
    tcb, now_us, waits = states.syn_sent(), NOW_US, []
    for _ in range(7):
        waits.append((deadline_us(tcb) - now_us) // SECOND_US)
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
        if isinstance(after, Tcb):
            assert [s.flags for s in segments(actions)] == [SYN]
            tcb = after
    assert waits == [1, 2, 4, 8, 16, 32, 60]


def test_defect_02__connect__wakes_its_caller() -> None:
    """The handshake ended and the thread that had called connect slept on."""
    net, client, _, _ = network()
    thread = client.spawn(connected())
    net.run(thread, for_us=SECOND_US)
    assert thread.has_ended
    assert isinstance(thread.inbox, TcpStream)


def test_defect_03__close_wait__data_is_retransmitted() -> None:
    """A half-closed peer and one lost segment stalled for ever."""
    tcb = states.after(states.close_wait(), Send(b"still yours", NOW_US))
    after, actions = step(tcb, Timeout(deadline_us(tcb)))
    assert isinstance(after, Tcb)
    assert [(s.seq, s.payload) for s in segments(actions)] == [(tcb.snd_una, b"still yours")]
    assert deadline_us(after) > deadline_us(tcb)


def test_defect_04__persist__goes_on_past_the_thirteenth_probe() -> None:
    """Its backoff was an index into a table of 13."""
    tcb = states.after_segment(states.established(), from_peer(states.established(), window=0))
    tcb = states.after(tcb, Send(b"x" * 100, NOW_US))
    for _ in range(40):
        now_us = deadline_us(tcb)
        tcb = states.after(tcb, Timeout(now_us))
        tcb = states.after_segment(tcb, from_peer(tcb, ack=-1, window=0), now_us + 1)
    assert deadline_us(tcb) - now_us <= tcb.agreed.parameters.rto_max_us


def test_defect_05__keepalive__gives_up_on_a_dead_peer() -> None:
    """It probed for ever."""
    after: Any = states.established(TcpParameters(keepalive_idle_us=7_200 * SECOND_US))
    for _ in range(20):
        after, actions = step(after, Timeout(deadline_us(after)))
        if after is None:
            break
    assert after is None
    assert actions[-1] == Failed(Failure.TIMED_OUT)


def test_defect_06__rst__only_at_exactly_rcv_nxt() -> None:
    """Any RST, whatever its sequence number, killed a connection."""
    tcb = states.established()
    for offset in (-(1 << 30), -1, 1, 5_000, 1 << 25):
        after, _ = step(tcb, SegmentArrives(from_peer(tcb, RST, seq=offset), NOW_US))
        assert isinstance(after, Tcb), offset
    assert step(tcb, SegmentArrives(from_peer(tcb, RST), NOW_US))[0] is None


def test_defect_07__idle__cwnd_collapses() -> None:
    """The subtraction stood the wrong way round, so that no idle time was ever long enough."""
    tcb = states.established()
    large = replace(tcb.congestion, cwnd=1 << 20)
    tcb = replace(tcb, congestion=large, snd_wnd=1 << 20, max_snd_wnd=1 << 20)
    _, actions = step(tcb, Send(b"x" * 500_000, NOW_US + 60 * SECOND_US))
    assert sum(len(s.payload) for s in segments(actions)) <= 10 * 1460


def test_defect_08__reassembly__an_attacker_buys_no_quadratic_work() -> None:
    """It scanned a list for each segment, and the list had no bound."""
    tcb = states.established()
    for number in range(3 * REASSEMBLY_BLOCKS_MAX):
        tcb = states.after_segment(tcb, from_peer(tcb, ACK, b"x", seq=2 * number + 1))
    assert tcb.reassembly is not None
    assert len(tcb.reassembly.blocks) == REASSEMBLY_BLOCKS_MAX
    tcb = states.established()
    for number in range(20_000, 0, -1):
        tcb = states.after_segment(tcb, from_peer(tcb, ACK, b"x", seq=number))
    assert tcb.reassembly is not None
    (block,) = tcb.reassembly.blocks
    assert len(block.chunks) < 20, "one run of 20,000 octets in few pieces, whatever the order they came in"


class Owner:
    """Stands for a connection, and counts how often it is looked at."""

    looked_at = 0

    def __eq__(self, other: object) -> bool:
        Owner.looked_at += 1
        return self is other

    __hash__ = object.__hash__


def test_defect_09a__timers__nothing_walks_all_connections() -> None:
    """Every socket was visited every 200 and 500 ms."""
    heap: DeadlineHeap[Owner] = DeadlineHeap()
    for number in range(10_000):
        heap.push(100 * SECOND_US + number * 10_000, Owner())
    for now_us in range(0, 100 * SECOND_US, 200_000):
        assert heap.next_at_us > now_us
        assert heap.pop_due(now_us, 1024) == []
    assert Owner.looked_at == 0
    assert len(heap.pop_due(100 * SECOND_US + 5_000, 1024)) == 1


def test_defect_09b__blocked_reader__does_not_starve_a_writer() -> None:
    """Only the head of the one queue of waiters was tried."""
    net, client, server, acceptor = network()

    async def handler() -> int:
        stream, total = await acceptor.accept(), 0
        while data := await stream.recv():
            total += len(data)
        return total

    async def reads_for_ever(stream: TcpStream) -> None:
        await stream.recv()

    async def user() -> None:
        stream = await connected()
        client.spawn(reads_for_ever(stream))
        await sys_sleep(10_000)
        await stream.send(b"x" * (3 << 20))
        await stream.shutdown()

    there, here = server.spawn(handler()), client.spawn(user())
    net.run(there, here, for_us=60 * SECOND_US)
    assert there.inbox == 3 << 20


def test_defect_10__closed_port__is_answered_with_a_rst() -> None:
    """A SYN to it was dropped in silence, and its sender waited for minutes."""
    net, client, _, _ = network()

    async def user() -> Any:
        try:
            await TcpConnect(CLIENT, ("10.0.0.2", 81), 100 * SECOND_US, TcpStream)
        except ConnectionRefusedError:
            return net.clock()
        return None

    thread = client.spawn(user())
    net.run(thread, for_us=SECOND_US)
    assert thread.has_ended
    assert thread.inbox is not None


def test_defect_11__initial_sequence_numbers__are_no_constant() -> None:
    """It was 1000, for every connection of every server."""
    secret = bytes(range(32))
    flows = [pack_flow(SERVER, ("10.0.0.1", port)) for port in range(1_000, 2_000)]
    numbers = {initial_numbers(flow, secret, 0)[0] for flow in flows}
    assert len(numbers) > 990
    assert initial_numbers(flows[0], bytes(32), 0) != initial_numbers(flows[0], secret, 0)
    later = initial_numbers(flows[0], secret, 4_000_000)[0]
    assert later == seq_add(initial_numbers(flows[0], secret, 0)[0], 1_000_000), (
        "one step every 4 microseconds"
    )
