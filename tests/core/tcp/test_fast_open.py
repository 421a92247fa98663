"""TCP Fast Open: every way in which a SYN with data can go, on both sides."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import oracle, states
from gossamer.core.sim.states import NOW_US, OPENING, PEER_ISS, only_segment, peer_syn, segments_in
from gossamer.core.tcp import fast_open, listen
from gossamer.core.tcp.actions import Action, Deliver, Failed, Failure, Granted, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.constants import FAST_OPEN_PERIOD_US, MSS_DEFAULT_IPV4
from gossamer.core.tcp.events import Abort, Close, Event, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import Listener, State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment, SynOptions

COOKIE = b"8 octets"
FLOW = pack_flow(("10.0.0.2", 80), ("10.0.0.1", 50_001))
SECRET = b"s" * 32
OPTIONS = SynOptions(1460, 2, True, COOKIE)


def watched(connection: Connection, event: Event) -> tuple[Connection | None, tuple[Action, ...]]:
    """A step of a connection that was written down and read again, and that breaks no invariant."""
    after, actions = step(decode(encode(connection)), event)
    assert (after, actions) == step(connection, event)
    oracle.check(connection, event, after, actions)
    return after, actions


def going_on(connection: Connection, event: Event) -> tuple[Tcb, tuple[Action, ...]]:
    after, actions = watched(connection, event)
    assert isinstance(after, Tcb)
    return after, actions


def hears(tcb: Tcb, segment: Segment) -> tuple[Tcb, tuple[Action, ...]]:
    return going_on(tcb, SegmentArrives(segment, NOW_US))


# Cookies


def test_cookie__of_this_period__valid_and_the_latest() -> None:
    cookie = fast_open.cookie_of(SECRET, FLOW, 7)
    assert len(cookie) == 8
    assert fast_open.judged(SECRET, FLOW, cookie, 7 * FAST_OPEN_PERIOD_US) == (True, None)


def test_cookie__of_the_period_before__valid_and_renewed() -> None:
    cookie = fast_open.cookie_of(SECRET, FLOW, 7)
    latest = fast_open.cookie_of(SECRET, FLOW, 8)
    assert fast_open.judged(SECRET, FLOW, cookie, 8 * FAST_OPEN_PERIOD_US) == (True, latest)
    expired = fast_open.judged(SECRET, FLOW, cookie, 9 * FAST_OPEN_PERIOD_US)
    assert expired == (False, fast_open.cookie_of(SECRET, FLOW, 9))


@pytest.mark.parametrize("cookie", [b"", b"abcd", bytes(8), bytes(16)])
def test_cookie__asked_for_or_forged__invalid_and_a_good_one_is_given(cookie: bytes) -> None:
    assert fast_open.judged(SECRET, FLOW, cookie, 0) == (False, fast_open.cookie_of(SECRET, FLOW, 0))


def test_cookie__of_another_address_or_secret__invalid() -> None:
    other = fast_open.cookie_of(SECRET, pack_flow(("10.0.0.2", 80), ("10.0.0.3", 50_001)), 0)
    assert not fast_open.judged(SECRET, FLOW, other, 0)[0]
    assert not fast_open.judged(SECRET, FLOW, fast_open.cookie_of(b"x" * 32, FLOW, 0), 0)[0]


def test_cookie__of_another_port_of_the_same_client__valid() -> None:
    other = fast_open.cookie_of(SECRET, pack_flow(("10.0.0.2", 80), ("10.0.0.1", 9)), 0)
    assert fast_open.judged(SECRET, FLOW, other, 0)[0]


# The server


def early(text: bytes = b"GET /", parameters: TcpParameters | None = None) -> Tcb:
    """The server's side after a SYN with a valid cookie and data."""
    opening = replace(OPENING, takes_text=True)
    syn = replace(peer_syn(options=OPTIONS), payload=text)
    tcb, actions = listen.segment_arrives(Listener(parameters or TcpParameters()), syn, opening)
    assert tcb is not None
    assert actions[1] is Signal.OPENED_EARLY
    return tcb


def client_ack(tcb: Tcb, flags: int = ACK, payload: bytes = b"", ack: int = 0) -> Segment:
    """What ends the handshake; `ack` octets of ours beyond the SYN are acknowledged."""
    acked = seq_add(tcb.agreed.iss, 1 + ack)
    return Segment(tcb.rcv_nxt, acked, flags, 16_384, tcb.ts_recent + 1, 0, payload)


