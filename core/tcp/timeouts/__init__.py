"""TIMEOUTS: what happens when a deadline of a connection has passed. One module per timer.

Deadlines are fields of the Tcb; `deadline_us` is the next of them and nothing ever walks all connections.

Source: RFC 9293 3.10.8.
"""

from gossamer.core.tcp.timeouts.expiry import deadline_us, expired

__all__ = ["deadline_us", "expired"]
