"""What is told of a connection that goes on: its user hears of urgent data and of errors that do not end it,
the sink of what had to be sent again.

Owns the counts of these. Whether there is something to tell is decided in `core.tcp`.

Source: RFC 9293 3.9.1.8 (reports of errors that are soft), 3.8.3 (R1).
"""

from gossamer.core.loop.tcp.call import Connection
from gossamer.core.loop.tcp.failure import error_of
from gossamer.core.loop.tcp.side import Performs, Signals
from gossamer.core.tcp.actions import Failure, Signal, SoftFailure, Urgent
from gossamer.ffi.packets import PacketSink


class Notices:
    """Tells of all connections of a loop."""

    def __init__(self, sink: PacketSink) -> None:
        self.performs: Performs = {Urgent: self._perform_urgent, SoftFailure: self._perform_soft_failure}
        self.signals: Signals = {
            Signal.DELIVERY_PROBLEM: self._on_delivery_problem,
            Signal.RETRANSMITTED: self._on_retransmitted,
        }
        self._sink = sink
        self._retransmits_total = 0
        self._delivery_problems_total = 0

    def statistics(self) -> dict[str, int]:
        """Counts since the start."""
        return {
            "retransmits_total": self._retransmits_total,
            "delivery_problems_total": self._delivery_problems_total,
        }

    def _perform_urgent(self, connection: Connection, action: Urgent) -> None:
        if connection.on_urgent is not None:
            connection.on_urgent(action.ahead_bytes)

    def _perform_soft_failure(self, connection: Connection, action: SoftFailure) -> None:
        if connection.on_soft_error is not None:
            connection.on_soft_error(error_of(action.failure))

    def _on_delivery_problem(self, connection: Connection) -> None:
        self._delivery_problems_total += 1
        self._perform_soft_failure(connection, SoftFailure(Failure.TIMED_OUT))

    def _on_retransmitted(self, connection: Connection) -> None:
        self._retransmits_total += 1
        if connection.tcb is not None and connection.tcb.backoff:
            self._sink.doubt(connection.flow)
