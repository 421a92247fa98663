"""TCP_INFO of a connection that is a value."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, peer_syn, segment_arrives, send, stepped
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.info import CA_DISORDER, CA_LOSS, CA_OPEN, CA_RECOVERY, INFINITE_SSTHRESH, info
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.wire.segment import ACK, SYN

MS = 1_000


@pytest.mark.parametrize("state", State)
def test_info__every_state__has_linux_number(state: State) -> None:
    """net/tcp_states.h."""
    numbers = {"ESTABLISHED": 1, "SYN_SENT": 2, "SYN_RECEIVED": 3, "FIN_WAIT_1": 4, "FIN_WAIT_2": 5}
    numbers |= {"CLOSE_WAIT": 8, "LAST_ACK": 9, "CLOSING": 11}
    assert info(states.IN_STATE[state](TcpParameters()), NOW_US).tcpi_state == numbers[state.name]


def test_info__no_record__closed_and_time_wait() -> None:
    assert info(None, NOW_US).tcpi_state == 7
    assert info(states.time_wait(), NOW_US).tcpi_state == 6


def test_info__just_established__what_was_agreed() -> None:
    found = info(states.established(), NOW_US)
    assert found.tcpi_options == 7
    assert (found.tcpi_snd_wscale, found.tcpi_snd_mss, found.tcpi_pmtu) == (2, 1448, 1500)
    assert (found.tcpi_snd_cwnd, found.snd_cwnd_bytes) == (10, 14_480)
    assert (found.tcpi_snd_ssthresh, found.tcpi_ca_state) == (INFINITE_SSTHRESH, CA_OPEN)
    assert (found.tcpi_bytes_acked, found.tcpi_bytes_received, found.tcpi_bytes_sent) == (0, 0, 0)


@pytest.mark.parametrize("state", [State.SYN_SENT, State.SYN_RECEIVED])
def test_info__opening__no_octet_has_passed(state: State) -> None:
    found = info(states.IN_STATE[state](TcpParameters()), NOW_US)
    assert (found.tcpi_bytes_acked, found.tcpi_bytes_received, found.tcpi_bytes_sent) == (0, 0, 0)


def test_info__data_both_ways__counted() -> None:
    tcb, _ = send(states.established(), bytes(3_000), NOW_US + MS)
    tcb, _ = segment_arrives(tcb, from_peer(tcb, payload=b"12345", ack=-104), NOW_US + 3 * MS)
    found = info(tcb, NOW_US + 10 * MS)
    assert (found.tcpi_bytes_acked, found.tcpi_bytes_received, found.tcpi_bytes_sent) == (2_896, 5, 3_000)
    assert (found.tcpi_unacked, found.tcpi_notsent_bytes) == (1, 0)
    assert (found.tcpi_last_data_sent, found.tcpi_last_ack_recv) == (9, 7)


def test_info__window_closed__not_sent_and_probed() -> None:
    tcb = states.established()
    tcb, _ = segment_arrives(tcb, from_peer(tcb, window=0))
    tcb, _ = send(tcb, bytes(100))
    assert info(tcb, NOW_US).tcpi_notsent_bytes == 100
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    found = info(tcb, NOW_US)
    assert (found.tcpi_probes, found.tcpi_retransmits, found.tcpi_backoff) == (1, 0, 1)


def sacked(tcb: Tcb, segments: int) -> Tcb:
    """The peer reports so many segments behind a hole of one."""
    left = seq_add(tcb.snd_una, 1448)
    for count in range(1, segments + 1):
        block = (left, seq_add(left, 1448 * count))
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ACK, ack=-14_480, sack=(block,)), NOW_US + 20_000)
    return tcb


def test_info__segments_reported__disorder_then_recovery_then_loss() -> None:
    tcb, _ = send(states.established(), bytes(14_480))
    disorder = info(sacked(tcb, 1), NOW_US)
    assert (disorder.tcpi_ca_state, disorder.tcpi_sacked, disorder.tcpi_lost) == (CA_DISORDER, 1, 0)
    recovery = sacked(tcb, 4)
    found = info(recovery, NOW_US)
    assert (found.tcpi_ca_state, found.tcpi_sacked, found.tcpi_total_retrans) == (CA_RECOVERY, 4, 1)
    lost, _ = stepped(recovery, Timeout(deadline_us(recovery)))
    found = info(lost, NOW_US)
    assert (found.tcpi_ca_state, found.tcpi_retransmits, found.tcpi_snd_cwnd) == (CA_LOSS, 1, 1)
    assert found.tcpi_total_retrans == 2


def test_info__a_congestion_control_that_paces__rate_and_what_was_delivered() -> None:
    tcb, _ = send(states.established(TcpParameters(congestion="bbr")), bytes(14_480), NOW_US + MS)
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ts=1), NOW_US + 20 * MS)
    found = info(tcb, NOW_US + 20 * MS)
    assert found.tcpi_delivered == 11
    assert found.tcpi_pacing_rate
    plain = info(states.established(), NOW_US)
    assert (plain.tcpi_pacing_rate, plain.tcpi_delivered) == (0, 1)


def test_info__round_trip_measured__the_least_of_them() -> None:
    tcb = states.syn_sent()
    answer = replace(peer_syn(SYN | ACK, tcb.snd_nxt), ts_ecr=ts_value(tcb.agreed.ts_offset, NOW_US))
    tcb, _ = segment_arrives(tcb, answer, NOW_US + 30 * MS)
    found = info(tcb, NOW_US + 30 * MS)
    assert found.tcpi_rtt == 30 * MS
    assert found.tcpi_min_rtt in (None, 30 * MS), "None where the least is not kept"


def test_info__syn_sent_again__counted() -> None:
    tcb = states.syn_sent()
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    found = info(tcb, NOW_US)
    assert (found.tcpi_total_retrans, found.tcpi_retransmits) == (1, 1)


def test_info__lost_and_sent_again__counted_until_it_arrives() -> None:
    tcb, _ = send(states.established(), bytes(10 * 1_448), NOW_US)
    assert info(tcb, NOW_US).tcpi_delivered == 1, "the SYN"
    tcb, _ = stepped(replace(tcb, rtx_at_us=NOW_US, backoff=1), Timeout(NOW_US + 1))
    found = info(tcb, NOW_US + 1)
    assert (found.tcpi_retrans, found.tcpi_reord_seen) == (1, 0)
    assert found.tcpi_lost == 10, "all that was overdue"
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 100 * MS)
    found = info(tcb, NOW_US + 100 * MS)
    assert (found.tcpi_lost, found.tcpi_retrans, found.tcpi_delivered) == (0, 0, 11)
