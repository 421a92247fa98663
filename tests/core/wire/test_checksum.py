"""The Internet checksum against the worked example of its RFC and against its own definition."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.checksum import checksum, pseudo_header


def test_checksum__example_of_rfc1071_3__its_sum() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF


def test_checksum__odd_length__padded_with_zero() -> None:
    assert checksum(b"\x12\x34\x56") == checksum(b"\x12\x34\x56\x00") == (0x1234 + 0x5600) ^ 0xFFFF


def test_checksum__nothing__all_ones() -> None:
    assert checksum(b"") == 0xFFFF


@given(st.binary(max_size=300).filter(lambda octets: len(octets) % 2 == 0))
def test_checksum__put_behind_the_octets__verifies(octets: bytes) -> None:
    assert checksum(octets + checksum(octets).to_bytes(2, "big")) in (0, 0xFFFF)


@given(st.binary(min_size=2, max_size=100), st.data())
def test_checksum__one_octet_changed_by_one_bit__differs(octets: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(octets) - 1))
    changed = bytearray(octets)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert checksum(bytes(changed)) != checksum(octets)


def test_pseudo_header__over_ipv4__sums_like_the_twelve_octets_of_rfc9293() -> None:
    source, destination = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
    of_rfc = source + destination + bytes((0, 6)) + (1500).to_bytes(2, "big")
    assert checksum(pseudo_header(source, destination, 6, 1500)) == checksum(of_rfc)
