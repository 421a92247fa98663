"""Every number of the TCP that nobody tunes and that is no sequence number: its unit, its source.

Owns the bounds too: what is limited anywhere in `core.tcp` is limited by a name of this file, or by one of
`core.tcp.parameters`, whose defaults an operator may change.
"""

from typing import Final

from gossamer.core.clock import SECOND_US

MILLISECOND_US: Final = 1000

MSS_FLOOR: Final = 88
"""No peer makes us send smaller segments than this (bytes): CVE-2019-11479. 88 leaves 8 bytes of text beside
the longest headers: (60 + 60 + 8) - (20 + 20)."""

MSS_DEFAULT_IPV4: Final = 536
"""SendMSS of a peer that named none. Source: RFC 9293 3.7.1, MUST-15."""

MSS_DEFAULT_IPV6: Final = 1220

WINDOW_SCALE_MAX: Final = 14
"""Source: RFC 7323 2.3."""

SSTHRESH_INITIAL: Final = 1 << 30
"""Arbitrarily high (bytes). Source: RFC 5681 3.1."""

ABC_SEGMENTS: Final = 2
"""L of RFC 3465 2.2: so many segments of one ACK count in slow start."""

HYSTART_SEGMENTS: Final = 8
"""L of RFC 9406 4.3, in the first slow start of a sender that is not paced."""

HYSTART_RTT_THRESHOLD_MIN_US: Final = 4 * MILLISECOND_US
"""MIN_RTT_THRESH. Source: RFC 9406 4.3, as the next five."""

HYSTART_RTT_THRESHOLD_MAX_US: Final = 16 * MILLISECOND_US
"""MAX_RTT_THRESH."""

HYSTART_RTT_DIVISOR: Final = 8
"""MIN_RTT_DIVISOR."""

HYSTART_RTT_SAMPLES: Final = 8
"""N_RTT_SAMPLE: measurements of a round before it says anything."""

CSS_GROWTH_DIVISOR: Final = 4

CSS_ROUNDS: Final = 5

CUBIC_BETA: Final = 0.7
"""beta_cubic. Source: RFC 9438 4.6."""

CUBIC_C: Final = 0.4
"""Segments per second cubed. Source: RFC 9438 5.1."""

CUBIC_TARGET_MAX: Final = 1.5
"""The largest multiple of itself to which cwnd may grow in one round trip. Source: RFC 9438 4.2."""

PACING_SLOW_RATE: Final = 150_000
"""Bytes a second (1.2 Mbit/s): below it one segment leaves at a time. Source:
draft-cardwell-iccrg-bbr-congestion-control-00 4.2.2, as the next two."""

PACING_QUANTUM_US: Final = MILLISECOND_US
"""Faster senders let so much time's worth leave at once."""

PACING_QUANTUM_BYTES_MAX: Final = 64_000

BBR_STARTUP_GAIN: Final = 2.77
"""StartupPacingGain, 4 * ln 2: the least gain with which the rate doubles each round. Source:
draft-ietf-ccwg-bbr-06 2, as the next ones up to BBR_RENO_ROUNDS_MAX."""

BBR_DRAIN_GAIN: Final = 0.5
"""DrainPacingGain."""

BBR_PACING_PERCENT: Final = 99
"""100 - PacingMarginPercent: a little less than what is delivered, so that queues shrink."""

BBR_CWND_GAIN: Final = 2.0
"""DefaultCwndGain: bandwidth-delay products of cwnd, as much again for delayed and stretched ACKs."""

BBR_CWND_GAIN_UP: Final = 2.25
"""The same while more is tried. Source: 5.3.3.5."""

BBR_LOSS_THRESHOLD: Final = 0.02
"""LossThresh: the part of what was in flight that may be lost when bandwidth is probed."""

BBR_BETA: Final = 0.7
"""Beta: what a round trip with loss leaves of the bounds at least, as beta_cubic (RFC 9438 4.6)."""

BBR_HEADROOM: Final = 0.15
"""Headroom: the part of inflight_longterm that is left to others."""

BBR_MIN_SEGMENTS: Final = 4
"""MinPipeCwnd."""

BBR_OFFLOAD_QUANTA: Final = 3
"""Quanta at the sender, on their way through its host, and at the receiver. Source: 5.5.8.1."""

BBR_EXTRA_ACKED_ROUNDS: Final = 10
"""ExtraAckedFilterLen: round trips in which the largest burst of ACKs is remembered."""

BBR_MIN_RTT_WINDOW_US: Final = 10 * SECOND_US
"""MinRTTFilterLen."""

