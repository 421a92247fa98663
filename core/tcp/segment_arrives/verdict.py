"""What a check says."""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.wire.segment import Segment


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The connection after a check, the segment as far as it is still to be processed, and whether that ends
    here."""

    tcb: Tcb | TimeWait | None
    segment: Segment
    actions: Actions = ()
    stops: bool = False


PROCEED: Final = None
"""A check that found nothing: go on with the next."""

Check = Callable[[Tcb, Segment, SegmentArrives], Verdict | None]
