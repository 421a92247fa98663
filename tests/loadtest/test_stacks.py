"""The client's stacks: which local ports, and that everything is given back."""

import pytest
from gossamer.core.io.sock import SockConnector
from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.stacks import PORTS_MIN, choose_ports, client_stack
from gossamer.shards.config import Config
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.plan import MachineFacts

FREE = MachineFacts(cpus=(0,))
FIRST, LAST = Config().nfqueue.active_port_first, Config().nfqueue.active_port_last


@pytest.mark.parametrize(("connections", "count"), [(1, PORTS_MIN), (64, PORTS_MIN), (1000, 4000)])
def test_choose_ports__nothing_taken__four_for_each_connection(connections: int, count: int) -> None:
    ports = choose_ports(FREE, Config(), connections)
    assert (ports.first, ports.last) == (FIRST, FIRST + count - 1)


def test_choose_ports__some_taken__the_next_free_ones() -> None:
    taken = MachineFacts(cpus=(0,), port_ranges_taken=((FIRST, FIRST + 99),))
    assert choose_ports(taken, Config(), 1).first == FIRST + 100


def test_choose_ports__all_taken__cannot_start() -> None:
    taken = MachineFacts(cpus=(0,), port_ranges_taken=((FIRST, LAST),))
    with pytest.raises(CannotStartError):
        choose_ports(taken, Config(), 1)


def test_choose_ports__more_connections_than_ports__cannot_start_and_says_how_many() -> None:
    with pytest.raises(CannotStartError, match=str(LAST - FIRST + 1)):
        choose_ports(FREE, Config(), LAST - FIRST + 2)


def test_kernel__needs_nothing__sockets() -> None:
    with client_stack("kernel", 5) as stack:
        assert isinstance(stack.connector, SockConnector)


@pytest.mark.root
def test_nfqueue__block_fails__rules_are_gone(namespace: Namespace, nfqueue_possible: None) -> None:
    del nfqueue_possible
    with namespace.entered():
        with pytest.raises(InterruptedError):
            fail_on_nfqueue(namespace)
        assert "GSMR" not in namespace.run(["iptables-save", "-t", "raw"])


def fail_on_nfqueue(space: Namespace) -> None:
    """A user of the stack that fails."""
    with client_stack("nfqueue", 5):
        assert "GSMR" in space.run(["iptables-save", "-t", "raw"])
        raise InterruptedError


@pytest.mark.root
def test_nfqueue__opened__one_queue_for_its_slice_of_ports(
    namespace: Namespace, nfqueue_possible: None
) -> None:
    del nfqueue_possible
    with namespace.entered(), client_stack("nfqueue", 5):
        rules = namespace.run(["iptables-save", "-t", "raw"])
        assert f"--dport {FIRST}:{FIRST + PORTS_MIN - 1}" in rules
        assert rules.count("-j NFQUEUE") == 1
