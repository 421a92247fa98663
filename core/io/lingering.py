"""The end of a connection in stages, so that what was said last arrives: for whoever ends one on which the
peer may be sending still.

Closed with octets that nobody has read, or that come later, a connection ends in a reset (RFC 9293 3.6.1,
SHLD-3), and a reset may overtake the last answer: the peer's TCP throws away what it has not handed over yet.
Source: RFC 9112 9.6.
"""

from typing import Final

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.errors import Draining
from gossamer.core.io.stream import Stream

LINGER_TIMEOUT_US: Final = 2 * SECOND_US
LINGER_BYTES_MAX: Final = 16 << 20
"""More than the longest of what is refused for its length, as a rule: a message of a WebSocket."""
RECV_BYTES: Final = 65536


async def linger(
    stream: Stream, clock: Clock, timeout_us: int = LINGER_TIMEOUT_US, bytes_max: int = LINGER_BYTES_MAX
) -> None:
    """Half-close, then read and drop until the peer's FIN; for a while, and some bytes, at most. The stream
    is to be closed then. Raises: OSError.

    RFC 9112 9.6: "If a server performs an immediate close of a TCP connection, there is a significant risk
    that the client will not be able to read the last HTTP response. [...] To avoid the TCP reset problem,
    servers typically close a connection in stages."
    """
    deadline_us = clock() + timeout_us
    left_bytes = bytes_max
    await stream.shutdown()
    try:
        while left_bytes > 0 and (left_us := deadline_us - clock()) > 0:
            data = await stream.recv(RECV_BYTES, left_us)
            if not data:
                return
            left_bytes -= len(data)
    except (TimeoutError, Draining):
        return
