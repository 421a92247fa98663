"""Software transactional memory: several shared variables changed together, or not at all.

    def withdraw(tx: Transaction) -> int:
        if tx.read(balance) < 10:
            tx.retry()                       # wait until something that was read has changed
        tx.write(balance, tx.read(balance) - 10)
        return 10

    taken = await atomically(withdraw)

A transaction is a function, not a coroutine: it makes no system call, so no other thread runs meanwhile, and
it never has to be repeated because of one. What it writes stands in its log until it returns; an error, or a
`retry`, leaves every variable as it was.

Owns the log of a transaction and who waits for which variable.

Source: Harris, Marlow, Peyton Jones and Herlihy, "Composable memory transactions", PPoPP 2005.
"""

from collections import deque
from collections.abc import Callable
from threading import get_ident
from types import CoroutineType
from typing import Any, Final, Generic, NoReturn, TypeVar

from gossamer.core.errors import BoundExceeded, MisuseError, misuse
from gossamer.core.threads.calls import Park
from gossamer.core.threads.sync.owned import Owned
from gossamer.core.threads.sync.waiting import WAITERS_MAX, Waker

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS_MAX: Final = 1_000_000
"""Attempts of one transaction that each found a change and wanted to wait again."""


class TVar(Owned, Generic[T]):
    """A variable that transactions share."""

    __slots__ = ("_value", "_waiting")

    def __init__(self, value: T) -> None:
        super().__init__()
        self._value = value
        self._waiting: dict[Waiting, None] | None = None

    @property
    def value(self) -> T:
        """What it holds just now, outside of any transaction."""
        return self._value


class Waiting(deque[Waker]):
    """The place of one thread that waits for any of several variables; compared by identity."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # a deque has none

    def __eq__(self, other: object) -> bool:
        return self is other


class Retry(BaseException):
    """Raised by `Transaction.retry`; no transaction should catch it."""


class Transaction:
    """What a transaction's function is given: its only way to variables.

    >>> from gossamer import TVar, atomically, run
    >>> wages, savings = TVar(0), TVar(30)
    >>> def take(tx, account):
    ...     if tx.read(account) < 20:
    ...         tx.retry()
    ...     tx.write(account, tx.read(account) - 20)
    >>> def pay(tx):
    ...     tx.or_else(lambda tx: take(tx, wages), lambda tx: take(tx, savings))
    >>> run(atomically(pay))
    >>> wages.value, savings.value
    (0, 10)
    """

    __slots__ = ("_reads", "_writes")

    def __init__(self) -> None:
        self._reads: dict[TVar[Any], None] = {}
        self._writes: dict[TVar[Any], Any] = {}

    def read(self, variable: TVar[T]) -> T:
        """What a variable holds, with what this transaction has written. Raises: MisuseError."""
        try:
            if variable._owner.os_thread != get_ident():
                variable._find_owner()
        except AttributeError:
            raise misuse("Transaction: variable", variable, "a TVar") from None
        if variable in self._writes:
            written: T = self._writes[variable]
            return written
        self._reads[variable] = None
        return variable._value

    def write(self, variable: TVar[T], value: T) -> None:
        """Have a variable hold a value once the transaction returns. Raises: MisuseError."""
        try:
            if variable._owner.os_thread != get_ident():
                variable._find_owner()
        except AttributeError:
            raise misuse("Transaction: variable", variable, "a TVar") from None
        self._writes[variable] = value

    def retry(self) -> NoReturn:
        """Give up this attempt, and wait until a variable that it has read is changed by another thread."""
        raise Retry

    def or_else(self, first: Callable[["Transaction"], R], second: Callable[["Transaction"], R]) -> R:
        """What `first` returns; where it retries, its writes are undone and `second` is tried instead."""
        before = dict(self._writes)
        try:
            return first(self)
        except Retry:
            self._writes = before
        return second(self)

    def _commit(self) -> None:
        for variable, value in self._writes.items():
            if variable._value is not value:
                variable._value = value
                if variable._waiting is not None:
                    _wake(variable)


def _wake(variable: TVar[Any]) -> None:
    """Who waits for it goes on, in the next turn at the earliest: nothing runs before all is written."""
    waiting, variable._waiting = variable._waiting, None
    for place in waiting or ():
        if place:
            place.popleft()(None)


async def atomically(function: Callable[[Transaction], R]) -> R:
    """Run a transaction to its end, waiting as often as it retries.

    >>> from gossamer import TVar, atomically, run
    >>> balance = TVar(30)
    >>> def withdraw(tx):
    ...     tx.write(balance, tx.read(balance) - 10)
    ...     return 10
    >>> run(atomically(withdraw)), balance.value
    (10, 20)

    Raises: what it raises, with nothing changed; MisuseError when it retries without having read anything.
    """
    if not callable(function):
        raise misuse("atomically: function", function, "a function of a Transaction")
    for _ in range(ATTEMPTS_MAX):
        transaction = Transaction()
        try:
            result = function(transaction)
        except Retry:
            await _changed(transaction._reads)
        else:
            if isinstance(result, CoroutineType):
                result.close()
                raise MisuseError("a transaction is a function, not a coroutine: it makes no system call")
            transaction._commit()
            return result
    raise BoundExceeded(f"a transaction was retried {ATTEMPTS_MAX} times (stm.ATTEMPTS_MAX)")


async def _changed(reads: dict[TVar[Any], None]) -> None:
    """Wait until one of the variables is changed."""
    if not reads:
        raise MisuseError("a transaction retried that has read nothing: it would wait for ever")
    place = Waiting()
    for variable in reads:
        if variable._waiting is None:
            variable._waiting = {}
        elif len(variable._waiting) >= WAITERS_MAX:
            raise BoundExceeded(f"{WAITERS_MAX} threads wait for one variable (sync.waiting.WAITERS_MAX)")
        variable._waiting[place] = None
    try:
        await Park(place)
    finally:
        for variable in reads:
            if variable._waiting is not None:
                variable._waiting.pop(place, None)
