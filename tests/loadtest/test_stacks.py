"""The client's stacks: which local ports, and that everything is given back."""

import pytest

from gossamer.core.io.sock import SockConnector
from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.stacks import PORTS_MIN, client_stack, ports_wanted
from gossamer.shards.config import NfqueueConfig
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
