"""A stream that is not kept."""

from gossamer.core.sim.octets import BLOCK_BYTES, Pattern


def test_parts__wherever_they_are_cut__make_the_same_stream() -> None:
    pattern = Pattern(3 * BLOCK_BYTES + 17, seed=3)
    whole = pattern[0 : len(pattern)]
    assert len(whole) == len(pattern)
    assert b"".join(pattern[at : at + 99_991] for at in range(0, len(pattern), 99_991)) == whole
    assert pattern[len(pattern) : len(pattern) + 5] == b""


def test_octets__out_of_place__do_not_match() -> None:
    pattern = Pattern(1 << 22)
    assert all(pattern[0:1_448] != pattern[shift : shift + 1_448] for shift in (1, 1_448, 1 << 16, 1 << 20))
