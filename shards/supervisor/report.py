"""What the supervisor says of the server: put together from all its rooms."""

from gossamer.core import native
from gossamer.core.clock import monotonic_us
from gossamer.core.printable import printable
from gossamer.shards.admin.server import url_of
from gossamer.shards.opening.frames import output_of
from gossamer.shards.seen.status import ServerStatus
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.replacing import Replacing
from gossamer.shards.supervisor.scaling import Scaling
from gossamer.shards.supervisor.startup import ServerRun
from gossamer.shards.supervisor.upgrading import Upgrading


def status_of(
    run: ServerRun,
    children: Children,
    scaling: Scaling,
    replacing: Replacing,
    upgrading: Upgrading,
    started_us: int,
) -> ServerStatus:
    """What `gossamer status` shows."""
    guard, now_us = run.rules.guard, monotonic_us()
    return ServerStatus(
        stack=run.plan.stack,
        reason=run.plan.reason,
        core=native.running(),
        output=output_of(run.config, run.plan.stack, run.opened.why_packets),
        uptime_us=now_us - started_us,
        pid=run.owner.pid,
        host=run.opened.host,
        port=run.opened.port,
        url=run.url,
        target=printable(run.config.server.target),
        generation=replacing.generation,
        reloading=not (children.is_settled and scaling.is_done) or replacing.is_due or upgrading.is_under_way,
        reload_error=printable(replacing.error),
        chains=run.rules.chains,
        workers=[slot.status(now_us) for slot in children.slots],
        rules_restored_total=guard.restored_total if guard else 0,
        rules_trouble=printable(guard.trouble) if guard else "",
        admin=url_of(run.admin),
        keeper=run.deposit.status() if run.deposit is not None else None,
    )
