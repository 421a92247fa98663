"""A whole server in virtual time: threads, HTTP, the functional TCP and a disk, on a wire that loses packets.

The same seed gives the same run, packet by packet and turn by turn; another seed gives another.
"""

import socket
from hashlib import sha256

from gossamer.core.clock import SECOND_US
from gossamer.core.http.client import ResponseReader
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector
from gossamer.core.sim.disk import VirtualDisk
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Host, Network
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.nursery import open_nursery
from gossamer.shards.web.site import StaticSite

SERVER = ("127.0.0.2", 80)
FILES = {f"file-{size}": bytes(range(256)) * (size // 256) for size in (256, 4096, 65_536, 262_144)}
CLIENTS = 6
EPOCH_US = 1_800_000_000 * SECOND_US


class SimulatedRun:
    """One run of server and clients."""

    def __init__(self, seed: int) -> None:
        self.network = Network(Faults(loss=0.02, reorder=0.05, jitter_us=3_000), seed=seed)
        self.seed = seed
        self.trace = sha256()
        self.bodies: list[tuple[str, bytes]] = []
        self.disk = VirtualDisk(FILES, seed)
        server = self._server()
        client = self.network.host(socket.inet_aton("127.0.0.1"))
        connector = TcpConnector(client.loop, range(61_000, 61_100), b"k" * 32)
        connector._local_hosts[SERVER[0]] = "127.0.0.1"
        thread = client.spawn(self._clients(connector))
        self.network.run(thread, for_us=600 * SECOND_US)
        assert thread.has_ended
        for host in (server, client):
            self.trace.update(repr(sorted(host.statistics.items())).encode())
            self.trace.update(repr(host.scheduler.statistics()).encode())
        for packet in self.network.seen:
            self.trace.update(packet)
        self.trace.update(str(self.network.clock()).encode())

    def _server(self) -> Host:
        host = self.network.host(socket.inet_aton(SERVER[0]))
        host.scheduler.add_loop(self.disk)
        clock = self.network.clock
        site = StaticSite(-1, files=self.disk, clock=clock, wall=lambda: EPOCH_US + clock())
        acceptor = TcpAcceptor(host.loop, SERVER, TcpParameters())

        async def accepts() -> None:
            while True:
                await sys_fork(site.serve(await acceptor.accept()))

        host.spawn(accepts())
        return host

    async def _clients(self, connector: TcpConnector) -> None:
        async with open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(self._client, connector, number)

    async def _client(self, connector: TcpConnector, number: int) -> None:
        stream = await connector.connect(SERVER)
        reader = ResponseReader()
        names = list(FILES)
        for step in range(len(names)):
            name = names[(step + number) % len(names)]
            await stream.send(f"GET /{name} HTTP/1.1\r\nHost: server\r\n\r\n".encode())
            while (response := reader.next_response("GET")) is None:
                reader.receive(await stream.recv(65_536))
            assert response.status == 200
            body = b""
            while (part := reader.next_body()) != b"":
                body += part or b""
                if part is None:
                    reader.receive(await stream.recv(65_536))
            self.bodies.append((name, body))
        await stream.close()


def test_whole_server__every_body_right__from_the_disk_over_a_bad_wire() -> None:
    run = SimulatedRun(seed=1)
    assert len(run.bodies) == CLIENTS * len(FILES)
    assert all(body == FILES[name] for name, body in run.bodies)
    assert run.disk.operations_total >= len(FILES)


def test_whole_server__same_seed_same_trace__another_seed_another() -> None:
    first, again, other = (SimulatedRun(seed).trace.hexdigest() for seed in (1, 1, 2))
    assert first == again
    assert first != other
