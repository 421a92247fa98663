"""The loop of the functional TCP over in-memory devices, in virtual time: every call, every ending, every
bound."""

import errno
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import BoundExceeded, Draining, MisuseError
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.loop.tcp.emission import emit
from gossamer.core.records import replace
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.events import IcmpError, Report
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, URG, Segment, SynOptions

CLIENT, SERVER = ("10.0.0.1", 50_001), ("10.0.0.2", 80)
STRANGER = ("10.0.0.9", 7)


class Hosts:
    """A client and a server on one wire."""

    def __init__(self, faults: Faults, parameters: TcpParameters, seed: int = 1) -> None:
        self.network = Network(faults, seed)
        self.client = self.network.host(bytes((10, 0, 0, 1)), parameters)
        self.server = self.network.host(bytes((10, 0, 0, 2)), parameters)
        self.acceptor = TcpAcceptor(self.server.loop, SERVER, parameters)

    def run(self, *threads: Thread[Any], for_us: int = 1_000 * SECOND_US) -> None:
        self.network.run(*threads, for_us=for_us)

    def serve(self, handler: Callable[[TcpStream], Coroutine[Any, Any, Any]]) -> Thread[Any]:
        async def accepted() -> Any:
            return await handler(await self.acceptor.accept())

        return self.server.spawn(accepted())

    def use(self, user: Callable[[TcpStream], Coroutine[Any, Any, Any]], port: int = 50_001) -> Thread[Any]:
        async def connected() -> Any:
            return await user(await connect(port))

        return self.client.spawn(connected())

    def inject(self, segment: Segment, source: tuple[str, int] = STRANGER) -> None:
        """A packet of nobody's reaches the server."""
        self.server.source.put(build_packet(pack_flow(source, SERVER), segment))

    def sent_to(self, host: str) -> list[Segment]:
        found = [parse_packet(packet) for packet in self.network.seen]
        flows = [parsed for parsed in found if isinstance(parsed, tuple)]
        return [segment for flow, segment in flows if flow[16:32] == pack_flow((host, 0), (host, 0))[16:32]]


def connect(port: int = 50_001, timeout_us: int = NEVER_US, to: tuple[str, int] = SERVER) -> TcpConnect:
    return TcpConnect(("10.0.0.1", port), to, timeout_us, TcpStream)


@pytest.fixture
def hosts() -> Hosts:
    return Hosts(Faults(delay_us=5_000), TcpParameters())


def outcome(thread: Thread[Any]) -> Any:
    """What a thread returned."""
    assert thread.has_ended
    return thread.inbox


async def error_of(call: Any) -> BaseException | None:
    """The error that awaiting something raises."""
    try:
        await call
    except (OSError, Draining) as error:
        return error
    return None


async def echo(stream: TcpStream) -> None:
    while data := await stream.recv(10_000):
        await stream.send(data)
    await stream.close()


async def everything(stream: TcpStream) -> bytes:
    pieces = []
    while data := await stream.recv():
        pieces.append(data)
    return b"".join(pieces)


# Opening


