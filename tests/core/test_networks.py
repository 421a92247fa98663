"""How many connections each client has, whichever of its addresses they come from."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.networks import NetworkCounts
from gossamer.core.wire.flow import pack_address

HOSTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")
CLIENTS = ("192.0.2.1", "192.0.2.2", "2001:db8::/64", "2001:db8::/64", "2001:db8:0:1::/64")


@given(st.lists(st.integers(0, len(HOSTS) - 1), max_size=40), st.integers(0, 2**40))
def test_come_and_gone__in_any_order__as_many_as_are_there(come: list[int], going: int) -> None:
    counts, there = NetworkCounts(), Counter[str]()
    for index, which in enumerate(come):
        address = pack_address(HOSTS[which])
        counts.came(address)
        if going >> index & 1:
            counts.left(address)
        else:
            there[CLIENTS[which]] += 1
        found = [counts.of(host) for host in HOSTS]
        assert found == [there[client] for client in CLIENTS]
    assert len(counts) == len(+there)


@pytest.mark.parametrize(("host", "count"), [("fe80::1%eth0", 1), ("::ffff:192.0.2.1", 0)])
def test_of__as_a_socket_names_it(host: str, count: int) -> None:
    counts = NetworkCounts()
    counts.came(pack_address("fe80::2"))
    assert counts.of(host) == count
