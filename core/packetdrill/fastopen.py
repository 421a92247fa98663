"""TCP Fast Open as the host under test keeps it: what tcp_fastopen says, and the cookies.

Owns the decisions that are a doer's: whether a cookie is valid, and which one goes into a SYN. The script
knows the server's cookie by a name, TFO_COOKIE, whose value stands for whatever the key would make of it.

Source: RFC 7413 4.1; tcp_fastopen of Linux's ip-sysctl.rst.
"""

from hashlib import blake2s
from typing import Final

from gossamer.core.packetdrill.profiles import COOKIES
from gossamer.core.packetdrill.script import TcpPacket
from gossamer.core.records import replace
from gossamer.core.tcp.actions import Granted
from gossamer.core.tcp.constants import FAST_OPEN_COOKIE_BYTES
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.fast_open import FastOpenServer, after_answer, with_known
from gossamer.core.wire.segment import Segment

CLIENT: Final = 0x1
SERVER: Final = 0x2
DATA_WITHOUT_COOKIE: Final = 0x4
NO_COOKIE_NEEDED: Final = 0x200
EVERY_LISTENER: Final = 0x400
"""Bits of tcp_fastopen."""

DEFINITIONS: Final = {
    "TFO_COOKIE": "3021b9d889017eeb",
    "TFO_COOKIE_ZERO": "b7c12350a90dc8f5",
    "CMSG_LEVEL_IP": "SOL_IP",
    "CMSG_TYPE_RECVERR": "IP_RECVERR",
}
"""What the callers of the tool define for the scripts of Linux."""


class FastOpenCookies:
    """Cookies given and got. `mode` are the bits of tcp_fastopen."""

    def __init__(self, mode: int, cookie: bytes, drops: bool = False) -> None:
        self.mode = mode
        self.key = b""
        """The system's, which a socket may have its own in the place of (TCP_FASTOPEN_KEY)."""
        self._drops = drops
        """Whether a server that gave nothing is asked no more."""
        self._has_refused = False
        self._cookies = {b"": cookie}
        """What each key makes of the peer's address, as far as the script has shown it."""
        self._key_in_use = b""
        self._server: FastOpenServer | None = None
        """What the one server that there is has told us."""

    def _cookie_of(self, key: bytes) -> bytes:
        """Until the script shows what a key makes of the address, something that is no other's."""
        return self._cookies.get(key) or blake2s(key, digest_size=FAST_OPEN_COOKIE_BYTES).digest()

    def judged(
        self, syn: Segment, opening: Opening, places: int | None, own_key: bytes | None = None
    ) -> Opening:
        """The opening that a SYN deserves; `places` is how many may be early now, None where the listener is
        not for Fast Open, which may have a key of its own."""
        self._key_in_use = self.key if own_key is None else own_key
        cookie = self._cookie_of(self._key_in_use)
        asked = syn.syn_options.cookie if syn.syn_options is not None else None
        if places is None and self.mode & EVERY_LISTENER:
            places = 1
        if not self.mode & SERVER or places is None:
            return opening
        is_valid = asked == cookie or bool(self.mode & NO_COOKIE_NEEDED and syn.payload)
        given = None if asked is None or asked == cookie else cookie
        return replace(opening, cookie=given, takes_text=is_valid and places > 0)

    def learned(self, packet: TcpPacket, syn_ack: Segment) -> Segment:
        """Our SYN-ACK, with the cookie that the script has for it: what a key makes of an address is the
        script's to say, its length is not."""
        wanted = next((option.octets for option in packet.options or () if option.name in COOKIES), b"")
        options = syn_ack.syn_options
        if not wanted or options is None or not options.cookie or len(options.cookie) != len(wanted):
            return syn_ack
        self._cookies[self._key_in_use] = wanted
        return replace(syn_ack, syn_options=replace(options, cookie=wanted))

    @property
    def is_client(self) -> bool:
        """Whether a client may ask for Fast Open."""
        return bool(self.mode & CLIENT)

    @property
    def can_carry(self) -> bool:
        """Whether a client's SYN can carry data: it has a cookie, or needs none."""
        has_cookie = self._server is not None and bool(self._server.cookie) and not self._has_refused
        return has_cookie or bool(self.mode & DATA_WITHOUT_COOKIE)

    def with_cookie(self, opening: Opening) -> Opening:
        """An active opening with data."""
        if self._has_refused:
            return opening
        return with_known(opening, self._server or FastOpenServer(), not self.mode & DATA_WITHOUT_COOKIE)

    def forget(self) -> None:
        """Nothing is known of the server any more."""
        self._server, self._has_refused = None, False

    def granted(self, action: Granted) -> None:
        """The server answered a Fast Open: its MSS, and a cookie if it gave one."""
        self._has_refused = self._drops and action.brings_nothing
        self._server = after_answer(self._server or FastOpenServer(), action)