BBR_PROBE_RTT_INTERVAL_US: Final = 5 * SECOND_US
"""ProbeRTTInterval: without a smaller round trip for so long, ProbeRTT looks for it."""

BBR_PROBE_RTT_US: Final = 200 * MILLISECOND_US
"""ProbeRTTDuration."""

BBR_PROBE_RTT_CWND_GAIN: Final = 0.5
"""ProbeRTTCwndGain."""

BBR_FULL_GROWTH: Final = 1.25
"""A round in which the rate grew less has not filled a larger part of the pipe. Source: 5.3.1.2."""

BBR_FULL_ROUNDS: Final = 3
"""So many of these, and the pipe is full."""

BBR_STARTUP_LOSSES: Final = 6
"""BBRStartupFullLossCnt. Source: 5.3.1.3."""

BBR_DRAIN_ROUNDS: Final = 3
"""After so many Drain is over, whatever is in flight. Source: 5.3.2."""

BBR_PROBE_WAIT_US: Final = 2 * SECOND_US
"""Between two probes, and up to a second more by chance. Source: 5.3.3.8."""

BBR_PROBE_UP_ROUNDS_MAX: Final = 30
"""So often does the growth of inflight_longterm double in one probe. Source: 5.3.3.9."""

BBR_RENO_ROUNDS_MAX: Final = 63
"""Round trips between two probes at most, where Reno would grow by less than that in them."""

DUP_THRESH: Final = 3
"""Source: RFC 5681 3.2, RFC 6675 2."""

SACKED_RANGES_MAX: Final = 256
"""Ranges the sender's scoreboard remembers; further ones are ignored, which is always safe.
CVE-2019-11478."""

TRANSMISSIONS_MAX: Final = 128
"""Runs of sequence space whose times of sending are remembered apart; beyond it neighbours share one, the
later, which only delays their being taken for lost."""

RECORD_ENDS_MAX: Final = 256
"""Ends of records in a send buffer, which no segment may span, that are kept."""

REORDERING_MAX: Final = 300
"""How many segments of reordering are told of at most, as by Linux (tcp_max_reordering)."""

REORDERING_WINDOW_PERSIST: Final = 16
"""Recoveries for which a reordering window that grew by D-SACK keeps its size. Source: RFC 8985 6.2 step
4."""

MIN_RTT_WINDOW_US: Final = 300 * SECOND_US
"""How long a smallest round-trip time is gathered, and then believed. Source: RFC 8985 6.2 step 1 wants a
window; 300 s is what deployed stacks use."""

CLOCK_GRANULARITY_US: Final = MILLISECOND_US
"""G of RFC 6298, and the tick of our timestamps (RFC 7323 5.4 allows 1 ms to 1 s)."""

TAIL_PROBE_GRAIN_US: Final = 2 * CLOCK_GRANULARITY_US
"""What a tail loss probe waits beyond two round trips. Differs: RFC 8985 7.2 adds nothing; two ticks of the
clock are what Linux adds, so that a timer that is late by one is not taken for a loss."""

TAIL_PROBE_ACK_DELAY_US: Final = 200 * MILLISECOND_US
"""TLP.max_ack_delay: what the peer may wait before it acknowledges a single segment. Source: RFC 8985 7.2."""

REASSEMBLY_BLOCKS_MAX: Final = 128
"""Runs of octets the receiver holds out of order; CVE-2018-5390."""

COALESCE_BYTES: Final = 4096
"""A chunk of a buffer shorter than this takes up the next one, so that a buffer of n bytes has at most about
n / 4096 chunks, however small the writes or segments were."""

EXTENT_BYTES_MIN: Final = COALESCE_BYTES
"""The shortest extent of a file that stands in a send buffer as one; what is shorter is read at once, so that
there are not more of them than there would be chunks."""

RTT_INTERVAL_US: Final = 10 * MILLISECOND_US
"""With timestamps, at most one round-trip measurement in this time; one a round trip while cwnd limits the
sender. Differs: RFC 6298 3 wants one a round trip always; below 10 ms the timeout stands at its floor of 200
ms whatever is measured, and a request with its answer would pay for it."""

RTO_INITIAL_US: Final = 1 * SECOND_US
"""Source: RFC 6298 2.1."""

RTO_AFTER_LOST_SYN_US: Final = 3 * SECOND_US
"""Source: RFC 6298 5.7."""

