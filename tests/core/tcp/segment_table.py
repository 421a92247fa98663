"""SEGMENT ARRIVES, as the RFC has it: for every state, eight kinds of segment, without text and with 100
octets of it, and four places: left of the window, exactly at RCV.NXT, inside the window behind a gap, right
of the window. Written from RFC 9293 3.10.7 and RFC 5961, not from what the code does.

A segment with ACK acknowledges all that was sent. What a cell says:

    -        nothing is sent
    ack      <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, RCV.NXT being what it was
    acked    the same, RCV.NXT having moved over text and FIN
    taken    text goes into the buffer, its ACK is delayed
    held     text or FIN is kept for later, and the ACK repeats RCV.NXT
    synack   <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>
    reset    a RST made from the segment (3.10.7.1)

and, behind a slash, the state that follows when it is another. A star marks where we differ from RFC 9293:

    SYN-RECEIVED, SYN in the window: RFC 5961 4.2's challenge ACK there too, where the RFC would drop the
    half-open connection for anybody's forged SYN.
    LISTEN, SYN with FIN stands in tests of its own. SYN with text: the text is left to be sent again.
    SYN-SENT, SYN with text: what is kept until ESTABLISHED is acknowledged with the SYN.
    CLOSING, FIN at RCV.NXT: a FIN behind the FIN that came is nobody's, so that its ACK of ours alone counts.
    TIME-WAIT: nothing can follow the peer's FIN, so that all but an empty ACK at RCV.NXT is out of the
    window, and answered; what has neither ACK nor SYN is dropped wherever it stands.
"""

from typing import Final

PLACES: Final = ("left", "exact", "inside", "right")

CLOSED: Final = """
syn      reset    reset    reset    reset
+text    reset    reset    reset    reset
synack   reset    reset    reset    reset
+text    reset    reset    reset    reset
ack      reset    reset    reset    reset
+text    reset    reset    reset    reset
finack   reset    reset    reset    reset
+text    reset    reset    reset    reset
rst      -        -        -        -
+text    -        -        -        -
rstack   -        -        -        -
+text    -        -        -        -
fin      reset    reset    reset    reset
+text    reset    reset    reset    reset
none     reset    reset    reset    reset
+text    reset    reset    reset    reset
"""

LISTEN: Final = """
syn      synack/SYN_RECEIVED synack/SYN_RECEIVED synack/SYN_RECEIVED synack/SYN_RECEIVED
+text    synack/SYN_RECEIVED synack/SYN_RECEIVED synack/SYN_RECEIVED synack/SYN_RECEIVED
synack   reset    reset    reset    reset
+text    reset    reset    reset    reset
ack      reset    reset    reset    reset
+text    reset    reset    reset    reset
finack   reset    reset    reset    reset
+text    reset    reset    reset    reset
rst      -        -        -        -
+text    -        -        -        -
rstack   -        -        -        -
+text    -        -        -        -
fin      -        -        -        -
+text    -        -        -        -
none     -        -        -        -
+text    -        -        -        -
"""

SYN_SENT: Final = """
syn      synack/SYN_RECEIVED synack/SYN_RECEIVED synack/SYN_RECEIVED synack/SYN_RECEIVED
+text    synack/SYN_RECEIVED* synack/SYN_RECEIVED* synack/SYN_RECEIVED* synack/SYN_RECEIVED*
synack   acked/ESTABLISHED acked/ESTABLISHED acked/ESTABLISHED acked/ESTABLISHED
+text    acked/ESTABLISHED acked/ESTABLISHED acked/ESTABLISHED acked/ESTABLISHED
ack      -        -        -        -
+text    -        -        -        -
finack   -        -        -        -
+text    -        -        -        -
rst      -        -        -        -
+text    -        -        -        -
rstack   -/CLOSED -/CLOSED -/CLOSED -/CLOSED
+text    -/CLOSED -/CLOSED -/CLOSED -/CLOSED
fin      -        -        -        -
+text    -        -        -        -
none     -        -        -        -
+text    -        -        -        -
"""

SYN_RECEIVED: Final = """
syn      ack      ack*     ack*     ack
+text    ack      ack*     ack*     ack
synack   ack      ack*     ack*     ack
+text    ack      ack*     ack*     ack
ack      ack      -/ESTABLISHED     -/ESTABLISHED    ack
+text    ack      taken/ESTABLISHED held/ESTABLISHED ack
finack   ack      acked/CLOSE_WAIT  held/ESTABLISHED ack
+text    ack      acked/CLOSE_WAIT  held/ESTABLISHED ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

ESTABLISHED: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -        -        ack
+text    ack      taken    held     ack
finack   ack      acked/CLOSE_WAIT  held     ack
+text    ack      acked/CLOSE_WAIT  held     ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

FIN_WAIT_1: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -/FIN_WAIT_2      -/FIN_WAIT_2     ack
+text    ack      taken/FIN_WAIT_2  held/FIN_WAIT_2  ack
finack   ack      acked/TIME_WAIT   held/FIN_WAIT_2  ack
+text    ack      acked/TIME_WAIT   held/FIN_WAIT_2  ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

FIN_WAIT_2: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -        -        ack
+text    ack      taken    held     ack
finack   ack      acked/TIME_WAIT   held     ack
+text    ack      acked/TIME_WAIT   held     ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

CLOSE_WAIT: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -        -        ack
+text    ack      -        -        ack
finack   ack      ack      ack      ack
+text    ack      ack      ack      ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

CLOSING: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -/TIME_WAIT       -/TIME_WAIT      ack
+text    ack      -/TIME_WAIT       -/TIME_WAIT      ack
finack   ack      -/TIME_WAIT*      -/TIME_WAIT*     ack
+text    ack      -/TIME_WAIT*      -/TIME_WAIT*     ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

LAST_ACK: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -/CLOSED -/CLOSED ack
+text    ack      -/CLOSED -/CLOSED ack
finack   ack      -/CLOSED -/CLOSED ack
+text    ack      -/CLOSED -/CLOSED ack
rst      -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
rstack   -        -/CLOSED ack      -
+text    -        -/CLOSED ack      -
fin      ack      -        -        ack
+text    ack      -        -        ack
none     ack      -        -        ack
+text    ack      -        -        ack
"""

TIME_WAIT: Final = """
syn      ack      ack      ack      ack
+text    ack      ack      ack      ack
synack   ack      ack      ack      ack
+text    ack      ack      ack      ack
ack      ack      -        ack*     ack
+text    ack      ack*     ack*     ack
finack   ack      ack      ack      ack
+text    ack      ack      ack      ack
rst      -        -        -        -
+text    -        -        -        -
rstack   -        -        -        -
+text    -        -        -        -
fin      -*       -        -        -*
+text    -*       -        -        -*
none     -*       -        -        -*
+text    -*       -        -        -*
"""

TABLES: Final = {
    "CLOSED": CLOSED,
    "LISTEN": LISTEN,
    "SYN_SENT": SYN_SENT,
    "SYN_RECEIVED": SYN_RECEIVED,
    "ESTABLISHED": ESTABLISHED,
    "FIN_WAIT_1": FIN_WAIT_1,
    "FIN_WAIT_2": FIN_WAIT_2,
    "CLOSE_WAIT": CLOSE_WAIT,
    "CLOSING": CLOSING,
    "LAST_ACK": LAST_ACK,
    "TIME_WAIT": TIME_WAIT,
}