def test_listen__valid_cookie__syn_ack_takes_the_data_and_the_user_reads_it() -> None:
    opening = replace(OPENING, takes_text=True)
    syn = replace(peer_syn(options=OPTIONS), payload=b"GET /")
    tcb, actions = listen.segment_arrives(Listener(), syn, opening)
    assert tcb is not None
    assert tcb.state is State.SYN_RECEIVED
    answer = only_segment(actions)
    assert (answer.flags, answer.seq, answer.ack) == (SYN | ACK, OPENING.iss, seq_add(PEER_ISS, 6))
    assert answer.syn_options is not None
    assert answer.syn_options.cookie is None, "the client's own is the latest"
    tcb, actions = going_on(tcb, Receive(100, NOW_US))
    assert actions[0] == Deliver(b"GET /")


def test_listen__cookie_asked_for__given_and_the_data_left() -> None:
    """RFC 7413 4.2.2."""
    opening = replace(OPENING, cookie=COOKIE)
    syn = replace(peer_syn(options=replace(OPTIONS, cookie=b"")), payload=b"GET /")
    tcb, actions = listen.segment_arrives(Listener(), syn, opening)
    assert tcb is not None
    assert Signal.OPENED_EARLY not in actions
    answer = only_segment(actions)
    assert answer.ack == seq_add(PEER_ISS, 1)
    assert answer.syn_options is not None
    assert answer.syn_options.cookie == COOKIE
    _, actions = going_on(tcb, Timeout(deadline_us(tcb)))
    assert only_segment(actions).syn_options == answer.syn_options, "the repeated one has it too"
    tcb, actions = hears(tcb, client_ack(tcb, ACK | PSH, b"GET /"))
    assert (tcb.state, tcb.fast_open, tcb.rcv_buf_bytes) == (State.ESTABLISHED, None, 5)


@pytest.mark.parametrize("is_experimental", [False, True])
def test_listen__cookie_asked_for__given_in_the_kind_of_option_that_asked(is_experimental: bool) -> None:
    """RFC 7413 9: those of before it know the experimental one alone; sent again it is the same."""
    opening = replace(OPENING, cookie=COOKIE)
    asked = replace(OPTIONS, cookie=b"", is_cookie_experimental=is_experimental)
    tcb, actions = listen.segment_arrives(Listener(), peer_syn(options=asked), opening)
    assert tcb is not None
    given = replace(asked, window_scale=5, cookie=COOKIE)
    assert only_segment(actions).syn_options == given
    assert only_segment(going_on(tcb, Timeout(deadline_us(tcb)))[1]).syn_options == given


def test_listen__older_cookie_in_the_experimental_option__data_taken_and_a_newer_one_given_in_it() -> None:
    opening = replace(OPENING, cookie=b"a newer1", takes_text=True)
    options = replace(OPTIONS, is_cookie_experimental=True)
    syn = replace(peer_syn(options=options), payload=b"GET /")
    tcb, actions = listen.segment_arrives(Listener(), syn, opening)
    assert tcb is not None
    assert tcb.rcv_buf_bytes == 5
    assert only_segment(actions).syn_options == replace(options, window_scale=5, cookie=b"a newer1")


def test_early__user_answers__data_goes_out_before_the_handshake_is_over() -> None:
    tcb, actions = going_on(early(), Send(b"200 OK", NOW_US))
    sent = only_segment(actions)
    assert (sent.seq, sent.payload, sent.flags & SYN) == (seq_add(OPENING.iss, 1), b"200 OK", 0)
    assert tcb.state is State.SYN_RECEIVED
    after, actions = hears(tcb, client_ack(tcb, ack=6))
    assert Signal.ESTABLISHED in actions
    assert (after.state, after.snd_una, after.snd_buf_bytes) == (State.ESTABLISHED, after.snd_nxt, 0)


def test_early__ack_of_the_syn_alone__data_stays_in_flight_and_is_timed() -> None:
    tcb, _ = going_on(early(), Send(b"200 OK", NOW_US))
    tcb, actions = hears(tcb, client_ack(tcb))
    assert Signal.ESTABLISHED in actions
    assert (tcb.state, tcb.snd_buf_bytes, tcb.recovery) == (State.ESTABLISHED, 6, None)
    tcb, actions = going_on(tcb, Timeout(deadline_us(tcb)))
    assert only_segment(actions).payload == b"200 OK"


