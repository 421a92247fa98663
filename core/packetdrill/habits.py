"""When an ACK is not delayed: by Linux for the first segments of a connection, until it shows itself to be a
conversation, as one whose user waited to write does at once; by BSD for every second segment.

Owns the count. The delay itself is the connection's; here it is only cut short.

Source: tcp(7), TCP_QUICKACK; the count of 16 and the delay of 40 ms are those of Linux's headers.
"""

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.wire.segment import Segment

CONVERSATION_US = 40 * MILLISECOND_US
"""An answer within this time of what it answers makes a conversation."""


class AckHabit:
    """How many ACKs of one connection are still to go out at once."""

    def __init__(self, quick_acks: int, every_second: bool = False) -> None:
        self._every_second = every_second
        """Whether two segments of any size are acknowledged at once, and not two full ones only."""
        self._unanswered = 0
        self.most = quick_acks
        self.left = quick_acks
        self.is_conversation = False
        self._received_at_us = -NEVER_US

    def received(self, segment: Segment, now_us: int) -> bool:
        """A segment was taken; whether an ACK that waits goes out at once."""
        if not segment.payload:
            return False
        self._received_at_us = now_us
        self._unanswered += 1
        is_second = self._every_second and self._unanswered >= 2
        return is_second or (self.left > 0 and not self.is_conversation)

    def answered(self, now_us: int) -> None:
        """The peer answers the SYN of a user who waits to write: what goes out then is an answer to it."""
        self._received_at_us = now_us

    def sent(self, segment: Segment, now_us: int) -> None:
        """A segment goes out."""
        self._unanswered = 0
        if segment.payload:
            self.is_conversation = now_us - self._received_at_us < CONVERSATION_US
        elif self.left:
            self.left -= 1

    def be_quick(self, quick: bool) -> None:
        """setsockopt(TCP_QUICKACK)."""
        self.left = self.most if quick else 0
        self.is_conversation = not quick
