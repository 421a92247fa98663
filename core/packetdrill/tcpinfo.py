"""The fields of tcp_info that assertions look at.

Source: tcp(7), TCP_INFO; linux/tcp.h.
"""

from typing import Final

from gossamer.core.packetdrill.host import flight_bytes
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import CA_STATES, TCP_STATES
from gossamer.core.seq import MASK
from gossamer.core.tcp.parameters import SSTHRESH_INITIAL
from gossamer.core.tcp.recovery.scoreboard import sacked_bytes
from gossamer.core.tcp.rtt import backed_off_us
from gossamer.core.tcp.tcb import Phase, State, Tcb

STATES: Final = {
    State.SYN_SENT: TCP_STATES["TCP_SYN_SENT"],
    State.SYN_RECEIVED: TCP_STATES["TCP_SYN_RECV"],
    State.ESTABLISHED: TCP_STATES["TCP_ESTABLISHED"],
    State.FIN_WAIT_1: TCP_STATES["TCP_FIN_WAIT1"],
    State.FIN_WAIT_2: TCP_STATES["TCP_FIN_WAIT2"],
    State.CLOSE_WAIT: TCP_STATES["TCP_CLOSE_WAIT"],
    State.CLOSING: TCP_STATES["TCP_CLOSING"],
    State.LAST_ACK: TCP_STATES["TCP_LAST_ACK"],
}
PHASES: Final = {
    Phase.DISORDER: CA_STATES["TCP_CA_Disorder"],
    Phase.FAST: CA_STATES["TCP_CA_Recovery"],
    Phase.LOSS: CA_STATES["TCP_CA_Loss"],
}
SSTHRESH_NONE: Final = 0x7FFFFFFF
"""What Linux shows before there is one."""


def fields(made: Socket) -> dict[str, int | str]:
    """All fields that are known of a socket."""
    tcb, endpoint = made.tcb, made.endpoint
    if tcb is None or endpoint is None:
        state = TCP_STATES["TCP_LISTEN"] if made.queue is not None else TCP_STATES["TCP_CLOSE"]
        return {"tcpi_state": state}
    return {
        **_of_handshake(tcb),
        **_of_path(tcb),
        **_of_flight(tcb),
        "tcpi_state": STATES[tcb.state],
        "tcpi_total_retrans": endpoint.retransmitted_total,
        "tcpi_bytes_retrans": 0,
    }


def _of_handshake(tcb: Tcb) -> dict[str, int | str]:
    agreed = tcb.agreed
    options = (1 if agreed.timestamps else 0) | (2 if agreed.sack else 0)
    scaled = agreed.snd_wind_shift or agreed.rcv_wind_shift
    return {
        "tcpi_options": options | (4 if scaled else 0),
        "tcpi_snd_wscale": agreed.snd_wind_shift,
        "tcpi_rcv_wscale": agreed.rcv_wind_shift,
        "tcpi_snd_mss": agreed.smss,
        "tcpi_rcv_mss": agreed.rmss,
        "tcpi_advmss": agreed.rmss,
        "tcpi_reordering": 3,
    }


def _of_path(tcb: Tcb) -> dict[str, int | str]:
    trip = tcb.round_trip
    return {
        "tcpi_rto": backed_off_us(tcb),
        "tcpi_rtt": trip.srtt_us,
        "tcpi_rttvar": trip.rttvar_us,
        "tcpi_backoff": tcb.backoff,
        "tcpi_retransmits": tcb.backoff,
        "tcpi_ato": tcb.agreed.parameters.delayed_ack_us,
    }


def _of_flight(tcb: Tcb) -> dict[str, int | str]:
    smss, recovery = tcb.agreed.smss, tcb.recovery
    ssthresh = tcb.congestion.ssthresh
    flight = flight_bytes(tcb)
    sacked = sacked_bytes(recovery.sacked) if recovery is not None else 0
    return {
        "tcpi_ca_state": PHASES[recovery.phase] if recovery is not None else CA_STATES["TCP_CA_Open"],
        "tcpi_snd_cwnd": tcb.congestion.cwnd // smss,
        "tcpi_snd_ssthresh": SSTHRESH_NONE if ssthresh >= SSTHRESH_INITIAL else ssthresh // smss,
        "tcpi_unacked": -(-flight // smss),
        "tcpi_sacked": -(-sacked // smss),
        "tcpi_notsent_bytes": max(tcb.snd_buf_bytes - flight, 0),
        "tcpi_bytes_acked": (tcb.snd_una - tcb.agreed.iss - 1) & MASK,
        "tcpi_bytes_received": (tcb.rcv_nxt - tcb.agreed.irs - 1) & MASK,
        "tcpi_snd_wnd": tcb.snd_wnd,
    }
