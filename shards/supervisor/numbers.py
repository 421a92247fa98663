"""How many workers there are to be: what may be wanted, and the next step to it. Pure."""

from enum import Enum, auto

from gossamer.shards.configuration.config import WORKERS_MAX, Config
from gossamer.shards.exitcode import CommandError
from gossamer.shards.plan.plan import RunPlan


class ScalingStep(Enum):
    """The next of the steps to another number, of which each is waited for."""

    NONE = auto()
    JOIN = auto()
    """One that is ready gets its share of the queues."""
    ADD = auto()
    REMOVE = auto()


def scaling_step(present: int, wanted: int, *, is_joining: bool, is_settled: bool) -> ScalingStep:
    """The next step, with so many workers `present` that are not about to leave."""
    if is_joining:
        return ScalingStep.JOIN
    if not is_settled or present == wanted:
        return ScalingStep.NONE
    return ScalingStep.ADD if present < wanted else ScalingStep.REMOVE


def require_number(config: Config, plan: RunPlan, wanted: int, *, moves: bool) -> None:
    """Raises: CommandError where there cannot be so many workers; `moves` says whether queues can."""
    if plan.stack == "nfqueue" and not moves:
        raise CommandError("workers: with nfqueue.backend netfilterqueue they come and go by a restart alone")
    most = len(plan.queues) if plan.stack == "nfqueue" else WORKERS_MAX
    if config.nfqueue.active_ports_per_worker and plan.stack == "nfqueue":
        most = len(plan.shards)
    if not 1 <= wanted <= most:
        raise CommandError(f"workers: found {wanted}; allowed: 1 to {most}, until a restart")
