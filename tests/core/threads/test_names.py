"""What a function is called."""

from functools import partial
from typing import Any

import pytest

from gossamer.core.loop.program import run
from gossamer.core.threads.names import PARTIALS_MAX, name_of
from gossamer.core.threads.nursery import open_nursery


async def works(*_arguments: Any) -> None:
    pass


async def fails(_number: int) -> None:
    raise ValueError


class Worker:
    async def __call__(self, *_arguments: Any) -> None:
        pass

    async def method(self) -> None:
        pass


class Twice(partial[Any]):
    """One partial around another, which Python itself would make one of."""


def nested(depth: int) -> Any:
    found: Any = works
    for _ in range(depth):
        found = Twice(found)
        found.note = depth  # one with attributes is kept as it is
    return found


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (works, "works"),
        (partial(works, 1), "works"),
        (partial(partial(works, 1), 2), "works"),
        (nested(3), "works"),
        (Worker(), "Worker"),
        (partial(Worker(), 1), "Worker"),
        (Worker().method, "Worker.method"),
        (partial(Worker().method), "Worker.method"),
        (print, "print"),
        (nested(PARTIALS_MAX + 1), "Twice"),
    ],
)
def test_name_of(function: Any, name: str) -> None:
    assert name_of(function) == name


def test_nursery__a_partial__the_thread_is_named_by_its_function() -> None:
    async def main() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(partial(fails, 1))

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    (error,) = caught.value.exceptions
    assert error.__notes__ == ["in thread fails"]
