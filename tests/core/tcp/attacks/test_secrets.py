"""What of us can be predicted from outside: nothing."""

import itertools

from gossamer.core.loop.tcp.ports import LocalPorts
from gossamer.core.seq import MASK
from gossamer.core.tcp.isn import initial_numbers
from gossamer.core.wire.flow import pack_flow


def test_isn_prediction__numbers_of_other_flows_reveal_nothing() -> None:
    """RFC 6528: sorted by port, differences of neighbours are spread over all 32 bits."""
    secret = bytes(range(32))
    flows = [pack_flow(("10.0.0.2", 80), ("10.0.0.1", port)) for port in range(1_024, 3_072)]
    numbers = [initial_numbers(flow, secret, 5_000)[0] for flow in flows]
    steps = [(b - a) & MASK for a, b in itertools.pairwise(numbers)]
    assert len(set(steps)) > 2_040
    for bit in range(32):
        ones = sum(step_ >> bit & 1 for step_ in steps)
        assert 850 < ones < 1_200, f"bit {bit} of the differences is predictable"


def test_timestamp_clock_leak__offsets_differ_and_hold_on_one_flow() -> None:
    """RFC 7323 7.1; RFC 6191 needs them steady on one flow."""
    secret = bytes(range(32))
    flows = [pack_flow(("10.0.0.2", 80), ("10.0.0.1", port)) for port in range(1_024, 2_048)]
    offsets = [initial_numbers(flow, secret, 0)[1] for flow in flows]
    assert len(set(offsets)) > 1_020
    assert offsets == [initial_numbers(flow, secret, 10**9)[1] for flow in flows]


def test_port_prediction__another_secret_another_place() -> None:
    """RFC 6056 3.3.3: the offset is a keyed function of the remote socket."""
    ports, remote = range(61_000, 62_000), ("10.0.0.2", 80)
    firsts = {next(LocalPorts(ports, bytes([key]) * 32).candidates("10.0.0.1", remote)) for key in range(50)}
    assert len(firsts) > 40
    others = {
        next(LocalPorts(ports, b"k" * 32).candidates("10.0.0.1", (f"10.0.1.{n}", 80))) for n in range(50)
    }
    assert len(others) > 40
