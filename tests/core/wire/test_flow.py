"""The key of a connection: both families, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.flow import (
    FLOW_BYTES,
    is_ipv4,
    local_address,
    local_port,
    pack_flow,
    plain_host,
    remote_address,
)

HOSTS = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
PORTS = st.integers(0, 65535)


@given(HOSTS, PORTS, HOSTS, PORTS)
def test_pack_flow__any_two_sockets__read_back(
    local_host: str, local: int, remote_host: str, remote: int
) -> None:
    flow = pack_flow((local_host, local), (remote_host, remote))
    assert len(flow) == FLOW_BYTES
    assert local_address(flow)[1] == local_port(flow) == local
    assert remote_address(flow)[1] == remote
    if not remote_host.startswith("::ffff:"):
        assert remote_address(flow)[0] == remote_host
        assert is_ipv4(flow) == ("." in remote_host)


def test_pack_flow__ipv4__stands_in_mapped_form() -> None:
    flow = pack_flow(("10.0.0.1", 80), ("10.0.0.2", 1024))
    assert flow.hex() == "00" * 10 + "ffff0a000002" + "00" * 10 + "ffff0a000001" + "04000050"


def test_pack_flow__no_ip_address__value_error() -> None:
    with pytest.raises(ValueError, match="localhost"):
        pack_flow(("localhost", 1), ("10.0.0.1", 2))


@pytest.mark.parametrize(
    ("host", "plain"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("::ffff:1", "::ffff:1")],
)
def test_plain_host__ipv4_as_such(host: str, plain: str) -> None:
    assert plain_host(host) == plain
