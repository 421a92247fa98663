"""When a worker that has joined gets its share."""

from types import SimpleNamespace
from typing import Any

import pytest

from gossamer.shards.supervisor.scaling import Scaling


class ToldQueues:
    """As much of the queues' doer as is asked to share them."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.shared: list[list[int]] = []

    def leave_to(self, dead: Any, heirs: list[Any]) -> None:
        assert heirs
        self.left.append(dead.shard)

    def share_among(self, slots: list[Any]) -> None:
        self.shared.append([slot.shard for slot in slots])


def slot(shard: int, **changes: Any) -> Any:
    found = {
        "shard": shard,
        "current": object(),
        "is_serving": False,
        "is_joining": False,
        "is_beginning": False,
        "is_replacing": False,
        "is_left_with_queues": False,
    }
    return SimpleNamespace(**(found | changes))


@pytest.mark.parametrize(
    ("other", "left", "shared"),
    [
        (slot(0, is_serving=True), [], [[0, 1]]),
        (slot(0, is_beginning=True), [], []),  # it reads them any moment: else two would
        (slot(0, current=None), [0], [[1]]),
        (slot(0, is_serving=True, is_replacing=True), [], []),
    ],
    ids=["serves", "begins", "is no more", "is being replaced"],
)
def test_one_joins__the_other__what_goes_where(other: Any, left: list[int], shared: list[list[int]]) -> None:
    queues, slots = ToldQueues(), [other, slot(1, is_joining=True)]
    children: Any = SimpleNamespace(slots=slots, staying=slots, is_settled=False)
    run: Any = SimpleNamespace(estate=None)
    scaling = Scaling(run, children, queues)  # type: ignore[arg-type]
    scaling.tick()
    assert (queues.left, queues.shared) == (left, shared)
