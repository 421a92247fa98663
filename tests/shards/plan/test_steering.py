"""Which queue a flow comes to, and who has which queue."""

import socket
import subprocess
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.record import IN_RECORD
from gossamer.ffi.nfqueue_netlink import NetlinkSource, open_queue
from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.firewall.rules import QueueTarget, build_rules
from gossamer.shards.machine.procfs import ProcessIdentity
from gossamer.shards.plan.steering import Steering, shared

PORT = 18_095


@given(
    st.integers(1, 256),
    st.lists(st.integers(0, 12), min_size=1, max_size=12, unique=True),
    st.dictionaries(st.integers(100, 360), st.integers(0, 12)),
)
def test_shared__any_owners__evenly_and_by_the_fewest_moves(
    count: int, workers: list[int], owners: dict[int, int]
) -> None:
    queues = tuple(range(100, 100 + count))
    after = shared(queues, owners, workers)
    sizes = sorted((list(after.values()).count(worker) for worker in workers), reverse=True)
    each, further = divmod(count, len(workers))
    assert sizes == [each + 1] * further + [each] * (len(workers) - further)
    before = sorted((sum(owners.get(q) == w for q in queues) for w in workers), reverse=True)
    fewest = count - sum(map(min, before, sizes))
    assert sum(owners.get(queue) != after[queue] for queue in queues) == fewest
    assert shared(queues, after, workers) == after


def test_shared__a_worker_joins_and_leaves__only_its_own_move() -> None:
    two = shared(range(8), {}, [0, 1])
    three = shared(range(8), two, [0, 1, 2])
    assert sum(two[queue] != three[queue] for queue in range(8)) == 2
    assert {queue for queue in range(8) if two[queue] != three[queue]} == {q for q in three if three[q] == 2}
    again = shared(range(8), three, [0, 1])
    assert all(three[queue] == 2 for queue in range(8) if again[queue] != three[queue])


@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_steering__real_packets__come_to_the_queue_that_was_computed(host: str, namespace: Namespace) -> None:
    family = 6 if ":" in host else 4
    steering = Steering(tuple(range(300, 316)), 0xC0FFEE77, PORT)
    rules = build_rules(
        family, ProcessIdentity(1, 1), QueueTarget(PORT, PORT, steering.queues, host), steering.secret
    )
    with ExitStack() as stack:
        stack.enter_context(namespace.entered())
        command = ["iptables-restore" if family == 4 else "ip6tables-restore", "--noflush"]
        subprocess.run(command, input=rules, text=True, check=True)
        sources = {}
        for number in steering.queues:
            queue = stack.enter_context(open_queue(number))
            sources[number] = NetlinkSource(queue.fileno())
            stack.callback(sources[number].close)
        expected = {}
        for port in range(40_001, 40_041):
            client = stack.enter_context(socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET))
            client.setblocking(False)
            client.bind((host, port))
            client.connect_ex((host, PORT))
            flow = pack_flow((host, PORT), (host, port))
            expected[flow] = steering.queue_of(flow)
        found = {}
        for number, source in sources.items():
            count = source.recv_batch()
            for record in IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size]):
                found[record[0]] = number
    assert found == expected
    assert len(set(found.values())) > 6


def test_steering__another_port__none() -> None:
    assert Steering((1,), 1, PORT).queue_of(pack_flow(("127.0.0.1", 1), ("127.0.0.1", 2))) is None
