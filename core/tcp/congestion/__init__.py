"""Congestion control: how much may be in flight. One file an algorithm, each a `Control` of pure functions
over a frozen record; `named` finds one by the name that stands in the connection's parameters.

    record.py           what a connection remembers for its algorithm
    control.py          the interface, what it is passed, and RFC 5681's answers as defaults
    cubic.py            RFC 9438: the default
    newreno.py          RFC 5681, RFC 3465
    slow_start.py       RFC 5681, RFC 3465, for both
    hystart.py          RFC 9406: when the first slow start ends
    bbr/                BBR, version 3
    initial_window.py   RFC 6928, and restart after idle
    named.py            by name: ours, or "module:attribute"
    change.py           another algorithm for a living connection

Loss recovery (`core.tcp.recovery`) decides what is lost; the algorithm only hears of it.

Source: RFC 5681 3; RFC 9438, RFC 9406.
"""