@pytest.mark.parametrize("ack", [-1, 7])
def test_early__ack_of_what_was_never_sent__reset(ack: int) -> None:
    tcb, _ = going_on(early(), Send(b"200 OK", NOW_US))
    after, actions = hears(tcb, client_ack(tcb, ack=ack))
    assert after.state is State.SYN_RECEIVED
    assert only_segment(actions).flags == RST


def test_early__syn_ack_lost__it_is_repeated_not_the_data() -> None:
    tcb, _ = going_on(early(), Send(b"200 OK", NOW_US))
    for _ in range(3):
        tcb, actions = going_on(tcb, Timeout(deadline_us(tcb)))
        again = only_segment(actions)
        assert (again.flags, again.seq, again.ack) == (SYN | ACK, OPENING.iss, seq_add(PEER_ISS, 6))
    tcb, actions = hears(tcb, client_ack(tcb))
    tcb, actions = going_on(tcb, Timeout(deadline_us(tcb)))
    assert only_segment(actions).payload == b"200 OK"


def test_early__nobody_acks__the_user_gets_the_error() -> None:
    connection: Connection | None = early()
    for _ in range(TcpParameters().synack_retries + 1):
        assert isinstance(connection, Tcb)
        connection, actions = watched(connection, Timeout(deadline_us(connection)))
    assert connection is None
    assert actions == (Failed(Failure.TIMED_OUT),)


def test_early__rst__the_user_gets_the_error() -> None:
    tcb = early()
    rst = Segment(tcb.rcv_nxt, 0, RST, 0)
    assert watched(tcb, SegmentArrives(rst, NOW_US)) == (None, (Failed(Failure.RESET),))


@pytest.mark.parametrize("text", [b"", b"GET /"], ids=["without data", "with data"])
def test_early__the_syn_comes_again__nothing_is_received_twice(text: bytes) -> None:
    tcb = early()
    syn = replace(peer_syn(options=OPTIONS), payload=text)
    after, actions = hears(tcb, syn)
    assert (after.rcv_buf, after.state) == (tcb.rcv_buf, State.SYN_RECEIVED)
    assert [answer.flags for answer in segments_in(actions)] == [SYN | ACK]


def test_early__more_data_with_the_ack__all_is_received() -> None:
    tcb = early()
    tcb, actions = hears(tcb, client_ack(tcb, ACK | PSH, b" HTTP/1.1"))
    assert Signal.ESTABLISHED in actions
    _, actions = going_on(tcb, Receive(100, NOW_US))
    assert actions[0] == Deliver(b"GET / HTTP/1.1")


@pytest.mark.parametrize("event", [Close(NOW_US, receives=True), Send(b"", NOW_US, is_last=True)], ids=str)
def test_early__closed__the_fin_follows_the_handshake(event: Event) -> None:
    """RFC 9293 3.10.4, SYN-RECEIVED: "queue for processing after entering ESTABLISHED state"."""
    tcb, actions = going_on(early(), event)
    assert not segments_in(actions)
    assert watched(tcb, Send(b"late", NOW_US))[1] == (Failed(Failure.CLOSING),)
    tcb, actions = hears(tcb, client_ack(tcb))
    assert tcb.state is State.FIN_WAIT_1
    assert only_segment(actions).flags == ACK | FIN


def test_early__last_data_sent__the_fin_follows_the_handshake() -> None:
    tcb, actions = going_on(early(), Send(b"200 OK", NOW_US, is_last=True))
    assert not only_segment(actions).flags & FIN
    tcb, actions = hears(tcb, client_ack(tcb, ack=6))
    assert (tcb.state, only_segment(actions).flags) == (State.FIN_WAIT_1, ACK | FIN)


