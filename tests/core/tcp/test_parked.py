"""A quiet connection in few octets comes back as it was; any other is not packed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US
from gossamer.core.records import fields, replace
from gossamer.core.sim import states
from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import NUMBERS, pack, records, unpack
from gossamer.core.tcp.recovery.records import Delivery, Phase, Rack, Recovery, Run, Undo
from gossamer.core.tcp.tcb import (
    Agreed,
    Ecn,
    FastOpen,
    Path,
    Reassembly,
    RoundTrip,
    SendLimits,
    SoftError,
    State,
    Tcb,
    UserTimeout,
)

U32 = st.integers(0, (1 << 32) - 1)
TIME = st.integers(0, NEVER_US)
SHIFT = st.integers(0, 14)

OTHER: dict[str, Any] = {
    "state": State.CLOSE_WAIT,
    "snd_buf": (b"x",),
    "rcv_buf": (b"x",),
    "recovery": Recovery(Phase.DISORDER, 0),
    "reassembly": Reassembly(()),
    "receive_closed": True,
    "transmissions": (Run(0, 0),),
    "rack": Rack(),
    "undo": Undo(Congestion(0), 0, 0),
    "ecn": Ecn(),
    "delivery": Delivery(),
    "path": Path(),
    "soft_error": SoftError(Failure.RESET, 0),
    "user_timeout": UserTimeout(),
    "record_ends": (5,),
    "send_limits": SendLimits(5),
    "fast_open": FastOpen(),
    "agreed": Agreed(TcpParameters(mss=1000), 5),
    "congestion": Congestion(77, memory=(1,)),
    "round_trip": RoundTrip(5),
}
"""Another value for each field that is no number."""


def quiet() -> Tcb:
    tcb = states.established()
    return replace(tcb, last_ack_sent=tcb.rcv_nxt, ack_at_us=NEVER_US, rtx_at_us=NEVER_US)


def again(tcb: Tcb) -> Tcb | None:
    numbers = pack(tcb)
    if numbers is None:
        return None
    assert len(numbers) == NUMBERS.size == 143
    return unpack(numbers, records(tcb), tcb.agreed.parameters)


def test_pack__quiet__comes_back() -> None:
    assert again(quiet()) == quiet()


@pytest.mark.parametrize("name", [field.name for field in fields(Tcb)])
def test_pack__any_field_changed__comes_back_or_is_not_packed(name: str) -> None:
    found = getattr(quiet(), name)
    changed = OTHER[name] if name in OTHER else (found or 0) + 3
    tcb = replace(quiet(), **{name: changed})
    assert again(tcb) in (tcb, None)


@pytest.mark.parametrize("name", [field.name for field in fields(Agreed)][1:])
def test_pack__anything_else_agreed__comes_back(name: str) -> None:
    tcb = quiet()
    found = getattr(tcb.agreed, name)
    changed = not found if isinstance(found, bool) else {"ect": 2}.get(name, 7)
    tcb = replace(tcb, agreed=replace(tcb.agreed, **{name: changed}))
    # Accurate ECN counts on, and so do the octets of a SYN: such a connection stays awake.
    stays_awake = name in ("accurate_ecn", "syn_text_bytes", "syn_taken_bytes")
    assert again(tcb) == (None if stays_awake else tcb)


@given(numbers=st.lists(U32, min_size=10, max_size=10), times=st.lists(TIME, min_size=6, max_size=6))
def test_pack__any_numbers__come_back(numbers: list[int], times: list[int]) -> None:
    seq, una, wl1, recent, iss, irs, offset, wnd, rcv, most = numbers
    tcb = quiet()
    tcb = replace(
        tcb,
        rcv_nxt=seq,
        last_ack_sent=seq,
        snd_una=una,
        snd_nxt=una,
        snd_wl1=wl1,
        ts_recent=recent,
        snd_wnd=wnd,
        rcv_wnd=rcv,
        max_snd_wnd=most,
        agreed=replace(tcb.agreed, iss=iss, irs=irs, ts_offset=offset),
        rcv_at_us=times[0],
        snd_at_us=times[1],
        rtt_at_us=times[2],
        slow_at_us=times[3],
        challenge_at_us=times[4],
        round_trip=replace(tcb.round_trip, min_since_us=times[5]),
    )
    assert again(tcb) == tcb


def test_pack__number_without_room__not_packed() -> None:
    tcb = quiet()
    assert pack(replace(tcb, round_trip=replace(tcb.round_trip, rto_us=1 << 32))) is None


@pytest.mark.parametrize("state", [each for each in State if each is not State.ESTABLISHED])
def test_pack__any_other_state__not_packed(state: State) -> None:
    assert pack(replace(quiet(), state=state)) is None


@pytest.mark.parametrize(
    "name", ["undo", "rack", "ecn", "delivery", "path", "soft_error", "user_timeout", "congestion"]
)
def test_pack__what_a_loss_or_a_mark_has_left__comes_back(name: str) -> None:
    tcb = replace(quiet(), **{name: OTHER[name]})
    assert again(tcb) == tcb
