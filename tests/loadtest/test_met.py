"""What clients met: what is a reset, and several as one."""

from collections import Counter

from gossamer.loadtest.met import Met


def test_lose__by_a_rst_or_without__a_reset_or_none() -> None:
    met = Met()
    met.lose(ConnectionResetError(), " behind 3 octets")
    met.lose(ConnectionRefusedError())
    met.lose(TimeoutError())
    assert met.lost == Counter(
        {"ConnectionResetError behind 3 octets": 1, "ConnectionRefusedError": 1, "TimeoutError": 1}
    )
    assert met.resets == 2


def test_add__counts_together_and_the_longest_of_both() -> None:
    met = Met(1, Counter(a=1), 2, 3, 4, 0.5)
    met.add(Met(10, Counter(a=1, b=1), 20, 30, 40, 0.25))
    assert met == Met(11, Counter(a=2, b=1), 22, 33, 44, 0.5)
