"""Where other systems do not do as we do: what RFCs of before did, what RFCs forbid, what they leave open.

Owns the names of such habits. A server has none of them: they are for scripts about another system
(`core.packetdrill`, the profiles), which play the same `step` with them.

Source: RFC 793, and what FreeBSD's tcp(4) says.
"""

from typing import Final, Literal

import msgspec

from gossamer.core.clock import NEVER_US


class Deviations(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True
):
    """The habits of one system. The defaults are ours."""

    insecure_rst: bool = False
    """A RST anywhere in the window resets (RFC 793 3.4), without the challenge of RFC 5961 3.2."""
    insecure_syn: bool = False
    """A SYN in the window of a synchronized connection resets it (RFC 793 3.9), without that of RFC 5961
    4.2."""
    syn_fin: Literal["refuse", "open", "drop"] = "refuse"
    """A segment with SYN and FIN: no listener opens by it; it opens like any SYN (RFC 9293 3.10.7.2); or none
    is ever taken or answered."""
    receive_space_bytes: int = 0
    """What RCV.WND begins with instead of the whole buffer, once the peer is known rounded up to whole
    segments: more than the header's field can say without scaling. 0: the buffer, as far as the field can say
    it."""
    repeats_fin: bool = False
    """An ACK that leaves while our FIN is not acknowledged is that FIN again; challenges are not."""
    fin_despite_unread: bool = False
    """CLOSE with text that nobody received sends a FIN, and no RST (against RFC 9293 3.6.1, SHLD-3)."""
    syn_waits: bool = False
    """The reset of a wrong answer does not have our SYN sent again at once (RFC 9293 3.5.1, figure 9)."""
    holds_syn_text: bool = False
    """The text of a SYN that crossed ours is not acknowledged by the SYN-ACK, but once the handshake is
    over."""
    ignores_late_syn: bool = False
    """TIME-WAIT does not answer a SYN that does not open anew."""
    ect_on: Literal["data", "syn-ack", "all"] = "data"
    """What else may be ECT(0) beside new data: the SYN-ACK too (RFC 5562), or all, the SYN as well (as the
    draft of generalized ECN has it)."""
    cwr_on_retransmission: bool = False
    """CWR stands on the retransmission that reduced the window, and not on the next new data (RFC 3168
    6.1.2)."""
    ect_despite_mangling: bool = False
    """A peer that says that our SYN came marked, or whose ACK of our SYN-ACK has a field of 0, does not keep
    us from ECT (against RFC 9768 3.2.2.3 and 3.2.2.4)."""
    counts_marked_syn: bool = False
    """A SYN that came marked counts as a packet that did (against RFC 9768 3.2.1)."""
    plain_time_wait: bool = False
    """The ACK that enters TIME-WAIT says nothing of marks, whoever has closed
    (`core.tcp.accurate_ecn.is_silent_in_time_wait`)."""
    ecn_syns: int = 0
    """How many SYNs ask for ECN before one goes without. 0: by RFC 3168 6.1.1.1 one, by RFC 9768 3.1.4.1
    two."""
    plain_syn_from: int = 0
    """From this retransmission on a SYN has no option but its MSS; 0: never."""
    syn_gives_up_us: int = NEVER_US
    """How long a SYN waits for an answer at all."""
    icmp_ends: bool = True
    """Whether a hard ICMP error ends a connection that is being opened (RFC 9293 3.9.2.2, SHLD-26)."""
    rto_slop_us: int = 0
    """What is added to each retransmission timeout, backed off or not."""


NO_DEVIATIONS: Final = Deviations()
