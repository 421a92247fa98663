"""An algorithm of a user's own, held to the interface.

Owns `Own`: it stands before the user's `Control` wherever the TCP meets it, and what comes back is a window
or an error that names the algorithm. It runs interpreted in every build, as the user's module does.
"""

from gossamer.core.errors import GossamerError
from gossamer.core.tcp.congestion.control import Ack, Control, Loss
from gossamer.core.tcp.congestion.record import Congestion


class CongestionControlError(GossamerError):
    """A user's own algorithm gave something that is no window."""


class Own(Control):
    """The algorithm that configuration calls `called` ("module:attribute").

    Each event raises: CongestionControlError.
    """

    def __init__(self, called: str, control: Control) -> None:
        self._called, self._control = called, control
        # What `Control` declares for classes, this has of the instance that it stands for.
        self.__dict__.update(name=control.name, memory=control.memory, paces=control.paces)

    def begin(self, cwnd: int, smss: int) -> Congestion:
        return self._checked(self._control.begin(cwnd, smss))

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        return self._checked(self._control.on_ack(congestion, ack))

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        return self._checked(self._control.on_loss(congestion, loss))

    def on_rto(self, congestion: Congestion, loss: Loss, first: bool) -> Congestion:
        return self._checked(self._control.on_rto(congestion, loss, first))

    def on_ecn(self, congestion: Congestion, loss: Loss) -> Congestion:
        return self._checked(self._control.on_ecn(congestion, loss))

    def on_recovered(self, congestion: Congestion, loss: Loss) -> Congestion:
        return self._checked(self._control.on_recovered(congestion, loss))

    def on_undo(self, congestion: Congestion, before: Congestion) -> Congestion:
        return self._checked(self._control.on_undo(congestion, before))

    def on_idle(self, congestion: Congestion, restart_window: int) -> Congestion:
        return self._checked(self._control.on_idle(congestion, restart_window))

    def _checked(self, found: Congestion) -> Congestion:
        name = self._called
        if type(found) is not Congestion:
            raise CongestionControlError(f'congestion control "{name}" returned {found!r}: no Congestion')
        if type(found.cwnd) is not int or type(found.ssthresh) is not int or found.cwnd <= 0:
            raise CongestionControlError(
                f'congestion control "{name}" returned cwnd {found.cwnd!r} and ssthresh {found.ssthresh!r}: '
                "both are whole numbers of octets, and cwnd is above 0"
            )
        return found
