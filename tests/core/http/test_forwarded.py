"""Whom proxies heard: only as far as they are trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.forwarded import HOPS_MAX, client_address, hops_of, networks_of

PEER = "10.0.0.1"
TRUSTED = networks_of(["10.0.0.0/8", "::1", "2001:db8:1::/48"])


def client(value: str, peer: str = PEER, field: str = "x-forwarded-for") -> str:
    return client_address(peer, hops_of(field, value), TRUSTED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),  # what stands before is only what a client says
        ("192.0.2.7, 10.1.1.1", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, unknown", PEER),
        ("192.0.2.7, unknown, 10.1.1.1", "10.1.1.1"),
        ("", PEER),
        (",,", PEER),
        ("999.1.1.1", PEER),
        ("1.2.3.4\\n", PEER),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
    ],
)
def test_x_forwarded_for__of_a_trusted_peer(value: str, expected: str) -> None:
    assert client(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=192.0.2.7;proto=https;by=10.0.0.1", "192.0.2.7"),
        ('for="[2001:db8::7]:4711"', "2001:db8::7"),
        ("for=203.0.113.9, for=192.0.2.7", "192.0.2.7"),
        ('for="a,for=203.0.113.9", for=192.0.2.7', "192.0.2.7"),
        ("for=unknown", PEER),
        ("for=_hidden", PEER),
        ("for=192.0.2.7;for=192.0.2.8", PEER),
        ("proto=https", PEER),
    ],
)
def test_forwarded__of_a_trusted_peer(value: str, expected: str) -> None:
    assert client(value, field="forwarded") == expected


def test_peer_that_nobody_trusts__its_own_address() -> None:
    assert client("192.0.2.7", "203.0.113.1") == "203.0.113.1"
    assert client("192.0.2.7", "-") == "-"


def test_many_hops__bounded() -> None:
    assert client("192.0.2.7" + ", 10.0.0.2" * HOPS_MAX) == "10.0.0.2"


@given(st.text(max_size=200), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_anything__an_address_or_the_peer(value: str, field: str) -> None:
    assert client(value, field=field)
