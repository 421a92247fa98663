"""BBR, version 3: a model of the path (how fast it delivers, how long it is, how much it holds) says how fast
to send.

    memory.py        what is remembered: one record for each room that follows
    rounds.py        round trips, counted by what is acknowledged; whether cwnd was the limit  5.5.1
    bandwidth.py     max_bw, and whether the pipe is full                                    5.5.2, 5.3.1.2
    min_rtt.py       the least round trip, and ProbeRTT, which looks for it                  5.3.4, 5.5.7
    aggregation.py   extra_acked: how far ACKs come in bursts                                5.5.9
    short_term.py    bw_shortterm, inflight_shortterm: what loss says of this moment         5.5.10.3
    cycle.py         DOWN, CRUISE, REFILL, UP: what entering each does                       5.3.3.9
    long_term.py     inflight_longterm: what loss said while bandwidth was probed            5.5.10.2
    startup.py       Startup and Drain: when each is over                                    5.3.1, 5.3.2
    probe_bw.py      ProbeBW: when it goes from one phase to the next                        5.3.3
    inflight.py      how much may be in flight, and cwnd                                     5.6.4
    control.py       the order of all this with each ACK, and pacing; the `Control`          5.2.3, 5.6.2

Loss while bandwidth is not probed lowers the rate to what was delivered, until the next probe asks anew; more
than LossThresh (2 % of a round trip) in a probe bounds what may be in flight, in the next probes too. So a
path with random loss stays busy, and others that share a small buffer keep a part of it.

Source: draft-ietf-ccwg-bbr-06.
"""

from gossamer.core.tcp.congestion.bbr.control import Bbr

__all__ = ["Bbr"]
