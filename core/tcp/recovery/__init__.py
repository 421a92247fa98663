"""Loss recovery: what is lost, and what of it may be sent again now.

    records.py            what is remembered
    acks.py               the order of the rules, for each ACK
    report.py             what an ACK says                        RFC 6675 2, RFC 2883
    scoreboard.py         which octets the peer has reported      RFC 2018, RFC 6675
    transmissions.py      when what is in flight was sent         RFC 8985 5.2
    losses.py             which rule finds what is lost
    rack.py               by the clock, with SACK                 RFC 8985 6
    fast.py               fast recovery; duplicates without SACK  RFC 5681, RFC 6582
    discarded.py          what a peer without SACK did not keep   RFC 5682, RFC 6582
    timeout.py            after a retransmission timeout          RFC 6298, RFC 6675 5.1, RFC 2018 8
    tail_loss_probe.py    before one                              RFC 8985 7
    limited_transmit.py   before a loss is shown                  RFC 3042
    proportional_rate.py  how fast, while it lasts                RFC 9937
    spurious.py           when it was for nothing                 RFC 3522, RFC 3708, RFC 4015
    forward_rto.py        when a timeout was for nothing          RFC 5682
    dsack.py              what came twice, received and reported  RFC 2883
    retransmit.py         what goes again now
    ranges.py             disjoint ranges of sequence space

`core.tcp.congestion` decides how much may be in flight: it hears of losses and answers with cwnd.
"""
