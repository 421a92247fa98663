"""When text last came in order: told from the header that was seen last, so that what comes as predicted
writes nothing down.

Source: TCP_INFO of tcp(7), tcpi_last_data_recv.
"""

from gossamer.core.seq import seq_lt
from gossamer.core.tcp.tcb import State, Tcb


def text_at_us(tcb: Tcb) -> int:
    """When the last text came in order; before any, when the connection was established.

    A segment in order sets SND.WL1 to where it began: it bore text when RCV.NXT lies behind that now.
    """
    is_synchronized = tcb.state > State.SYN_RECEIVED
    return tcb.rcv_at_us if is_synchronized and seq_lt(tcb.snd_wl1, tcb.rcv_nxt) else tcb.rcv_text_at_us
