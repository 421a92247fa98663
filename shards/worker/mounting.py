"""Several applications as one: the target, and what is mounted beside it.

Owns how what a worker does with an application is done with each of them: counted together, begun one after
the other, ended together. Which request is whose is `shards.web.mounts`'s.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import chain

from gossamer.core.io.stream import Connector
from gossamer.core.threads.eventloop import EventLoop
from gossamer.core.threads.nursery import open_nursery
from gossamer.shards.asgi.conversation import ResponseCutError
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.letters.workerplan import WorkerPlan
from gossamer.shards.web.access_log import AccessLog
from gossamer.shards.web.mounted_site import MountedSite, Part
from gossamer.shards.worker.served import Application
from gossamer.shards.worker.stack import Statistics
from gossamer.shards.wsgi.conversation import AnswerCutError


def mounted(
    target: Application, mounts: Mapping[str, Application], plan: WorkerPlan, access_log: AccessLog | None
) -> Application:
    """The application of a server with mounts, by their paths."""
    by_path = {"": target, **mounts}
    every = tuple(by_path.values())
    folders = {mount.path for mount in plan.config.mount if mount.is_folder}
    parts = {path: part_of(each, is_folder=path in folders) for path, each in mounts.items()}
    cuts = (ResponseCutError, AnswerCutError)
    site = MountedSite(part_of(target), parts, plan.config.web, cuts=cuts, access_log=access_log)
    return Application(
        site.serve,
        lambda: counted(site.statistics, *(each.statistics for each in every)),
        all_of(site.begin_end, *(each.begin_end for each in every)),
        all_of(site.drain, *(each.drain for each in every)),
        at_heartbeat=all_of() if access_log is None else access_log.flush,
        start=in_turn({path: each.start for path, each in by_path.items() if each.start is not None}),
        finish=finished([each.finish for each in every if each.finish is not None]),
        ends_by_itself=all(each.ends_by_itself for each in every),
        isolates=True,
        connect_with=connecting([each.connect_with for each in every if each.connect_with is not None]),
        forget=all_of(*(each.forget for each in every)),
        loops=lambda: (site.times, *loops_of(every)),
    )


def part_of(application: Application, *, is_folder: bool = False) -> Part:
    """What stands at a place."""
    handle = application.handle if application.converse is None else None
    return Part(application.converse, handle, is_folder=is_folder)


def counted(*statistics: Statistics) -> dict[str, int]:
    """All counters, those of one name together; why one of them is spent."""
    every = [each() for each in statistics]
    total: Counter[str] = Counter()
    for each in every:
        total.update(each)
    return {**total, "spent": max(each.get("spent", 0) for each in every)}


def all_of(*functions: Callable[[], None]) -> Callable[[], None]:
    """All of them, as one."""

    def call() -> None:
        for function in functions:
            function()

    return call


def in_turn(starts: Mapping[str, Callable[[], Awaitable[None]]]) -> Callable[[], Awaitable[None]] | None:
    """What begins, one after the other; None for nothing. What ends a start says where it is mounted."""

    async def start() -> None:
        for path, each in starts.items():
            try:
                await each()
            except CannotStartError as error:
                raise CannotStartError(f"mount {path}: {error}" if path else str(error)) from error

    return start if starts else None


def finished(ends: list[Callable[[int], Awaitable[None]]]) -> Callable[[int], Awaitable[None]] | None:
    """What ends, beside each other, by a time; None for nothing."""

    async def finish(deadline_us: int) -> None:
        async with open_nursery() as nursery:
            for each in ends:
                nursery.start_soon(each, deadline_us)

    return finish if ends else None


def connecting(takers: list[Callable[[Connector], None]]) -> Callable[[Connector], None] | None:
    """Gives each the connector; None where nobody opens connections."""

    def connect_with(connector: Connector) -> None:
        for take in takers:
            take(connector)

    return connect_with if takers else None


def loops_of(applications: Iterable[Application]) -> list[EventLoop]:
    """Those of all, to be plugged in; asyncio, which several share, once."""
    return list(dict.fromkeys(chain.from_iterable(each.loops() for each in applications)))
