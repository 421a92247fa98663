"""What a new connection is given from outside the pure core: initial sequence number, timestamp offset, MSS.

Holds the secret key of sequence numbers and timestamps. It is the same in every process of a boot: what
follows on a flow then stands above what its peer remembers, in a process that has just started too.

Source: RFC 6528, RFC 7323 7.1, RFC 6191 2.
"""

from collections.abc import Callable

from gossamer.core.seq import Seq, seq_add, seq_le
from gossamer.core.tcp.constants import IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, MSS_FLOOR, TCP_HEADER_BYTES
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.isn import age_us, initial_numbers
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import TimeWait
from gossamer.core.wire.flow import MAPPED_PREFIX, Flow, is_ipv4

LOOPBACK_IPV4 = MAPPED_PREFIX + b"\x7f"
LOOPBACK_IPV6 = b"\x00" * 15 + b"\x01"
REUSE_STEP_BYTES = 1 << 16


def no_link(_address: bytes) -> int:
    """The MTU of no link is known."""
    return 0


class Openings:
    """Makes the `Opening` of each connection. `link_mtu(address)` is what the link of an address of ours
    carries, 0 when it is not known."""

    def __init__(
        self, parameters: TcpParameters, secret: bytes, link_mtu: Callable[[bytes], int] = no_link
    ) -> None:
        self._link_mtu = link_mtu
        self._parameters = parameters
        self._secret = secret

    def passive(self, flow: Flow, before: TimeWait | None, now_us: int) -> Opening:
        """For a SYN on `flow`; `before` is what the flow left in TIME-WAIT."""
        iss, ts_offset = initial_numbers(flow, self._secret, now_us)
        if before is not None and seq_le(iss, before.snd_nxt):
            # RFC 9293 3.6.1: the new ISN must be "larger than the largest sequence number it used on the
            # previous connection incarnation".
            iss = seq_add(Seq(before.snd_nxt), REUSE_STEP_BYTES)
        return Opening(
            now_us=now_us,
            iss=iss,
            ts_offset=ts_offset,
            mss=self._mss(flow),
            is_ipv6=not is_ipv4(flow),
        )

    def age_us(self, flow: Flow, iss: Seq, now_us: int) -> int:
        """How long ago a connection was given its ISN here, or in another process of this boot; see
        `core.tcp.isn`."""
        return age_us(flow, self._secret, iss, now_us)

    def active(self, flow: Flow, before: TimeWait | None, now_us: int) -> Opening:
        """For an active open: all the same."""
        return self.passive(flow, before, now_us)

    def _mss(self, flow: Flow) -> int:
        """The largest segment to ask for: what the link of this flow carries.

        RFC 9293 3.7.1: "The MSS value to be sent in an MSS Option should be equal to the effective MTU minus
        the fixed IP and TCP headers."
        """
        remote = flow[:16]
        if remote.startswith(LOOPBACK_IPV4) or remote == LOOPBACK_IPV6 or remote == flow[16:32]:
            return self._parameters.loopback_mss
        ip_bytes = IPV4_HEADER_BYTES if is_ipv4(flow) else IPV6_HEADER_BYTES
        wanted = self._parameters.mss + IPV4_HEADER_BYTES - ip_bytes
        mtu = self._link_mtu(flow[16:32])
        return max(min(wanted, mtu - ip_bytes - TCP_HEADER_BYTES), MSS_FLOOR) if mtu else wanted
