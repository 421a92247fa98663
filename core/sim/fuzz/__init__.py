"""A byte fuzzer: real packets, and packets with bytes overwritten, against a whole host in virtual time.

    shot.py      one packet of an attacker, described by how it differs from the right one
    victim.py    the host: listeners, an active open, and what must hold after every packet
    mutation.py  one volley of shots made from others
    campaign.py  round after round; what reaches something new is kept

    packet:  shot -> bytes -> MemorySource -> parse -> demux -> step -> perform -> answers

`python -m gossamer.core.sim.fuzz` (or `make fuzz`) runs for as long as its options say.
"""
