"""examples/handshake.py, run."""

import re

from .programs import example, printed


def test_handshake__shows_each_step_and_what_it_changes() -> None:
    text = printed(example("handshake.py"))
    heads = re.findall(r"^([\d,]+) us, (\w+): (.*)$", text, re.MULTILINE)
    assert heads == [
        ("1,000,000", "client", "its user opens: SYN_SENT"),
        ("1,010,000", "server", "SYN seq=100 ack=0 0 octets arrives at the listener: SYN_RECEIVED"),
        ("1,020,000", "client", "SYN,ACK seq=500 ack=101 0 octets arrives: SYN-SENT -> ESTABLISHED"),
        ("1,030,000", "server", "ACK seq=101 ack=501 0 octets arrives: SYN-RECEIVED -> ESTABLISHED"),
        ("1,030,000", "client", "its user sends: ESTABLISHED"),
        ("1,040,000", "server", "PSH,ACK seq=101 ack=501 5 octets arrives: ESTABLISHED"),
        ("1,040,000", "server", "its user receives: ESTABLISHED"),
        ("1,080,000", "server", "timeout of delayed ACK: ESTABLISHED"),
        ("1,090,000", "client", "ACK seq=501 ack=106 0 octets arrives: ESTABLISHED"),
    ]
    assert re.search(r"^  rcv_nxt +101 -> 106$", text, re.MULTILINE)
    assert "  -> Deliver(data=b'hello')\n" in text
