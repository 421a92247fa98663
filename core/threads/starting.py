"""A thread that says when it is ready: what `Nursery.start` waits for.

Owns what passes between the thread that starts and the one that is started, until the latter has called
`started`. The words and the rules are trio's.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from gossamer.core.errors import GossamerError, MisuseError
from gossamer.core.threads.calls import Park, Returning
from gossamer.core.threads.cancel import Cancelled, CancelScope
from gossamer.core.threads.thread import Raise


class Started(Protocol):
    """What a function that `Nursery.start` starts is given as `started`."""

    def __call__(self, value: Any = None, /) -> None:
        """Say that the thread is ready; `Nursery.start` returns the value. Raises: MisuseError the second
        time."""


def nobody_waits(value: Any = None, /) -> None:
    """The `started` of a thread that was begun by `start_soon`: nobody waits for the value."""
    del value


class Starting:
    """One start: the thread runs `run`, who starts it awaits `wait`."""

    __slots__ = ("_has_begun", "_label", "_outcome", "_scope", "_waiters")

    def __init__(self, label: str) -> None:
        self._label = label
        self._scope = CancelScope()
        self._waiters: deque[Callable[[None], None]] = deque()
        self._has_begun = False
        self._outcome: Any = None
        """The value, or a `Raise`, once `_has_begun`."""

    def started(self, value: Any = None, /) -> None:
        """See `Started`."""
        if self._has_begun:
            raise MisuseError(f"started: {self._label} has called it before, or its start was given up")
        self._begin(value)

    async def run(self, awaitable: Awaitable[object]) -> None:
        """The thread. Raises: what it raises after `started`; before, whoever waits has it."""
        try:
            with self._scope:
                await awaitable
        except (Cancelled, Returning, KeyboardInterrupt):
            self._has_ended(GossamerError(f"start: {self._label} was called off before it called started()"))
            raise
        except BaseException as error:
            if self._has_begun or isinstance(error, GeneratorExit):
                raise
            self._has_ended(error)
        self._has_ended(MisuseError(f"start: {self._label} has ended and never called started()"))

    def _has_ended(self, error: BaseException) -> None:
        if not self._has_begun:
            self._begin(Raise(error))

    async def wait(self) -> Any:
        """What the thread calls `started` with. Raises: what ended it before that."""
        try:
            await self._begun()
        except Cancelled:
            self._scope.cancel()
            with CancelScope(shield=True):
                await self._begun()
            if self._scope.cancelled_caught or not isinstance(self._outcome, Raise):
                raise
        # The traceback of an error leads to the frames of both ends, which hold this.
        outcome, self._outcome = self._outcome, None
        if not isinstance(outcome, Raise):
            return outcome
        try:
            raise outcome.error
        finally:
            del outcome

    async def _begun(self) -> None:
        while not self._has_begun:
            await Park(self._waiters)

    def _begin(self, outcome: Any) -> None:
        self._has_begun = True
        self._outcome = outcome
        if self._waiters:
            self._waiters.popleft()(None)
