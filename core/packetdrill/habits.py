"""When Linux does not delay an ACK: the first segments of a connection, until it shows itself to be a
conversation.

Owns the count. The delay itself is the connection's; here it is only cut short.

Source: tcp(7), TCP_QUICKACK; the count of 16 and the delay of 40 ms are those of Linux's headers.
"""

from typing import TYPE_CHECKING

import msgspec
from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.parameters import MILLISECOND_US
from gossamer.core.wire.segment import Segment

if TYPE_CHECKING:
    from gossamer.core.packetdrill.host import Endpoint

CONVERSATION_US = 40 * MILLISECOND_US
"""An answer within this time of what it answers makes a conversation."""


class AckHabit:
    """How many ACKs of one connection are still to go out at once."""

    def __init__(self, quick_acks: int) -> None:
        self.most = quick_acks
        self.left = quick_acks
        self.is_conversation = False
        self._received_at_us = -NEVER_US

    def received(self, endpoint: "Endpoint", segment: Segment, now_us: int) -> None:
        """A segment was taken: have its ACK sent now, if this is the habit."""
        if not segment.payload:
            return
        self._received_at_us = now_us
        tcb = endpoint.tcb
        if tcb is not None and self.left and not self.is_conversation and tcb.ack_at_us < NEVER_US:
            endpoint.connection = msgspec.structs.replace(tcb, ack_at_us=now_us)

    def sent(self, segment: Segment, now_us: int) -> None:
        """A segment goes out."""
        if segment.payload:
            self.is_conversation = now_us - self._received_at_us < CONVERSATION_US
        elif self.left:
            self.left -= 1

    def be_quick(self, quick: bool) -> None:
        """setsockopt(TCP_QUICKACK)."""
        self.left = self.most if quick else 0
        self.is_conversation = not quick
