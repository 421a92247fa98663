"""Initial sequence numbers: a clock, and a keyed function of the sockets."""

from gossamer.core.seq import MASK
from gossamer.core.tcp.isn import AGE_MAX_US, SECRET_BYTES, age_us, initial_numbers
from gossamer.core.wire.flow import pack_flow

FLOW = pack_flow(("10.0.0.2", 80), ("10.0.0.1", 50_000))
SECRET = bytes(range(SECRET_BYTES))


def test_isn__later__one_more_each_four_microseconds() -> None:
    """RFC 9293 3.4.1, MUST-8: a clock "whose low-order bit is incremented roughly every 4 microseconds", and
    which wraps."""
    first, _ = initial_numbers(FLOW, SECRET, 0)
    for now_us in (4, 1_000_000, 4 << 32, (4 << 32) + 40):
        assert (initial_numbers(FLOW, SECRET, now_us)[0] - first) & MASK == now_us // 4 & MASK


def test_isn__another_key__another_number() -> None:
    """MUST-9: nobody without the key can compute it."""
    secrets = [bytes([key]) * SECRET_BYTES for key in range(200)]
    assert len({initial_numbers(FLOW, secret, 0) for secret in secrets}) == 200


def test_age__of_an_isn__is_how_long_ago_it_was_chosen__until_the_clock_comes_round() -> None:
    for began_us in (0, 12_345_678, (4 << 32) - 4):
        iss, _ = initial_numbers(FLOW, SECRET, began_us)
        for age in (0, 4, 7_000_000, AGE_MAX_US - 4):
            assert abs(age_us(FLOW, SECRET, iss, began_us + age) - age) <= 4
        assert age_us(FLOW, SECRET, iss, began_us + AGE_MAX_US) == 0
