"""The layout of the records that the C code and Python exchange, one record a packet.

Owns the two struct formats; `ffi/src/packet.h` has the same as C structs, and a test holds the sizes and
offsets equal.

In: `IN_RECORD.iter_unpack` over a batch gives tuples
    (flow, kind, flags, window, seq, ack, ts_val, ts_ecr, payload_offset, payload_length, ecn, pieces)
where `kind` is one of KIND_* below or a `DropReason`. `ts_val` and `ts_ecr` are 0 unless kind is
KIND_TIMESTAMP or KIND_OPTIONS with the option present. `payload_offset` counts from the start of the receive
arena. `ecn` is the codepoint of the IP header, with RECORD_AE above it; `pieces` how many packets were joined
to this one (`core.wire.joining`), 1 for one alone. Of the TCP header's flags ECE, CWR and AE (RFC 9768) are
passed on; the reserved bits are neither read nor written.

Side: a packet of KIND_OPTIONS has its decoded options in the side array at its own index:
    (has_timestamp, sack_permitted, window_scale, sack_count, mss, urgent, left1, right1, ... left4, right4,
    cookie, user_timeout, cookie_length, ecn_option, ecn_field1, ecn_field2, ecn_field3)
with window_scale and cookie_length -1 and mss 0 when absent, and COOKIE_EXPERIMENT more in cookie_length for
a cookie in an experimental option. A window scale above 14 is passed on (127 stands
for any above that): RFC 7323 2.3 lets TCP clamp it. `user_timeout` is the option's field as it came, 0 when
absent. `ecn_option` is 0 without an AccECN option (RFC 9768 3.2.3), else 1 and how many of its fields there
are, and ECN_ORDER_1 more for one of kind 174. What only a SYN may carry is absent from any other segment.

Out: one record a segment to send,
    (flow, kind, flags, window, seq, ack, ts_val, ts_ecr, payload_offset, payload_length, options_length,
     traffic_class, cut_bytes, hop)
where `kind` is one of OUT_* below, with OUT_AE added for AE; `payload_offset` counts from the start of the
send arena and points at `options_length` bytes of TCP options (already padded to a multiple of four, at most
40), followed by the payload. With OUT_TIMESTAMP the C code writes the 12 bytes NOP NOP TS itself and
options_length is 0; with OUT_PLAIN, `ts_val` is the urgent pointer. `cut_bytes` is that of a super-segment
(`core.wire.cutting`), which has no options, and 0 for one packet. `hop` numbers where it goes as a frame
(`ffi.hops`); 0 is the raw socket.
"""

import struct
from typing import Final

IN_RECORD: Final = struct.Struct("=36sBBHIIIIIHBB")
SIDE_RECORD: Final = struct.Struct("=BBbBHH8I16sHbB3I")
OUT_RECORD: Final = struct.Struct("=36sBBHIIIIIHBBHH")

KIND_PLAIN: Final = 0
"""TCP without options (NOP and EOL do not count)."""
KIND_TIMESTAMP: Final = 1
"""TCP whose only option is timestamps."""
KIND_OPTIONS: Final = 2
"""TCP with other options, with URG, marked CE or with AE: read the side array too."""
KIND_ICMP: Final = 3
"""An ICMP or ICMPv6 error that quotes TCP: payload is the whole ICMP message; `flow` is the quoted segment's,
turned so that its source is our side; `seq` is the quoted sequence number, `flags` the ICMP type, `window`
its code, `ack` the MTU of the next hop where it names one (fragmentation needed, packet too big), else 0."""

OUT_PLAIN: Final = 0
OUT_TIMESTAMP: Final = 1
OUT_AE: Final = 2
"""Added to the kind of a segment with AE (RFC 9768)."""
ECN_ORDER_1: Final = 4
COOKIE_EXPERIMENT: Final = 32
RECORD_AE: Final = 4
"""AE of a packet that came, in the field `ecn` above the codepoint."""
