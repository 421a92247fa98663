"""SEGMENT ARRIVES in the synchronized states: the eight checks of RFC 9293 3.10.7.4, one module each, in
their order.

A check takes (tcb, segment, event) and returns a `Verdict`, or PROCEED when it has nothing to say. `arrives`
runs them and ends with what may be sent.
"""

from gossamer.core.tcp.segment_arrives.driver import arrives

__all__ = ["arrives"]