def test_early__closed_both_ways_with_data_unread__reset() -> None:
    after, actions = watched(early(), Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


def test_early__aborted__reset() -> None:
    after, actions = watched(early(), Abort(NOW_US))
    assert after is None
    assert only_segment(actions).seq == seq_add(OPENING.iss, 1)


def test_early__more_text_than_the_window__cut() -> None:
    tcb = early(b"x" * 6_000, TcpParameters(receive_buffer_bytes=4_096))
    assert (tcb.rcv_buf_bytes, tcb.rcv_wnd) == (4_096, 0)
    assert tcb.rcv_nxt == seq_add(PEER_ISS, 1 + 4_096)


# The client


def opened(
    data: bytes = b"GET /", cookie: bytes | None = COOKIE, peer_mss: int = 1460
) -> tuple[Tcb, Segment]:
    opening = replace(OPENING, cookie=cookie, peer_mss=peer_mss)
    tcb, actions = open_active(TcpParameters(), opening, data)
    return tcb, only_segment(actions)


def syn_ack(tcb: Tcb, acked: int, cookie: bytes | None = None, text: bytes = b"", flags: int = 0) -> Segment:
    answer = peer_syn(SYN | ACK | flags, seq_add(tcb.agreed.iss, 1 + acked), replace(OPTIONS, cookie=cookie))
    return replace(answer, payload=text)


def test_connect__cookie__data_is_in_the_syn() -> None:
    tcb, syn = opened()
    assert (syn.flags, syn.payload, syn.syn_options and syn.syn_options.cookie) == (SYN, b"GET /", COOKIE)
    assert tcb.snd_nxt == seq_add(OPENING.iss, 1), "until the SYN-ACK shows what was taken"


@pytest.mark.parametrize(("cookie", "option"), [(b"", b""), (None, None)])
def test_connect__no_cookie__data_waits(cookie: bytes | None, option: bytes | None) -> None:
    tcb, syn = opened(cookie=cookie)
    assert (syn.payload, syn.syn_options and syn.syn_options.cookie) == (b"", option)
    tcb, actions = hears(tcb, syn_ack(tcb, 0))
    assert only_segment(actions).payload == b"GET /"


def test_connect__all_taken__established_and_nothing_is_sent_again() -> None:
    tcb, _ = opened()
    tcb, actions = hears(tcb, syn_ack(tcb, 5))
    assert (tcb.state, tcb.snd_una, tcb.snd_buf_bytes) == (State.ESTABLISHED, seq_add(OPENING.iss, 6), 0)
    assert (only_segment(actions).payload, only_segment(actions).seq) == (b"", seq_add(OPENING.iss, 6))
    assert tcb.fast_open is None


@pytest.mark.parametrize("taken", [0, 3])
def test_connect__not_all_taken__the_rest_is_sent_in_established(taken: int) -> None:
    tcb, _ = opened()
    tcb, actions = hears(tcb, syn_ack(tcb, taken))
    sent = only_segment(actions)
    assert (sent.seq, sent.payload) == (seq_add(OPENING.iss, 1 + taken), b"GET /"[taken:])


@pytest.mark.parametrize("taken", [-1, 6, 100_000])
def test_connect__more_acked_than_sent__reset(taken: int) -> None:
    tcb, _ = opened()
    after, actions = hears(tcb, syn_ack(tcb, taken))
    assert replace(after, rtx_at_us=tcb.rtx_at_us) == tcb
    assert only_segment(actions).flags == RST


def test_connect__cookie_granted__reported_with_the_mss() -> None:
    tcb, _ = opened(cookie=b"")
    _, actions = hears(tcb, syn_ack(tcb, 0, b"new cookie"))
    assert Granted(b"new cookie", 1460) in actions


def test_connect__asked_in_the_experimental_option__in_it_and_reported_so_when_in_vain() -> None:
    opening = replace(OPENING, cookie=b"", is_cookie_experimental=True)
    tcb, actions = open_active(TcpParameters(), opening, b"GET /")
    assert only_segment(actions).syn_options == SynOptions(1460, 5, True, b"", is_cookie_experimental=True)
    answer = syn_ack(tcb, 0)
    assert Granted(b"", 1460, is_experimental=True, brings_nothing=True) in hears(tcb, answer)[1]
    options = replace(OPTIONS, cookie=b"new cookie", is_cookie_experimental=True)
    given = hears(tcb, replace(answer, syn_options=options))[1]
    assert Granted(b"new cookie", 1460, is_experimental=True) in given


IN_VAIN, IN_VAIN_BY_EXPERIMENT = Granted(b"", 1460), Granted(b"", 1460, is_experimental=True)


@pytest.mark.parametrize(
    ("answers", "asks"),
    [
        ((), (b"", False)),
        ((IN_VAIN,), (b"", True)),
        ((IN_VAIN, IN_VAIN), (b"", True)),
        ((IN_VAIN, IN_VAIN_BY_EXPERIMENT), (b"", False)),
        ((IN_VAIN, IN_VAIN_BY_EXPERIMENT, IN_VAIN), (b"", False)),
        ((IN_VAIN, Granted(COOKIE, 1460, is_experimental=True)), (COOKIE, True)),
        ((IN_VAIN, Granted(COOKIE, 1460, is_experimental=True), IN_VAIN_BY_EXPERIMENT), (COOKIE, True)),
        ((IN_VAIN, Granted(COOKIE, 1460, is_experimental=True), Granted(b"new", 9)), (b"new", False)),
        ((Granted(COOKIE, 1460), IN_VAIN), (COOKIE, False)),
    ],
)
def test_server__answers__what_the_next_syn_asks_or_bears(
    answers: tuple[Granted, ...], asks: tuple[bytes, bool]
) -> None:
    """A request that brought nothing is followed by one in the other kind of option, each kind once; then for
    good by the one of RFC 7413."""
    server = fast_open.FastOpenServer()
    for answer in answers:
        server = fast_open.after_answer(server, answer)
    opening = fast_open.with_known(OPENING, server)
    assert (opening.cookie, opening.is_cookie_experimental) == asks


def test_connect__syn_lost__repeated_without_data_and_option_and_reported() -> None:
    tcb, _ = opened()
    tcb, actions = going_on(tcb, Timeout(deadline_us(tcb)))
    again = only_segment(actions)
    assert (again.payload, again.syn_options) == (b"", SynOptions(1460, 5, True))
    assert Signal.FAST_OPEN_LOST in actions
    tcb, actions = going_on(tcb, Timeout(deadline_us(tcb)))
    assert Signal.FAST_OPEN_LOST not in actions, "once"
    tcb, actions = hears(tcb, syn_ack(tcb, 0))
    assert only_segment(actions).payload == b"GET /"


def test_connect__answer_to_the_first_syn_comes_after_the_second__its_ack_of_data_holds() -> None:
    tcb, _ = opened()
    tcb, _ = going_on(tcb, Timeout(deadline_us(tcb)))
    tcb, actions = hears(tcb, syn_ack(tcb, 5))
    assert (tcb.snd_buf_bytes, only_segment(actions).payload) == (0, b"")


@pytest.mark.parametrize("acked", [0, 5])
def test_connect__rst__refused(acked: int) -> None:
    """A closed port acknowledges SYN and data: SEG.SEQ + SEG.LEN."""
    tcb, _ = opened()
    rst = Segment(0, seq_add(OPENING.iss, 1 + acked), RST | ACK, 0)
    assert watched(tcb, SegmentArrives(rst, NOW_US)) == (None, (Failed(Failure.REFUSED),))


def test_connect__simultaneous_open__data_follows_the_handshake() -> None:
    tcb, _ = opened()
    tcb, actions = hears(tcb, peer_syn())
    assert tcb.state is State.SYN_RECEIVED
    assert only_segment(actions).payload == b""
    tcb, actions = hears(tcb, states.from_peer(tcb))
    assert tcb.state is State.ESTABLISHED
    assert only_segment(actions).payload == b"GET /"


@pytest.mark.parametrize(
    ("peer_mss", "room"), [(0, MSS_DEFAULT_IPV4 - 40), (1000, 960), (9000, 1420), (30, 0)]
)
def test_connect__much_data__the_syn_takes_what_the_mss_leaves(peer_mss: int, room: int) -> None:
    tcb, syn = opened(b"x" * 20_000, peer_mss=peer_mss)
    assert len(syn.payload) == room
    tcb, actions = hears(tcb, syn_ack(tcb, room))
    sent = segments_in(actions)
    assert sent[0].seq == seq_add(OPENING.iss, 1 + room)
    assert tcb.snd_buf_bytes == 20_000 - room


def test_syn_sent__text_on_the_syn_ack__received() -> None:
    """RFC 9293 3.10.7.3, fifth: "continue processing at the sixth step"; RFC 7413 4.2.2 allows it."""
    tcb, _ = opened()
    tcb, actions = hears(tcb, syn_ack(tcb, 5, text=b"200 OK"))
    assert (tcb.state, tcb.rcv_buf_bytes) == (State.ESTABLISHED, 6)
    tcb, actions = going_on(tcb, Receive(100, NOW_US))
    assert actions[0] == Deliver(b"200 OK")


def test_syn_sent__text_and_fin_on_the_syn_ack__close_wait() -> None:
    tcb = states.syn_sent()
    tcb, actions = hears(tcb, syn_ack(tcb, 0, text=b"bye", flags=FIN))
    assert (tcb.state, tcb.rcv_buf_bytes) == (State.CLOSE_WAIT, 3)
    assert only_segment(actions).ack == seq_add(PEER_ISS, 5)
    assert Signal.ESTABLISHED in actions