def test_connect_and_accept__addresses_and_counts(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> Any:
        return stream.local, stream.peer

    async def user(stream: TcpStream) -> Any:
        return stream.local, stream.peer

    there, here = hosts.serve(handler), hosts.use(user)
    hosts.run(there, here)
    assert outcome(there) == (SERVER, CLIENT)
    assert outcome(here) == (CLIENT, SERVER)
    assert hosts.server.statistics["accepted_total"] == 1
    assert hosts.server.statistics["connections"] == 1
    assert hosts.server.statistics["half_open"] == 0


def test_connect__nobody_listens__refused(hosts: Hosts) -> None:
    thread = hosts.client.spawn(error_of(connect(to=("10.0.0.2", 81))))
    hosts.run(thread)
    assert isinstance(outcome(thread), ConnectionRefusedError)
    assert hosts.server.statistics["drop_no_connection"] == 1
    assert hosts.client.loop.connections == 0


def test_connect__nobody_answers__times_out_after_its_retries(hosts: Hosts) -> None:
    thread = hosts.client.spawn(error_of(connect(to=("10.0.0.77", 80))))
    hosts.run(thread)
    assert isinstance(outcome(thread), TimeoutError)
    assert hosts.network.clock() > 120 * SECOND_US
    assert hosts.client.loop.connections == 0


def test_connect__own_timeout__ends_then(hosts: Hosts) -> None:
    thread = hosts.client.spawn(error_of(connect(timeout_us=2 * SECOND_US, to=("10.0.0.77", 80))))
    hosts.run(thread)
    assert isinstance(outcome(thread), TimeoutError)
    assert hosts.network.clock() < 4 * SECOND_US
    assert hosts.client.loop.connections == 0


def test_connect__socket_in_use__says_so(hosts: Hosts) -> None:
    async def user(_stream: TcpStream) -> Any:
        return await error_of(connect())

    hosts.serve(echo)
    thread = hosts.use(user)
    hosts.run(thread)
    assert isinstance(outcome(thread), OSError)
    assert "in use" in str(outcome(thread))


@pytest.mark.parametrize("host", ["224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0"])
def test_connect__not_the_address_of_one_host__says_so(hosts: Hosts, host: str) -> None:
    """RFC 9293 3.9.2.3, MUST-46."""
    thread = hosts.client.spawn(error_of(connect(to=(host, 80))))
    hosts.run(thread)
    assert f"{host} is not the address of one host" in str(outcome(thread))
    assert not hosts.network.seen


def test_connect__both_at_once__one_connection(hosts: Hosts) -> None:
    """RFC 9293 3.5, figure 8, MUST-10: both SYNs cross, and both users have the same connection."""
    here, there = ("10.0.0.1", 4_001), ("10.0.0.2", 4_002)

    async def user(local: tuple[str, int], remote: tuple[str, int]) -> bytes:
        stream: TcpStream = await TcpConnect(local, remote, NEVER_US, TcpStream)
        await stream.send_last(f"from {local[1]}".encode())
        return await everything(stream)

    start_us = hosts.network.clock()
    first = hosts.client.spawn(user(here, there))
    second = hosts.server.spawn(user(there, here))
    hosts.run(first, second, for_us=10 * SECOND_US)
    assert (outcome(first), outcome(second)) == (b"from 4002", b"from 4001")
    assert hosts.network.clock() - start_us == 15_000, "nothing had to be sent again"
    assert hosts.server.statistics["half_open"] == 0


def test_listen__twice__says_so(hosts: Hosts) -> None:
    hosts.run(for_us=1)
    with pytest.raises(OSError, match="already listened on"):
        TcpAcceptor(hosts.server.loop, SERVER, TcpParameters())


def syn(number: int) -> tuple[Segment, tuple[str, int]]:
    return Segment(number, 0, SYN, 1000, syn_options=SynOptions(mss=1460)), ("10.9.9.9", 1024 + number)


def test_connections_max__further_syns_are_dropped_and_counted() -> None:
    hosts = Hosts(Faults(), TcpParameters(connections_max=5))
    for number in range(20):
        hosts.inject(*syn(number))
    hosts.run(for_us=1_000)
    assert hosts.server.loop.connections == 5
    assert hosts.server.statistics["drop_connections_full"] == 15


def test_reset_before_accept__is_not_handed_out(hosts: Hosts) -> None:
    async def user(stream: TcpStream) -> None:
        await stream.abort()

    hosts.run(hosts.use(user), for_us=SECOND_US)
    hosts.run(for_us=SECOND_US)
    late = hosts.serve(echo)
    hosts.run(for_us=SECOND_US)
    assert not late.has_ended
    assert hosts.server.loop.connections == 0


# Sending and receiving


@pytest.mark.parametrize(
    "faults", [Faults(delay_us=2_000), Faults(0.05, 0.02, 0.05, 2_000, 1_000)], ids=["good", "bad"]
)
def test_echo__two_loops_on_one_wire__octets_are_exact(faults: Faults) -> None:
    hosts = Hosts(faults, TcpParameters(receive_buffer_bytes=30_000, send_buffer_bytes=20_000))
    payload = bytes(range(256)) * 1_000

    async def user(stream: TcpStream) -> bytes:
        async def send_all() -> None:
            for at in range(0, len(payload), 7_000):
                await stream.send(payload[at : at + 7_000])
            await stream.shutdown()

        hosts.client.spawn(send_all())
        answer = await everything(stream)
        await stream.close()
        return answer

    there, here = hosts.serve(echo), hosts.use(user)
    hosts.run(there, here)
    assert outcome(here) == payload
    assert (hosts.client.statistics["retransmits_total"] > 0) == (faults.loss > 0)
    hosts.run(for_us=70 * SECOND_US)
    for host in (hosts.client, hosts.server):
        assert (host.statistics["connections"], host.statistics["time_wait"]) == (0, 0)


def test_recv__no_more_than_asked_for(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> None:
        await stream.send(b"abcdef")

    async def user(stream: TcpStream) -> list[bytes]:
        await sys_sleep(100_000)
        return [await stream.recv(4), await stream.recv(4)]

    hosts.serve(handler)
    thread = hosts.use(user)
    hosts.run(thread)
    assert outcome(thread) == [b"abcd", b"ef"]


def test_urgent_mark__arrives__the_stream_is_notified_and_the_data_is_in_line(hosts: Hosts) -> None:
    marks: list[int] = []

    async def handler(stream: TcpStream) -> bytes:
        stream.on_urgent = marks.append
        tcb = stream.tcb
        assert tcb is not None
        urgent = Segment(tcb.rcv_nxt, tcb.snd_nxt, ACK | URG, 500, tcb.ts_recent, 0, b"in line", urgent=2)
        hosts.inject(urgent, CLIENT)
        return await stream.recv()

    async def user(stream: TcpStream) -> None:
        await sys_sleep(SECOND_US)
        await stream.abort()

    there = hosts.serve(handler)
    hosts.run(there, hosts.use(user))
    assert outcome(there) == b"in line"
    assert marks == [2]


def test_urgent_mark__its_routine_cancels_the_receiver__the_data_is_not_lost(hosts: Hosts) -> None:
    """The mark and the octets come in one segment: they were to answer a recv that was gone meanwhile."""

    async def handler(stream: TcpStream) -> tuple[bytes, bytes]:
        tcb = stream.tcb
        assert tcb is not None
        urgent = Segment(tcb.rcv_nxt, tcb.snd_nxt, ACK | URG, 500, tcb.ts_recent, 0, b"in line", urgent=2)
        with CancelScope() as scope:
            stream.on_urgent = lambda _ahead: scope.cancel()
            hosts.inject(urgent, CLIENT)
            await stream.recv()
        assert scope.cancelled_caught
        return await stream.recv(3), await stream.recv()

    there = hosts.serve(handler)
    hosts.run(there, hosts.use(echo), for_us=SECOND_US)
    assert outcome(there) == (b"in ", b"line")


def test_soft_errors__icmp_and_r1__the_user_is_notified_and_the_connection_goes_on(hosts: Hosts) -> None:
    """RFC 9293 3.9.1.8: MUST-47; SHLD-9, SHLD-25; who sets no routine hears nothing (SHLD-20)."""
    errors: list[OSError] = []

    async def user(stream: TcpStream) -> bool:
        stream.on_soft_error = errors.append
        hosts.network.hosts = {bytes((10, 0, 0, 1)): hosts.client}
        await stream.send(b"into the void")
        assert stream.tcb is not None
        hosts.client.loop._connections.step(
            stream, IcmpError(stream.tcb.snd_una, Report.SOFT, hosts.network.clock())
        )
        assert len(errors) == 1
        await sys_sleep(20 * SECOND_US)
        return stream.tcb is not None

    hosts.serve(echo)
    thread = hosts.use(user)
    hosts.run(thread, for_us=60 * SECOND_US)
    assert outcome(thread) is True
    assert [error.errno for error in errors] == [errno.EHOSTUNREACH, errno.ETIMEDOUT]
    assert hosts.client.statistics["delivery_problems_total"] == 1


def test_recv__timeout__raises_and_the_stream_stays_usable(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> None:
        await sys_sleep(3 * SECOND_US)
        await stream.send(b"late")

    async def user(stream: TcpStream) -> Any:
        first = await error_of(stream.recv(timeout_us=SECOND_US))
        return first, hosts.network.clock(), await stream.recv()

    hosts.serve(handler)
    thread = hosts.use(user)
    hosts.run(thread)
    first, at_us, data = outcome(thread)
    assert isinstance(first, TimeoutError)
    assert 2 * SECOND_US <= at_us <= 2 * SECOND_US + 100_000
    assert data == b"late"


def test_send__window_closed__timeout_raises(hosts: Hosts) -> None:
    async def handler(_stream: TcpStream) -> None:
        await sys_sleep(1_000 * SECOND_US)

    async def user(stream: TcpStream) -> Any:
        return await error_of(stream.send(b"x" * (4 << 20), timeout_us=SECOND_US))

    hosts.serve(handler)
    thread = hosts.use(user)
    hosts.run(thread)
    assert isinstance(outcome(thread), TimeoutError)


def test_send__nothing__nothing_happens(hosts: Hosts) -> None:
    async def user(stream: TcpStream) -> Any:
        await stream.send(b"")
        await sys_sleep(10 * SECOND_US)
        return len(hosts.network.seen)

    hosts.serve(echo)
    thread = hosts.use(user)
    hosts.run(thread)
    assert outcome(thread) == 3, "the handshake and no more"


def test_send_last__nothing__half_closes_all_the_same(hosts: Hosts) -> None:
    async def user(stream: TcpStream) -> bytes:
        await stream.send_last(b"")
        return await everything(stream)

    there, here = hosts.serve(echo), hosts.use(user)
    hosts.run(there, here, for_us=10 * SECOND_US)
    assert outcome(here) == b""


def test_echo__both_windows_closed__goes_on_once_one_side_reads(hosts: Hosts) -> None:
    """Both sides probe, and each must take the other's ACKs meanwhile."""

    async def user(stream: TcpStream) -> int:
        hosts.client.spawn(error_of(stream.send_last(b"x" * (8 << 20))))
        await sys_sleep(5 * SECOND_US)
        return len(await everything(stream))

    there, here = hosts.serve(echo), hosts.use(user)
    hosts.run(there, here, for_us=60 * SECOND_US)
    assert outcome(here) == 8 << 20


def test_two_threads_receive_on_one_connection__the_second_gets_an_error(hosts: Hosts) -> None:
    async def user(stream: TcpStream) -> Any:
        hosts.client.spawn(error_of(stream.recv()))
        await sys_sleep(1_000)
        with pytest.raises(MisuseError, match="receives from this stream already"):
            await stream.recv()

    hosts.serve(everything)
    thread = hosts.use(user)
    hosts.run(thread)
    assert outcome(thread) is None


def test_reader_blocked__writer_goes_on(hosts: Hosts) -> None:
    """Neither waits behind the other, as the seed's single queue of waiters made them."""

    async def handler(stream: TcpStream) -> int:
        return len(await everything(stream))

    async def user(stream: TcpStream) -> None:
        hosts.client.spawn(error_of(stream.recv()))
        await sys_sleep(1_000)
        await stream.send(b"x" * (3 << 20))
        await stream.shutdown()

    there, here = hosts.serve(handler), hosts.use(user)
    hosts.run(there, here, for_us=100 * SECOND_US)
    assert outcome(there) == 3 << 20


def test_every_seventh_segment_is_lost__the_timeout_stays_near_the_round_trip() -> None:
    """A lost ACK is no long round trip: it once made timeouts of a minute out of a wire of 10 ms."""
    hosts = Hosts(Faults(loss=0.15, delay_us=5_000), TcpParameters(), seed=7)

    async def user(stream: TcpStream) -> int:
        longest_us = 0
        for _ in range(100):
            await stream.send(b"x" * 100)
            await stream.recv()
            assert stream.tcb is not None
            longest_us = max(longest_us, stream.tcb.round_trip.rto_us)
        return longest_us

    hosts.serve(echo)
    here = hosts.use(user)
    hosts.run(here)
    assert outcome(here) < 2 * SECOND_US


# Ending


def test_half_close__the_other_way_stays_open(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> None:
        data = await everything(stream)
        await sys_sleep(SECOND_US)
        await stream.send(data[::-1])
        await stream.close()

    async def user(stream: TcpStream) -> bytes:
        await stream.send(b"forth")
        await stream.shutdown()
        data = await everything(stream)
        await stream.close()
        return data

    there, here = hosts.serve(handler), hosts.use(user)
    hosts.run(there, here)
    assert outcome(here) == b"htrof"
    hosts.run(for_us=SECOND_US)
    assert hosts.server.loop.connections == hosts.client.loop.connections == 0
    assert hosts.client.statistics["time_wait"] == 1
    assert hosts.server.statistics["time_wait"] == 0


def test_shutdown__while_another_thread_sends__it_gets_an_error_and_receiving_goes_on(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> None:
        await sys_sleep(3 * SECOND_US)
        data = await everything(stream)
        await stream.send_last(len(data).to_bytes(4, "big"))

    async def user(stream: TcpStream) -> Any:
        sender = hosts.client.spawn(error_of(stream.send(b"x" * (4 << 20))))
        receiver = hosts.client.spawn(everything(stream))
        await sys_sleep(SECOND_US)
        await stream.shutdown()
        await sys_sleep(30 * SECOND_US)
        return outcome(sender), outcome(receiver)

    there, here = hosts.serve(handler), hosts.use(user)
    hosts.run(there, here, for_us=100 * SECOND_US)
    error, count = outcome(here)
    assert isinstance(error, BrokenPipeError)
    assert 1 << 20 <= int.from_bytes(count, "big") < 4 << 20


def test_abort__peer_is_reset(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> Any:
        return await error_of(stream.recv()), await error_of(stream.send(b"x"))

    async def user(stream: TcpStream) -> None:
        await stream.abort()

    there = hosts.serve(handler)
    hosts.use(user)
    hosts.run(there)
    assert all(isinstance(error, ConnectionResetError) for error in outcome(there))
    assert hosts.server.loop.connections == hosts.client.loop.connections == 0


def test_close__while_another_thread_receives__it_gets_an_error(hosts: Hosts) -> None:
    async def user(stream: TcpStream) -> Any:
        blocked = hosts.client.spawn(error_of(stream.recv()))
        await sys_sleep(1_000)
        await stream.close()
        await stream.close()
        await sys_sleep(1_000)
        return outcome(blocked), await error_of(stream.send(b"x"))

    hosts.serve(everything)
    thread = hosts.use(user)
    hosts.run(thread)
    received, sent = outcome(thread)
    assert isinstance(received, ConnectionAbortedError)
    assert isinstance(sent, ConnectionAbortedError)


def test_received_and_then_closed_by_the_peer__still_readable(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> None:
        await stream.send(b"last words")
        await stream.close()

    async def user(stream: TcpStream) -> Any:
        await stream.shutdown()
        await sys_sleep(90 * SECOND_US)
        return [await stream.recv(4), await stream.recv(), await stream.recv()]

    hosts.serve(handler)
    thread = hosts.use(user)
    hosts.run(thread)
    assert outcome(thread) == [b"last", b" words", b""]


def test_interrupt_receivers__blocked_receivers_are_asked_to_drain(hosts: Hosts) -> None:
    async def handler(stream: TcpStream) -> Any:
        error = await error_of(stream.recv())
        await stream.send(b"bye")
        await stream.close()
        return error

    there, here = hosts.serve(handler), hosts.use(everything)
    hosts.run(for_us=SECOND_US)
    hosts.server.loop.interrupt_receivers()
    hosts.run(there, here, for_us=SECOND_US)
    assert isinstance(outcome(there), Draining)
    assert outcome(here) == b"bye"


def test_listen__one_port_and_two_addresses__each_has_its_own_connections(hosts: Hosts) -> None:
    """RFC 9293 3.9.1: MUST-42 (LISTENs on one port with different addresses), MUST-41 (a passive OPEN touches
    no connection that there is)."""
    sockets = [("10.0.0.2", 80), ("10.0.0.3", 80)]
    hosts.network.hosts[bytes((10, 0, 0, 3))] = hosts.server

    async def open_while_open(stream: TcpStream) -> Any:
        second = TcpAcceptor(hosts.server.loop, sockets[1], TcpParameters())
        other = await second.accept()
        await other.send_last(b"second")
        await stream.send_last(b"first")
        return other.local, stream.local

    async def user(stream: TcpStream) -> bytes:
        await sys_sleep(SECOND_US)
        other = await connect(50_002, to=sockets[1])
        return await everything(stream) + await everything(other)

    there, here = hosts.serve(open_while_open), hosts.use(user)
    hosts.run(there, here)
    assert outcome(there) == (sockets[1], sockets[0])
    assert outcome(here) == b"firstsecond"


def test_listener_closed__blocked_accept_gets_an_error_and_the_unaccepted_are_reset(hosts: Hosts) -> None:
    async def user(stream: TcpStream) -> Any:
        return await error_of(stream.recv())

    here = hosts.use(user)
    hosts.run(for_us=SECOND_US)
    closing = hosts.server.spawn(error_of(hosts.acceptor.close()))
    hosts.run(closing, here)
    assert isinstance(outcome(here), ConnectionResetError)
    late = hosts.server.spawn(error_of(hosts.acceptor.accept()))
    hosts.run(late)
    assert isinstance(outcome(late), ConnectionAbortedError)
    assert hosts.server.loop.connections == 0


def test_listener_closed__half_open_connections_do_not_outlive_it(hosts: Hosts) -> None:
    """Their last ACK comes when nobody can accept them any more: they hold up no shutdown."""

    async def user(stream: TcpStream) -> Any:
        return await error_of(stream.recv())

    here = hosts.use(user)
    hosts.run(for_us=7_000)
    assert hosts.server.statistics["half_open"] == 1
    hosts.run(hosts.server.spawn(error_of(hosts.acceptor.close())), for_us=1)
    assert hosts.server.loop.connections == 0
    hosts.run(here, for_us=10 * SECOND_US)
    assert isinstance(outcome(here), ConnectionResetError)
    assert hosts.server.loop.connections == 0


def test_loop_closed__what_is_open_is_reset_and_the_devices_given_back(hosts: Hosts) -> None:
    hosts.serve(everything)
    hosts.use(everything)
    hosts.run(for_us=SECOND_US)
    hosts.server.scheduler.close()
    assert any(segment.flags & RST for segment in hosts.sent_to("10.0.0.1"))
    assert hosts.server.source.is_closed
    assert hosts.server.sink.is_closed


def test_handed_over__what_is_nobodys_is_dropped_in_silence(hosts: Hosts) -> None:
    hosts.server.loop.hand_over()
    hosts.inject(Segment(1, 1, ACK, 10), ("10.0.0.1", 9))
    hosts.run(for_us=1_000)
    assert hosts.server.statistics["drop_listen_not_syn"] + hosts.server.statistics["drop_no_connection"] == 1


def test_emit__user_timeout_alone__is_on_the_wire(hosts: Hosts) -> None:
    segment = Segment(1, 2, ACK, 3, 4, 5, user_timeout_s=30)
    emit(hosts.client.sink, pack_flow(STRANGER, SERVER), segment)
    hosts.client.sink.flush()
    assert [segment.user_timeout_s for segment in hosts.sent_to("10.0.0.2")] == [30]


# TIME-WAIT, strays, bounds


def closed_connections(hosts: Hosts, count: int) -> None:
    """The server closes first, so that TIME-WAIT is its own."""

    async def server() -> None:
        while True:
            stream = await hosts.acceptor.accept()
            await stream.close()

    async def user(stream: TcpStream) -> None:
        await everything(stream)
        await stream.close()

    hosts.server.spawn(server())
    hosts.run(*(hosts.use(user, 50_001 + n) for n in range(count)), for_us=10 * SECOND_US)
    hosts.run(for_us=SECOND_US)


def test_time_wait__bounded__the_oldest_goes() -> None:
    hosts = Hosts(Faults(delay_us=100), TcpParameters(time_wait_max=8))
    closed_connections(hosts, 20)
    assert hosts.server.statistics["time_wait"] == 8
    hosts.run(for_us=70 * SECOND_US)
    assert hosts.server.statistics["time_wait"] == 0


def test_time_wait__same_client_socket_again__taken_over(hosts: Hosts) -> None:
    """RFC 6191; a client that reuses its port within the minute is served at once."""
    closed_connections(hosts, 1)
    assert hosts.server.statistics["time_wait"] == 1
    again = hosts.use(everything)
    hosts.run(again, for_us=SECOND_US)
    assert again.has_ended


def test_time_wait__newer_syn_taken__the_record_goes(hosts: Hosts) -> None:
    closed_connections(hosts, 1)
    record = next(iter(hosts.server.loop._demux.time_wait.values()))
    newer = Segment((record.rcv_nxt + 5) & 0xFFFFFFFF, 0, SYN, 1000, record.ts_recent + 5)
    hosts.inject(newer, CLIENT)
    hosts.run(for_us=1_000)
    assert (hosts.server.statistics["half_open"], hosts.server.statistics["time_wait"]) == (1, 0)


def test_time_wait__connect_from_it_but_no_room__is_kept() -> None:
    """What was refused has changed nothing: the old connection's stray segments still meet its record."""
    hosts = Hosts(Faults(delay_us=100), TcpParameters(connections_max=1))

    async def user(stream: TcpStream) -> None:
        await stream.close()
        await sys_sleep(SECOND_US // 2)

    async def handler(stream: TcpStream) -> None:
        await everything(stream)
        await stream.close()

    hosts.run(hosts.serve(handler), hosts.use(user), for_us=SECOND_US)
    assert hosts.client.statistics["time_wait"] == 1
    hosts.client.spawn(error_of(connect(port=9, to=("10.0.0.77", 80))))
    hosts.run(for_us=1_000)

    async def refused() -> bool:
        with pytest.raises(BoundExceeded):
            await connect()
        return True

    thread = hosts.client.spawn(refused())
    hosts.run(thread, for_us=1_000)
    assert outcome(thread)
    assert hosts.client.statistics["time_wait"] == 1


def test_time_wait__new_syn_but_no_room__is_kept() -> None:
    hosts = Hosts(Faults(delay_us=100), TcpParameters(connections_max=1))
    closed_connections(hosts, 1)
    hosts.inject(syn(1)[0], ("10.0.0.50", 5))
    hosts.run(for_us=1_000)
    newer = Segment(1, 0, SYN, 1000, 0xFFFF_FFF, syn_options=SynOptions(mss=1460))
    record = next(iter(hosts.server.loop._demux.time_wait.values()))
    newer = replace(newer, seq=(record.rcv_nxt + 5) & 0xFFFFFFFF, ts_val=record.ts_recent + 5)
    hosts.inject(newer, CLIENT)
    hosts.run(for_us=1_000)
    assert hosts.server.statistics["drop_connections_full"] == 1
    assert hosts.server.statistics["time_wait"] == 1


@pytest.mark.parametrize(
    ("flags", "resets"), [(ACK, 1), (SYN | ACK, 1), (FIN | ACK, 1), (RST, 0), (RST | ACK, 0)]
)
def test_segment_of_nobody__reset_unless_it_is_one(hosts: Hosts, flags: int, resets: int) -> None:
    hosts.inject(Segment(1, 2, flags, 10))
    hosts.run(for_us=1_000)
    assert [s.flags & RST for s in hosts.sent_to(STRANGER[0])] == [RST] * resets


def test_bad_packets__each_counted_by_its_reason(hosts: Hosts) -> None:
    good = build_packet(pack_flow(CLIENT, SERVER), Segment(1, 0, SYN, 10))
    for packet in (b"", good[:30], good[:-1] + bytes((good[-1] ^ 1,)), b"\x45" + bytes(19)):
        hosts.server.source.put(packet)
    hosts.run(for_us=1_000)
    counts = {k: v for k, v in hosts.server.statistics.items() if k.startswith("drop_") and v}
    assert sum(counts.values()) == 4, counts
    assert hosts.server.statistics["packets_in_total"] == 4
    assert hosts.server.loop.connections == 0


def test_deadlines__a_busy_connection_does_not_fill_the_heap() -> None:
    """Defect 9 of the seed was O(n) timers; lazily re-armed ones must not pile up either."""
    hosts = Hosts(Faults(delay_us=100), TcpParameters(keepalive_idle_us=7_200 * SECOND_US))

    async def handler(stream: TcpStream) -> None:
        while data := await stream.recv(timeout_us=75 * SECOND_US):
            await stream.send(data)

    async def user(stream: TcpStream) -> int:
        for _ in range(500):
            await stream.send(b"question")
            await stream.recv(timeout_us=75 * SECOND_US)
            await sys_sleep(50_000)
        return len(hosts.server.loop._connections.deadlines)

    hosts.serve(handler)
    thread = hosts.use(user)
    hosts.run(thread)
    assert outcome(thread) < 20


def test_deadlines__ended_connections_do_not_fill_the_heap() -> None:
    hosts = Hosts(Faults(delay_us=100), TcpParameters())

    async def server() -> None:
        while True:
            stream = await hosts.acceptor.accept()
            hosts.server.spawn(error_of(one_answer(stream)))

    async def one_answer(stream: TcpStream) -> None:
        await stream.recv(timeout_us=75 * SECOND_US)
        await stream.send(b"answer")
        await stream.close()

    async def user(stream: TcpStream) -> None:
        await stream.send(b"question")
        await everything(stream)
        await stream.close()

    hosts.server.spawn(server())
    for number in range(100):
        hosts.run(hosts.use(user, 10_000 + number), for_us=SECOND_US)
    hosts.run(for_us=SECOND_US)
    assert hosts.server.loop.connections == 0
    assert len(hosts.server.loop._connections.deadlines) < 20


# Pacing


def test_paced__an_earlier_deadline_passes_while_nothing_is_in_flight__what_waits_is_sent(
    hosts: Hosts,
) -> None:
    """Found against a real link: an upload stood still until the timeout of its reader came."""

    async def handler(stream: TcpStream) -> int:
        return len(await stream.recv()) and hosts.network.clock()

    async def user(stream: TcpStream) -> int:
        now_us = hosts.network.clock()
        assert stream.tcb is not None
        paced = replace(stream.tcb.congestion, pacing_rate=1_000_000)
        stream.tcb = replace(stream.tcb, congestion=paced, pace_at_us=now_us + 50_000)
        hosts.client.loop._connections.deadlines.arm(stream, now_us + 10_000)
        await stream.send(bytes(10_000))
        return now_us

    there, here = hosts.serve(handler), hosts.use(user)
    hosts.run(there, here, for_us=SECOND_US)
    assert outcome(there) - outcome(here) < 100_000
