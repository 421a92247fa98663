"""What a new connection is given from outside the pure core: the MSS that it asks for."""

import pytest

from gossamer.core.loop.tcp.opening import Openings
from gossamer.core.tcp.constants import MSS_FLOOR
from gossamer.core.tcp.isn import SECRET_BYTES
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.wire.flow import pack_flow

V4 = pack_flow(("192.0.2.1", 1024), ("192.0.2.2", 80))
V6 = pack_flow(("2001:db8::1", 1024), ("2001:db8::2", 80))
LOOPBACK = pack_flow(("127.0.0.1", 1024), ("127.0.0.1", 80))
ITSELF = pack_flow(("192.0.2.2", 1024), ("192.0.2.2", 80))

ASKED = [
    ("a link of Ethernet", V4, 1_500, 1_460),
    ("a link of Ethernet", V6, 1_500, 1_440),
    ("VXLAN", V4, 1_450, 1_410),
    ("WireGuard", V6, 1_420, 1_360),
    ("not known", V4, 0, 1_460),
    ("not known", V6, 0, 1_440),
    ("jumbo frames: no more than tcp.mss", V4, 9_000, 1_460),
    ("one that carries next to nothing", V4, 68, MSS_FLOOR),
    ("loopback", LOOPBACK, 1_500, 65_000),
    ("this host", ITSELF, 1_500, 65_000),
]


@pytest.mark.parametrize(("link", "flow", "mtu", "mss"), ASKED)
def test_mss__what_the_link_of_our_address_carries(link: str, flow: bytes, mtu: int, mss: int) -> None:
    """RFC 9293 3.7.1."""
    asked: list[bytes] = []

    def link_mtu(address: bytes) -> int:
        asked.append(address)
        return mtu

    opening = Openings(TcpParameters(), bytes(SECRET_BYTES), link_mtu).passive(flow, None, 0)
    assert opening.mss == mss, link
    assert asked in ([], [flow[16:32]])
