"""Another algorithm in the middle of a connection."""

import msgspec
import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.congestion.change import with_control
from gossamer.core.tcp.congestion.control import Ack, Control, Loss
from gossamer.core.tcp.congestion.named import UnknownCongestionControl, control_of
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.events import Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.timeouts import deadline_us


class Seen(msgspec.Struct, frozen=True, array_like=True):
    losses: int = 0


class Counting(Control):
    """Counts losses, and does nothing about them."""

    name = "counting"
    memory = Seen

    def begin(self, cwnd: int, smss: int) -> Congestion:
        del smss
        return Congestion(cwnd, memory=Seen())

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        del ack
        return congestion

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        del loss
        return replace(congestion, memory=Seen(congestion.memory.losses + 1))


def test_change__established__keeps_the_windows_and_takes_the_memory_of_the_new_one() -> None:
    tcb = states.established()
    tcb = replace(tcb, congestion=Congestion(50_000, 70_000, memory=None))
    changed = with_control(tcb, f"{__name__}:Counting")
    assert control_of(changed).name == "counting"
    assert changed.congestion == Congestion(50_000, 70_000, memory=Seen())
    assert decode(encode(changed)) == changed
    assert with_control(changed, "newreno").congestion.cwnd == 50_000


def test_change__unknown_name__is_an_error_and_the_connection_goes_on() -> None:
    with pytest.raises(UnknownCongestionControl, match="westwood"):
        with_control(states.established(), "westwood")


@pytest.mark.parametrize("before", ["cubic", "newreno", "bbr"])
@pytest.mark.parametrize("after", ["cubic", "newreno", "bbr"])
def test_change__while_something_is_sent_again__what_would_be_undone_is_forgotten(
    before: str, after: str
) -> None:
    """It is a window of the old algorithm, with a memory that the new one cannot read."""
    parameters = TcpParameters(congestion=before, tail_loss_probe=False)
    tcb = states.after(states.established(parameters), Send(b"x", states.NOW_US))
    tcb = states.after(tcb, Timeout(deadline_us(tcb)))
    assert tcb.undo is not None
    assert tcb.recovery is not None
    assert tcb.recovery.frto_step
    changed = with_control(tcb, after)
    assert changed.undo is None
    assert changed.recovery == replace(tcb.recovery, frto_step=0)
    assert decode(encode(changed)) == changed
