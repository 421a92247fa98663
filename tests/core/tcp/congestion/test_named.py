"""Algorithms by name."""

import msgspec
import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.tcp.codec import UndecodableConnection, decode, encode
from gossamer.core.tcp.congestion.control import Ack, Control, Loss
from gossamer.core.tcp.congestion.named import UnknownCongestionControl, control_of, named
from gossamer.core.tcp.congestion.record import Congestion


class Memory(msgspec.Struct, frozen=True, array_like=True):
    acks: int


class Patient(Control):
    """An algorithm of a user's own."""

    name = "patient"
    memory = Memory

    def begin(self, cwnd: int, smss: int) -> Congestion:
        del smss
        return Congestion(cwnd, memory=Memory(0))

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        del ack
        return replace(congestion, memory=Memory(congestion.memory.acks + 1))

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        return replace(congestion, cwnd=loss.smss)


def test_named__unknown__names_the_known_ones() -> None:
    with pytest.raises(UnknownCongestionControl, match=r'"vegas".*newreno.*"module:attribute"'):
        named("vegas")


@pytest.mark.parametrize("name", ["no_such_module:X", "gossamer.core.seq:MASK", "gossamer.core.seq:nothing"])
def test_named__not_importable_or_no_control__one_line(name: str) -> None:
    with pytest.raises(UnknownCongestionControl, match=name):
        named(name)


def test_named__own_algorithm__is_found_and_its_memory_survives_the_codec() -> None:
    tcb = states.established()
    parameters = replace(tcb.agreed.parameters, congestion=f"{__name__}:Patient")
    tcb = replace(
        tcb,
        agreed=replace(tcb.agreed, parameters=parameters),
        congestion=Congestion(14600, memory=Memory(3)),
    )
    assert control_of(tcb).name == "patient"
    assert decode(encode(tcb)) == tcb


def test_decode__algorithm_unknown_here__is_an_error_of_its_own() -> None:
    tcb = states.established()
    parameters = replace(tcb.agreed.parameters, congestion="vegas")
    tcb = replace(
        tcb, agreed=replace(tcb.agreed, parameters=parameters), congestion=Congestion(1, memory=Memory(3))
    )
    with pytest.raises(UndecodableConnection, match="vegas"):
        decode(encode(tcb))
