"""Whole transfers over bad wires: every octet arrives, once and in order, and every invariant holds on the
way."""

from random import Random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from gossamer.core.seq import MASK, Seq
from gossamer.core.sim import oracle
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.tcp.parameters import TcpParameters

LOSSY = Faults(loss=0.05, duplicate=0.02, reorder=0.05, jitter_us=3_000)
AWFUL = Faults(loss=0.2, duplicate=0.1, reorder=0.2, jitter_us=10_000)


def octets(seed: int, size: int) -> bytes:
    return Random(seed).randbytes(size)


def check_finished(pair: Pair, to_server: bytes, to_client: bytes) -> None:
    """Both directions are complete, both ends saw the end, and nothing is left."""
    client, server = pair.client, pair.server
    assert server is not None
    for end, expected in ((client, to_client), (server, to_server)):
        assert end.failure is None
        assert bytes(end.received) == expected
        assert end.has_ended
        assert end.connection is None


def transfer(client: EndSetting, server: EndSetting, seed: int) -> Pair:
    pair = Pair(client, server, seed, oracle.check)
    pair.run()
    check_finished(pair, client.user.sends, server.user.sends)
    return pair


ISS = {
    "small": Seq(1),
    "wraps": Seq(MASK - 5_000),
    "wraps at the SYN": Seq(MASK),
    "sign bit": Seq((1 << 31) - 5_000),
}


@pytest.mark.parametrize("iss", ISS.values(), ids=ISS.keys())
@pytest.mark.parametrize("faults", [Faults(), LOSSY, AWFUL], ids=["perfect", "lossy", "awful"])
@pytest.mark.parametrize("options", ["all", "no sack", "no timestamps", "none"])
def test_both_ways__whatever_the_wire_and_the_options__octets_are_exact(
    options: str, faults: Faults, iss: Seq
) -> None:
    parameters = TcpParameters(
        sack=options in ("all", "no timestamps"),
        timestamps=options in ("all", "no sack"),
        window_scaling=options != "none",
        retries=60,
        syn_retries=60,
        synack_retries=60,
    )
    there, back = User(octets(1, 60_000)), User(octets(2, 45_000))
    client = EndSetting(there, parameters, iss=iss, faults=faults)
    transfer(
        client, EndSetting(back, parameters, iss=Seq((iss + 77) & MASK), faults=faults), seed=iss & 0xFFFF
    )


@st.composite
def settings_of_an_end(draw: st.DrawFn) -> EndSetting:
    """Any end that is worth trying: small buffers, odd segment sizes, slow readers, small writes."""
    parameters = TcpParameters(
        receive_buffer_bytes=draw(st.sampled_from((200, 1_000, 3_000, 20_000, 1 << 20))),
        send_buffer_bytes=draw(st.sampled_from((100, 150, 3_000, 40_000, 1 << 20))),
        nodelay=draw(st.booleans()),
        window_scaling=draw(st.booleans()),
        timestamps=draw(st.booleans()),
        sack=draw(st.booleans()),
        initial_window_segments=draw(st.sampled_from((1, 2, 10))),
        retries=60,
        syn_retries=60,
        synack_retries=60,
    )
    user = User(
        sends=octets(draw(st.integers(0, 99)), draw(st.sampled_from((0, 1, 900, 3_000)))),
        write_bytes=draw(st.sampled_from((50, 1_460, 65_536))),
        read_bytes=draw(st.sampled_from((97, 5_000, 65_536))),
        reads_every_us=draw(st.sampled_from((0, 0, 20_000, 40_000))),
    )
    faults = Faults(
        loss=draw(st.sampled_from((0.0, 0.0, 0.02, 0.05))),
        duplicate=draw(st.sampled_from((0.0, 0.05))),
        reorder=draw(st.sampled_from((0.0, 0.1))),
        delay_us=draw(st.sampled_from((50, 5_000, 150_000))),
        jitter_us=draw(st.sampled_from((0, 2_000))),
    )
    iss = Seq(draw(st.sampled_from((0, 1, MASK, MASK - 700, (1 << 31) - 700))))
    return EndSetting(
        user, parameters, iss, ts_offset=iss, mss=draw(st.sampled_from((100, 536, 1_460))), faults=faults
    )


@given(client=settings_of_an_end(), server=settings_of_an_end(), seed=st.integers(0, 10_000))
def test_any_two_ends_on_any_wire__octets_are_exact(
    client: EndSetting, server: EndSetting, seed: int
) -> None:
    note(f"{seed=}")
    transfer(client, server, seed)
