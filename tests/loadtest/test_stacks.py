"""The client's stacks: which local ports, and that everything is given back."""

from pathlib import Path

import pytest

from gossamer import UnixAcceptor, listen, run
from gossamer.core.clock import SECOND_US
from gossamer.core.io.sock import SockConnector
from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.stacks import PORTS_MIN, client_stack, kernel_connector, ports_wanted
from gossamer.shards.configuration.config import NfqueueConfig
from gossamer.shards.exitcode import CannotStartError

SETTINGS = NfqueueConfig()
FIRST, LAST = SETTINGS.active_port_first, SETTINGS.active_port_last
THERE_ARE = LAST - FIRST + 1


@pytest.mark.parametrize(("connections", "count"), [(1, PORTS_MIN), (64, PORTS_MIN), (1000, 4000)])
def test_ports_wanted__four_for_each_connection(connections: int, count: int) -> None:
    assert ports_wanted(SETTINGS, connections) == count


def test_ports_wanted__more_than_there_are__all_of_them() -> None:
    assert ports_wanted(SETTINGS, THERE_ARE) == THERE_ARE


def test_ports_wanted__more_connections_than_ports__cannot_start_and_says_how_many() -> None:
    with pytest.raises(CannotStartError, match=str(THERE_ARE)):
        ports_wanted(SETTINGS, THERE_ARE + 1)


def test_kernel__needs_nothing__sockets() -> None:
    with client_stack("kernel", 5) as stack:
        assert isinstance(stack.connector, SockConnector)


@pytest.mark.needs("nfqueue")
def test_nfqueue__block_fails__rules_are_gone(namespace: Namespace) -> None:
    with namespace.entered():
        with pytest.raises(InterruptedError):
            fail_on_nfqueue(namespace)
        assert "GSMR" not in namespace.run(["iptables-save"])


def fail_on_nfqueue(space: Namespace) -> None:
    """A user of the stack that fails."""
    with client_stack("nfqueue", 5):
        assert "GSMR" in space.run(["iptables-save"])
        raise InterruptedError


@pytest.mark.needs("nfqueue")
def test_nfqueue__opened__one_queue_for_its_slice_of_ports(namespace: Namespace) -> None:
    with namespace.entered(), client_stack("nfqueue", 5):
        rules = namespace.run(["iptables-save"])
        assert f"--dport {FIRST}:{FIRST + PORTS_MIN - 1}" in rules
        assert rules.count("-j NFQUEUE") == 1


def test_unix_socket__connects_to_the_path(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> bytes:
        acceptor = UnixAcceptor.bind(path)
        client = await kernel_connector(unix_socket=path).connect((path, 0), SECOND_US)
        server = await acceptor.accept()
        await client.send(b"hello")
        return await server.recv()

    assert run(main()) == b"hello"


def test_stream_of_a_run__answer_that_is_there_already__received_and_closed_without_a_name() -> None:
    async def main() -> tuple[bytes, str]:
        acceptor = listen(("127.0.0.1", 0))
        client = await kernel_connector().connect(acceptor.local, SECOND_US)
        server = await acceptor.accept()
        await server.send(b"here already")
        received = await client.recv(timeout_us=SECOND_US)
        await client.close()
        assert await server.recv(timeout_us=SECOND_US) == b""
        return received, repr(client)

    received, shown = run(main())
    assert received == b"here already"
    assert shown.startswith("<CallerStream unnamed to 127.0.0.1:")
    assert shown.endswith("closed>")


def test_sources__in_turn() -> None:
    async def main() -> list[str]:
        acceptor = listen(("127.0.0.1", 0))
        connector = kernel_connector(("127.0.0.2", "127.0.0.3"))
        opened = [await connector.connect(acceptor.local, SECOND_US) for _ in range(3)]
        return [stream.local[0] for stream in opened]

    assert run(main()) == ["127.0.0.2", "127.0.0.3", "127.0.0.2"]
