"""The socket calls, each with the errors that it can give."""

import pytest

from gossamer.core.packetdrill.profiles import LINUX
from gossamer.core.packetdrill.runner import play
from gossamer.core.packetdrill.verdict import Outcome

OPEN = """\
0  socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("0.0.0.0")}, ...) = 0
+0 listen(3, 2) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+0 < . 1:1(0) ack 1 win 65535
+0 accept4(3, ..., ..., SOCK_NONBLOCK) = 4
"""

CASES = {
    "accept: empty queue, no listener": """
+0 accept(3, ..., ...) = -1 EAGAIN
+0 accept(4, ..., ...) = -1 EINVAL
""",
    "bind and listen: twice": """
+0 bind(3, ..., ...) = -1 EINVAL
+0 listen(4, 1) = -1 EINVAL
""",
    "connect: a listener": """
+0 connect(3, ..., ...) = -1 EISCONN
""",
    "a socket without a connection: write, read": """
+0 socket(..., SOCK_STREAM, 0) = 7
+0 write(7, ..., 1) = -1 EPIPE
+0 read(7, ..., 1) = -1 ENOTCONN
""",
    "a socket without a connection: shutdown, close": """
+0 socket(..., SOCK_STREAM, 0) = 7
+0 shutdown(7, SHUT_WR) = -1 ENOTCONN
+0 close(7) = 0
""",
    "bind: a port in use": """
+0 socket(..., SOCK_STREAM, 0) = 7
+0 bind(7, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("0.0.0.0")}, ...) = -1 EADDRINUSE
""",
    "connect: the only port of IP_LOCAL_PORT_RANGE is that of a connection that waits": """
+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, 0) = 7
+0 setsockopt(7, SOL_IP, IP_LOCAL_PORT_RANGE, [0x88b888b8], 4) = 0
+0 connect(7, ..., ...) = -1 EINPROGRESS
+0 > 35000 > 8080 S 0:0(0) <...>
+0 < S. 0:0(0) ack 1 win 9 <mss 1000>
+0 > . 1:1(0) ack 1
+0 close(7) = 0
+0 > F. 1:1(0) ack 1
+0 < F. 1:1(0) ack 2 win 9
+0 > . 2:2(0) ack 2
+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, 0) = 8
+0 setsockopt(8, SOL_IP, IP_LOCAL_PORT_RANGE, [0x88b888b8], 4) = 0
+1 connect(8, ..., ...) = -1 EADDRNOTAVAIL
+0 setsockopt(8, SOL_IP, IP_LOCAL_PORT_RANGE, [0x88b988b8], 4) = 0
+0 connect(8, ..., ...) = -1 EINPROGRESS
+0 > 35001 > 8080 S 0:0(0) <...>
""",
    "sendto: Fast Open to no family": """
+0 `sysctl -q net.ipv4.tcp_fastopen=3`
+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, 0) = 7
+0 sendto(7, ..., 0, MSG_FASTOPEN, AF_UNSPEC, ...) = -1 EOPNOTSUPP
""",
    "read: nothing there": """
+0 read(4, ..., 1) = -1 EWOULDBLOCK
+0 recv(4, ..., 1, MSG_DONTWAIT) = -1 EAGAIN
""",
    "fcntl: flags": """
+0 fcntl(4, F_GETFL) = 0x802 (flags O_RDWR)
""",
    "recv: peek": """
+0 < P. 1:11(10) ack 1 win 9
+0 recv(4, ..., 5, MSG_PEEK) = 5
+0 recvfrom(4, ..., 100, 0, ..., ...) = 10
""",
    "readv, and what is left": """
+0 < P. 1:11(10) ack 1 win 9
+0 readv(4, [{..., 4}, {..., 3}], 2) = 7
+0 ioctl(4, FIONREAD, [3]) = 0
""",
    "recv: all or nothing": """
+0 ioctl(4, FIONBIO, [0]) = 0
+0...0.1 recv(4, ..., 20, MSG_WAITALL) = 20
+0 < P. 1:11(10) ack 1 win 9
+.1 < P. 11:21(10) ack 1 win 9
""",
    "writev, and what is unacknowledged": """
+0 writev(4, [{..., 400}, {..., 300}], 2) = 700
+0 > P. 1:701(700) ack 1
+0 ioctl(4, SIOCOUTQ, [700]) = 0
+0 ioctl(4, SIOCOUTQNSD, [0]) = 0
""",
    "sendfile": """
+0 sendfile(4, 9, [0], 500) = 500
+0 > P. 1:501(500) ack 1
""",
    "getsockopt: what TCP knows": """
+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0
+0 getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, [1], [4]) = 0
""",
    "congestion control by name": """
+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, "reno", 4) = 0
+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, "reno", [4]) = 0
""",
    "write: a full buffer": """
+0 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [20000], 4) = 0
+0 getsockopt(4, SOL_SOCKET, SO_SNDBUF, [40000], [4]) = 0
+0 write(4, ..., 30000) = 20000
+0 write(4, ..., 1) = -1 EAGAIN
+0 poll([{fd=4, events=POLLOUT}], 1, 0) = 0
""",
    "close: lingers": """
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=2}, 8) = 0
+0...2 close(4) = 0
""",
    "shutdown: of reading": """
+0 shutdown(4, SHUT_RD) = 0
+0 read(4, ..., 1) = 0
""",
    "poll: until data comes": """
+0...0.3 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 1000) = 1
+.3 < P. 1:11(10) ack 1 win 9
""",
    "poll: until the time is over": """
+0...0.25 poll([{fd=4, events=POLLIN, revents=0}], 1, 250) = 0
""",
    "poll: several, one unknown": """
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}, {fd=33, events=POLLIN}], 2, 0) = 2
""",
    "epoll: level, edge, once more": """
+0 epoll_create1(0) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, u64=77}) = 0
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1 EEXIST
+0 epoll_wait(5, ..., 1, 0) = 0
+0 < P. 1:11(10) ack 1 win 9
+0 epoll_wait(5, {events=EPOLLIN, u64=77}, 1, 0) = 1
+0 epoll_wait(5, {events=EPOLLIN, u64=77}, 1, 0) = 1
+0 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
+0 epoll_wait(5, ..., 1, 0) = 0
+0 < P. 11:21(10) ack 1 win 9
+0 epoll_wait(5, [{events=EPOLLIN, fd=4}], 1, 0) = 1
+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, ...) = 0
+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, ...) = -1 ENOENT
""",
    "epoll: one shot": """
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLONESHOT, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1
+0 epoll_wait(5, ..., 1, 0) = 0
""",
    "the end of the stream": """
+0 < F. 1:1(0) ack 1 win 9
+0 > . 1:1(0) ack 2
+0 poll([{fd=4, events=POLLIN|POLLRDHUP, revents=POLLIN|POLLRDHUP}], 1, 0) = 1
+0 read(4, ..., 9) = 0
""",
    "close: a listener": """
+0 close(3) = 0
+0 < 1000 > 8080 S 0:0(0) win 9
+0 > 8080 > 1000 R. 0:0(0) ack 1
""",
    "cork: for 200 ms": """
+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0
+0 write(4, ..., 1100) = 1100
+0 > . 1:1001(1000) ack 1
+.2 > P. 1001:1101(100) ack 1
""",
    "zerocopy: complete once acknowledged, several in one range": """
+0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+0 send(4, ..., 1000, MSG_ZEROCOPY) = 1000
+0 send(4, ..., 1000, MSG_ZEROCOPY) = 1000
+0 > P. 1:1001(1000) ack 1
+0 > P. 1001:2001(1000) ack 1
+0 < . 1:1(0) ack 1000 win 65535
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, msg_control=[]},
    MSG_ERRQUEUE) = -1 EAGAIN
+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0
+0 < . 1:1(0) ack 2001 win 65535
+0 poll([{fd=4, events=POLLIN, revents=POLLERR}], 1, 0) = 1
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE, msg_control=[
    {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY,
     ee_type=0, ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info=0, ee_data=1}}]}, MSG_ERRQUEUE) = 0
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, msg_control=[]},
    MSG_ERRQUEUE) = -1 EAGAIN
+0 send(4, ..., 1, MSG_ZEROCOPY) = 1
+0 > P. 2001:2002(1) ack 1
+0 < . 1:1(0) ack 2002 win 65535
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE, msg_control=[
    {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY,
     ee_type=0, ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info=2, ee_data=2}}]}, MSG_ERRQUEUE) = 0
""",
    "zerocopy: the flag alone is ignored": """
+0 send(4, ..., 1000, MSG_ZEROCOPY) = 1000
+0 > P. 1:1001(1000) ack 1
+0 < . 1:1(0) ack 1001 win 65535
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, msg_control=[]},
    MSG_ERRQUEUE) = -1 EAGAIN
""",
    "zerocopy: reported once, by the edge": """
+0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1
+0 send(4, ..., 1000, MSG_ZEROCOPY) = 1000
+0 > P. 1:1001(1000) ack 1
+0 < . 1:1(0) ack 1001 win 65535
+0 epoll_wait(5, {events=EPOLLERR|EPOLLOUT, fd=4}, 1, 0) = 1
+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
""",
    "keepalive: its default": """
+0 getsockopt(4, SOL_TCP, TCP_KEEPIDLE, [7200], [4]) = 0
""",
}
"""By what they show: the lines that follow OPEN."""


@pytest.mark.parametrize("name", CASES)
def test_calls__behave_and_fail_as_documented(name: str) -> None:
    verdict = play(OPEN + CASES[name], "x.pkt", LINUX)
    assert verdict.verdict is Outcome.PASS, f"{verdict.line}: {verdict.message}"
