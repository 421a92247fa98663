"""A connection written down and read again goes on as if nothing had happened (law 2)."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from gossamer.core.layout import CONNECTION_LAYOUT
from gossamer.core.records import fields
from gossamer.core.sim import states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.tcp import tcb as records
from gossamer.core.tcp.codec import UndecodableConnection, decode, encode
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.parameters import PARAMETER_BOUNDS, TcpParameters
from gossamer.core.tcp.recovery.records import Delivery, Rack, Recovery, Run, Undo
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State

OCTETS = bytes(range(256)) * 80
BAD = Faults(loss=0.05, duplicate=0.03, reorder=0.1, jitter_us=5_000)


class Rewritten:
    """An observer that repeats every step from the connection as it was written down."""

    def __init__(self) -> None:
        self.states: set[str] = set()

    def __call__(self, before: Any, event: Any, after: Any, actions: Any) -> None:
        copy = decode(encode(before))
        assert copy == before
        assert step(copy, event) == (after, actions)
        self.states.add(before.state.name if hasattr(before, "state") else "TIME_WAIT")


@pytest.mark.parametrize("options", [True, False], ids=["all options", "no options"])
@pytest.mark.parametrize("seed", range(4))
def test_step_of_the_decoded__at_every_state_of_a_run__equals_step(options: bool, seed: int) -> None:
    parameters = TcpParameters(
        receive_buffer_bytes=20_000, sack=options, timestamps=options, window_scaling=options
    )
    setting = EndSetting(User(OCTETS, reads_every_us=20_000, read_bytes=3_000), parameters, faults=BAD)
    rewritten = Rewritten()
    Pair(setting, EndSetting(User(OCTETS[:9_000]), parameters, faults=BAD), seed, rewritten).run()
    assert {"SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1"} <= rewritten.states


@pytest.mark.parametrize("state", State, ids=lambda state: state.name.lower())
def test_each_state__comes_back_equal(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    assert decode(encode(tcb)) == tcb


def test_time_wait__comes_back_equal() -> None:
    assert decode(encode(states.time_wait())) == states.time_wait()


def test_parameters_that_no_operator_may_set__come_back_equal() -> None:
    beyond = PARAMETER_BOUNDS["delayed_ack_us"].most + 1
    tcb = states.established(TcpParameters(delayed_ack_us=beyond))
    assert decode(encode(tcb)).agreed.parameters.delayed_ack_us == beyond


WHOLE = encode(states.established())


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x02\x01", b"\x01\x09", b"\x01\x01", b"\x01\x01\xc1", WHOLE[:-3]]
)
def test_what_is_no_connection__says_so(data: bytes) -> None:
    with pytest.raises(UndecodableConnection):
        decode(data)


def names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


LAYOUT: dict[Any, tuple[int, str]] = {
    records.Agreed: (16, "965e1192"),
    Congestion: (7, "ca44082b"),
    records.EcnCounters: (3, "eb8a4c86"),
    records.Ecn: (10, "dc01081b"),
    Recovery: (24, "1029bfe1"),
    Delivery: (6, "7b7649b2"),
    Run: (5, "bdf70413"),
    Rack: (5, "e450cb32"),
    Undo: (7, "156344ab"),
    records.Block: (3, "426d0a97"),
    records.Reassembly: (4, "cd48420f"),
    records.Path: (8, "1f338715"),
    records.SoftError: (2, "19679d9d"),
    records.UserTimeout: (2, "63753aa7"),
    records.RoundTrip: (8, "d954017d"),
    records.SendLimits: (6, "40f8f5b0"),
    records.FastOpen: (4, "16e3783e"),
    records.Tcb: (47, "15a928e9"),
    records.TimeWait: (10, "dd70a751"),
}
"""How many fields each record of layout 1 had, and a digest of their names in order."""


@pytest.mark.parametrize("kind", LAYOUT, ids=lambda kind: kind.__name__)
def test_layout__a_record_has_other_fields_than_behind_the_old_ones__is_another_version(kind: Any) -> None:
    """An upgrade in place hands connections from one version to the next: where this fails, the layout is to
    be another, and these digests with it."""
    assert CONNECTION_LAYOUT == 1
    count, digest = LAYOUT[kind]
    assert sha256(" ".join(names(kind)[:count]).encode()).hexdigest()[:8] == digest
    assert all(field.default is not msgspec.NODEFAULT for field in fields(kind)[count:])
