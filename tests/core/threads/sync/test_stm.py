"""Transactions: all or nothing, retry, or_else, fairness."""

from typing import Any

import pytest

from gossamer.core.errors import GossamerError
from gossamer.core.threads.calls import sys_sleep, sys_yield
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.sync import Transaction, TVar, atomically

Run = Any


def test_atomically__error__nothing_is_changed(run: Run) -> None:
    left, right = TVar(10), TVar(0)

    def transfer(tx: Transaction) -> None:
        tx.write(left, tx.read(left) - 5)
        assert tx.read(left) == 5, "it sees what it has written"
        raise KeyError("half way")

    with pytest.raises(KeyError):
        run(atomically(transfer))
    assert (left.value, right.value) == (10, 0)


def test_atomically__coroutine_function__refused_and_nothing_is_changed(run: Run) -> None:
    variable = TVar(1)

    async def wrong(tx: Transaction) -> None:
        tx.write(variable, 2)

    async def main() -> None:
        with pytest.raises(GossamerError, match="a function, not a coroutine"):
            await atomically(wrong)

    run(main())
    assert variable.value == 1


def test_retry__waits_until_what_was_read_changes(run: Run) -> None:
    balance = TVar(0)
    attempts = 0

    def withdraw(tx: Transaction) -> int:
        nonlocal attempts
        attempts += 1
        if tx.read(balance) < 10:
            tx.retry()
        tx.write(balance, tx.read(balance) - 10)
        return 10

    async def deposits() -> None:
        for _ in range(3):
            await sys_sleep(100)
            await atomically(lambda tx: tx.write(balance, tx.read(balance) + 4))

    assert run(atomically(withdraw), deposits())[0] == 10
    assert balance.value == 2
    assert attempts == 4, "once, and once for each change"


def test_or_else__first_retries__its_writes_are_undone_and_the_second_is_tried(run: Run) -> None:
    first, second, log = TVar(0), TVar(1), TVar("")

    def take(variable: TVar[int], name: str) -> Any:
        def transaction(tx: Transaction) -> str:
            tx.write(log, name)
            if not tx.read(variable):
                tx.retry()
            tx.write(variable, 0)
            return name

        return transaction

    either = run(atomically(lambda tx: tx.or_else(take(first, "first"), take(second, "second"))))
    assert either == ["second"]
    assert (first.value, second.value, log.value) == (0, 0, "second")


def test_or_else__both_retry__woken_by_either(run: Run) -> None:
    first, second = TVar(0), TVar(0)

    def take(variable: TVar[int]) -> Any:
        def transaction(tx: Transaction) -> int:
            if not tx.read(variable):
                tx.retry()
            return tx.read(variable)

        return transaction

    async def later() -> None:
        await sys_sleep(100)
        await atomically(lambda tx: tx.write(second, 9))

    assert run(atomically(lambda tx: tx.or_else(take(first), take(second))), later())[0] == 9


def test_waiting__first_come_first_served(run: Run) -> None:
    tokens = TVar(0)
    served = []

    async def taker(name: int) -> None:
        def take(tx: Transaction) -> None:
            if not tx.read(tokens):
                tx.retry()
            tx.write(tokens, tx.read(tokens) - 1)

        await atomically(take)
        served.append(name)

    async def giver() -> None:
        await sys_yield()
        for _ in range(3):
            await atomically(lambda tx: tx.write(tokens, tx.read(tokens) + 1))
            await sys_sleep(100)

    run(*(taker(name) for name in range(3)), giver())
    assert served == [0, 1, 2]


def test_retry__nothing_was_read__is_refused(run: Run) -> None:
    with pytest.raises(GossamerError, match="for ever"):
        run(atomically(lambda tx: tx.retry()))


def test_retry__cancelled__waits_nowhere_any_more(run: Run) -> None:
    variable = TVar(0)

    async def impatient() -> bool:
        with move_on_after(0.001) as scope:
            await atomically(lambda tx: tx.read(variable) or tx.retry())
        return scope.cancelled_caught

    assert run(impatient()) == [True]
    assert not variable._waiting
