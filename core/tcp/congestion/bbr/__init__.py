"""BBR, version 1: a model of the path (how fast it delivers, how long it is) says how fast to send.

    memory.py    what is remembered, and the maximum filter
    model.py     from samples to the model: rounds, BtlBw, RTprop, whether the pipe is full
    modes.py     Startup, Drain, ProbeBW, ProbeRTT: which gains
    control.py   from the model and the gains to pacing rate and cwnd; the `Control`

Loss moves the model only through what is delivered, which keeps a path with random loss busy, and crowds out
Reno where buffers are small: it is to be chosen, not the default. Version 1 was taken, since it is what a
lossy path needs: later ones hold back above 2 % of loss. It knows no ECN; here a mark takes from the flight
for a round trip.

Source: draft-cardwell-iccrg-bbr-congestion-control-00.
"""

from gossamer.core.tcp.congestion.bbr.control import Bbr

__all__ = ["Bbr"]
