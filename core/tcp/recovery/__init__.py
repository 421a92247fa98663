"""Loss recovery: what is lost, and what of it may be sent again now.

scoreboard.py   which octets the peer has reported (RFC 2018, RFC 6675)
fast.py         duplicate ACKs, fast retransmit and recovery (RFC 5681, 6582, 6675), what follows a timeout
"""