SYN_COOKIE_PERIOD_US: Final = 60 * SECOND_US
"""A cookie is taken in the period in which it was sent and in the next: for one to two minutes, in which a
peer's ACK comes if ever. Source: RFC 4987 appendix A, whose counter moves every 64 seconds."""

SYN_COOKIE_MSS: Final = (MSS_FLOOR, MSS_DEFAULT_IPV4, MSS_DEFAULT_IPV6, 1300, 1440, 1460, 8940, 65_000)
"""The MSS that a cookie can name; a peer's is rounded down to one. Those of IPv4 and IPv6 without the option,
over Ethernet, over tunnels, over jumbo frames and loopback."""

FAST_OPEN_COOKIE_BYTES: Final = 8
"""Source: RFC 7413 4.1.1: 4 to 16; 4.1.2 finds 8 enough."""

FAST_OPEN_PERIOD_US: Final = 3600 * SECOND_US
"""A server's Fast Open cookie holds for one to two of these. Source: RFC 7413 4.1.2 wants it to expire; how
soon is left open."""

FAST_OPEN_HELD_US: Final = 60 * SECOND_US
"""For this time a connection that was reset before its handshake was over still counts as early: otherwise
nothing would bound a forger of addresses whose RSTs come back. Source: RFC 7413 5.1, about as long as its
SYN-ACKs would have been repeated."""

FAST_OPEN_REST_US: Final = 60 * SECOND_US
"""After a SYN with the option was lost, the option is not used towards that server for this time, twice as
long after each loss in a row. Source: RFC 7413 4.1.3.1."""

FAST_OPEN_REST_DOUBLINGS_MAX: Final = 6
"""64 minutes at most."""

PAWS_IDLE_US: Final = 24 * 24 * 3600 * SECOND_US
"""TS.Recent is invalid after 24 days without a segment. Source: RFC 7323 5.5."""

IPV4_HEADER_BYTES: Final = 20
IPV6_HEADER_BYTES: Final = 40
TCP_HEADER_BYTES: Final = 20

PATH_MTU_LEAST_IPV4: Final = 68
"""No router needs to fragment below it. Source: RFC 791 3.2, RFC 1191 3."""

PATH_MTU_FLOOR_IPV4: Final = 552
"""What a report of less is taken for. Differs: RFC 1191 3 allows down to 68; 552 leaves the 512 bytes of text
that every link carries, as Linux's min_pmtu does, so that a forged report costs little."""

PATH_MTU_FLOOR_IPV6: Final = 1280
"""Source: RFC 8201 4, RFC 8200 5."""

PATH_MTU_PLATEAUS: Final = (65_535, 32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 552)
"""What links carry. Source: RFC 1191 7.1, table 7-1, down to our floor."""

PATH_RAISE_US: Final = 600 * SECOND_US
"""After so long a larger size is tried again. Source: RFC 1191 6.3 and RFC 8201 4: 10 minutes; RFC 8899
5.1.1, PMTU_RAISE_TIMER: 600 s."""

PATH_PROBES_MAX: Final = 3
"""Lost probes of one size that refute it. Source: RFC 8899 5.1.2, MAX_PROBES."""

PATH_PROBE_STEP_BYTES: Final = 32
"""A search ends when it could gain less."""

BLACK_HOLE_TIMEOUTS: Final = 3
"""Timeouts of a full-sized segment in a row after which its size is suspected. Source: RFC 4821 7.7; R1 of
RFC 9293 3.8.3."""

BLACK_HOLE_MTUS_IPV4: Final = (1_064, PATH_MTU_FLOOR_IPV4)
"""What a suspected path is given instead, one after the other. Source: RFC 4821 7.2 takes
1024 bytes for safe enough."""

BLACK_HOLE_MTUS_IPV6: Final = (PATH_MTU_FLOOR_IPV6,)

USER_TIMEOUT_DEFAULT_US: Final = 300 * SECOND_US
"""What is advertised to the peer when none is set. Source: RFC 9293 3.9.1, OPEN: the
global default is five minutes."""

USER_TIMEOUT_LOWER_US: Final = 100 * SECOND_US
"""L_LIMIT: no peer makes us give up sooner. Source: RFC 5482 3.1; RFC 9293 3.8.3, SHLD-11."""

USER_TIMEOUT_UPPER_US: Final = 3600 * SECOND_US
"""U_LIMIT: no peer makes us wait longer. Source: RFC 5482 3.1 and 6 leave the value; an hour."""

DELIVERY_PROBLEM_RETRIES: Final = 3
"""R1: so many retransmissions in a row are worth a notice. Source: RFC 9293 3.8.3, SHLD-10."""
