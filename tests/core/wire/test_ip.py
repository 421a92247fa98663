"""Addresses that no connection can have."""

import ipaddress

import pytest

from gossamer.core.wire.ip import flow_address, is_bad_address, wire_address


@pytest.mark.parametrize(
    ("address", "is_bad"),
    [
        ("0.0.0.0", True),
        ("255.255.255.255", True),
        ("224.0.0.1", True),
        ("239.255.255.255", True),
        ("223.255.255.255", False),
        ("240.0.0.1", False),
        ("127.0.0.1", False),
        ("::", True),
        ("ff02::1", True),
        ("::ffff:10.0.0.1", True),
        ("::1", False),
        ("fe80::1", False),
        ("::fffe:10.0.0.1", False),
    ],
)
def test_is_bad_address(address: str, is_bad: bool) -> None:
    assert is_bad_address(ipaddress.ip_address(address).packed) is is_bad


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1"])
def test_flow_address__turned_back__same_octets(address: str) -> None:
    packed = ipaddress.ip_address(address).packed
    assert len(flow_address(packed)) == 16
    assert wire_address(flow_address(packed)) == packed
