"""The record of one thread.

Owns the fields of a thread and nothing that runs it. Ten million of them may be blocked at once, so there are
eight fields and no registry: a blocked thread is held by the loop that owes it an answer, a ready one by the
ready queue.

Source: Li and Zdancewic, PLDI 2007, section 3.
"""

from collections.abc import Coroutine
from contextvars import Context
from inspect import iscoroutinefunction
from types import CoroutineType
from typing import Any, Final, Generic, Protocol, TypeVar

from gossamer.core.errors import MisuseError, misuse

R_co = TypeVar("R_co", covariant=True)


class Raise:
    """In the place of a value: raise this in the thread."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException = error


def throwable(error: BaseException) -> BaseException:
    """What can be thrown into a thread for that error."""
    if not isinstance(error, GeneratorExit):
        return error
    # Thrown in, it would close the coroutines within one by one, none of which may make a call then.
    raised = RuntimeError("what was waited for raised GeneratorExit")
    raised.__cause__ = error
    return raised


class Blocked:
    """The type of BLOCKED."""

    __slots__ = ()


BLOCKED: Final = Blocked()
"""What a handler returns when the thread must wait; any other value is the call's result at once."""


class Ended:
    """The type of ENDED."""

    __slots__ = ()


ENDED: Final = Ended()
"""Stands in `joiners` of a thread that has ended."""


class Scope(Protocol):
    """What a thread and its scheduler need of a cancel scope (`core.threads.cancel`)."""

    @property
    def is_cancelled(self) -> bool:
        """Whether blocking calls in it raise `Cancelled`."""

    def leave(self, thread: "Thread[Any]") -> None:
        """A thread in it has ended."""


def check_coroutine(what: str, found: object) -> None:
    """Raises: MisuseError for what no thread can be made of."""
    if type(found) is CoroutineType:
        if found.cr_suspended:
            raise MisuseError(
                f"{what}: {found.__qualname__} runs in a thread already: call the function anew"
            )
    elif not isinstance(found, Coroutine):
        allowed = "a coroutine, what calling an async function returns"
        if iscoroutinefunction(found):
            name = getattr(found, "__name__", "it")
            allowed += f": it was not called, {name}() is meant"
        raise misuse(what, found, allowed)


class Thread(Generic[R_co]):
    """A lightweight thread: a coroutine and what it is to be sent next.

    `inbox` is BLOCKED while a loop owes the thread an answer or while it runs; then the value its call
    returns, or a `Raise`; at last, what the thread returned, or a `Raise` of what ended it.
    """

    __slots__ = ("context", "coroutine", "hosts", "inbox", "joiners", "name", "number", "scope")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, R_co],
        name: str = "",
        context: Context | None = None,
        number: int = 0,
    ) -> None:
        self.coroutine: Coroutine[Any, Any, R_co] = coroutine
        self.inbox: Any = BLOCKED
        self.joiners: Any = None
        """Who waits for its end, a dict in the order of coming; None for nobody, ENDED once it has ended."""
        self.name: str = name
        self.scope: Scope | None = None
        """The innermost cancel scope that it is in."""
        self.context: Context | None = context
        """Where its context variables live; None: it shares those of whoever runs the scheduler."""
        self.number: int = number
        """How many its scheduler had started when this was started: the order of creation."""
        self.hosts: bool = False
        """Whether what a guest has set up may stay while it runs: see the scheduler's `put_back`."""

    @property
    def has_ended(self) -> bool:
        """Whether it has returned or was ended by an error."""
        return self.joiners is ENDED

    @property
    def is_alone(self) -> bool:
        """Whether nobody joins it, and it has no cancel scope and no context variables of its own: so another
        can take its place."""
        return self.joiners is None and self.scope is None and self.context is None

    @property
    def label(self) -> str:
        """Its name, or that of its function."""
        return self.name or getattr(self.coroutine, "__qualname__", "?")

    def __repr__(self) -> str:
        return f"<Thread {self.label}>"
