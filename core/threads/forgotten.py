"""Awaits that were forgotten: `stream.send(data)` without `await` sends nothing, and Python says nothing.

Owns how it is noticed, which costs about as much as making the call: so only within a block, which
`run(main(), debug=True)` puts around a program. Python itself warns of a coroutine that was never awaited.
"""

import reprlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gossamer.core.errors import MisuseError
from gossamer.core.threads.systemcall import SystemCall


@contextmanager
def forgotten_awaits_are_named() -> Iterator[None]:
    """Within the block, a system call that is dropped without having been awaited is warned of.

    In the whole process: the calls of other schedulers are looked at too.

    >>> import warnings
    >>> from gossamer.core.threads.calls import sys_sleep
    >>> from gossamer.core.threads.forgotten import forgotten_awaits_are_named
    >>> with warnings.catch_warnings(record=True) as caught, forgotten_awaits_are_named():
    ...     _ = sys_sleep(5)
    ...     del _
    >>> print(caught[0].message)
    Sleep(us=5) was never awaited: await it, or nothing is done

    Warns: RuntimeWarning.
    """
    if "__del__" in SystemCall.__dict__:
        yield  # another program of this process does it already
        return
    awaited: set[int] = set()
    plain = {kind: kind.__dict__["__await__"] for kind in _kinds() if "__await__" in kind.__dict__}

    def dropped(call: SystemCall[Any]) -> None:
        if id(call) in awaited:
            awaited.discard(id(call))
        elif not _was_refused(call):
            message = f"{reprlib.repr(call)} was never awaited: await it, or nothing is done"
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=call)

    for kind, await_ in plain.items():
        kind.__await__ = _noting(awaited, await_)
    SystemCall.__del__ = dropped  # type: ignore[attr-defined]  # that is what costs
    try:
        yield
    finally:
        del SystemCall.__del__  # type: ignore[attr-defined]  # as above
        for kind, await_ in plain.items():
            kind.__await__ = await_


def _noting(awaited: set[int], await_: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A call's `__await__` that notes which was awaited."""

    def noting(call: Any) -> Any:
        awaited.add(id(call))
        return await_(call)

    return noting


def _was_refused(call: Any) -> bool:
    """Whether it was never made, as its arguments are not allowed."""
    try:
        getattr(call, "__post_init__", bool)()
    except MisuseError:
        return True
    return False


def _kinds() -> list[Any]:
    """All classes of calls that there are."""
    found: list[Any] = [SystemCall]
    for kind in found:
        found += kind.__subclasses__()
    return found
