"""The fields of tcp_info that assertions look at, those of sockets without a connection too.

Source: tcp(7), TCP_INFO; linux/tcp.h.
"""

import msgspec

from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import INFO_OPTIONS, TCP_STATES
from gossamer.core.tcp.info import info


def fields(made: Socket, now_us: int) -> dict[str, int | str]:
    """All fields that are kept of a socket."""
    endpoint = made.endpoint
    if endpoint is None:
        state = TCP_STATES["TCP_LISTEN"] if made.queue is not None else TCP_STATES["TCP_CLOSE"]
        return {"tcpi_state": state}
    record = info(endpoint.connection, now_us)
    found = {name: value for name, value in msgspec.structs.asdict(record).items() if value is not None}
    found.setdefault("tcpi_options", 0)
    if endpoint.had_syn_data and "tcpi_options" in found:
        found["tcpi_options"] |= INFO_OPTIONS["TCPI_OPT_SYN_DATA"]
    return found
