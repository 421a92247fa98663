"""The functional TCP as a worker's stack: what must be imported before privileges go."""

import errno
import os
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gossamer.core.tcp.parameters import TcpParameters
from gossamer.shards.letters.workerplan import WorkerPlan
from gossamer.shards.worker import stack_nfqueue
from gossamer.shards.worker.stack_nfqueue import receiver_of


def plan_with(backend: str) -> WorkerPlan:
    """As much of a plan as is looked at."""
    plan: Any = SimpleNamespace(
        queues=(100,),
        port=8080,
        config=SimpleNamespace(nfqueue=SimpleNamespace(queue_length_max=1, backend=backend)),
    )
    return cast(WorkerPlan, plan)


def test_receiver__of_the_package__imported_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("netfilterqueue")
    monkeypatch.delitem(sys.modules, "gossamer.ffi.nfqueue_package", raising=False)
    receiver_of(plan_with("netfilterqueue"))
    assert "gossamer.ffi.nfqueue_package" in sys.modules


def test_receiver__on_inherited_queues__needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gossamer.ffi.nfqueue_package", raising=False)
    assert receiver_of(plan_with("netlink")) is None
    assert "gossamer.ffi.nfqueue_package" not in sys.modules


class Opened(Exception):
    """The sink was asked for."""


def test_ttl__configured__is_that_of_the_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9293 3.9.2, MUST-49."""

    def opened(*arguments: int) -> None:
        raise Opened(arguments)

    monkeypatch.setattr(stack_nfqueue, "RawSink", opened)
    plan: Any = SimpleNamespace(
        descriptors=SimpleNamespace(raw_ipv4=3, raw_ipv6=4, frames=-1),
        shard=SimpleNamespace(active_ports=None),
        config=SimpleNamespace(
            tcp=TcpParameters(ttl=7), nfqueue=SimpleNamespace(backend="netlink", output="raw")
        ),
    )
    nothing: Any = None
    with pytest.raises(Opened) as caught:
        stack_nfqueue.build_stack(nothing, plan, nothing)
    assert caught.value.args == ((3, 4, 7, None),)


@pytest.mark.parametrize("output", ["auto", "frames"])
def test_frames__nobody_says_when_routing_changes__packets_or_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, output: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(stack_nfqueue, "Frames", refused)
    plan: Any = SimpleNamespace(
        descriptors=SimpleNamespace(frames=5), config=SimpleNamespace(nfqueue=SimpleNamespace(output=output))
    )
    if output == "frames":
        with pytest.raises(PermissionError):
            stack_nfqueue.frames_of(plan)
        return
    assert stack_nfqueue.frames_of(plan) is None
    assert "everything leaves as packets" in caplog.text
