"""The `__await__` of system calls: hands the call out once, and takes one answer of any kind."""

import gc
import sys
import weakref
from typing import Any

import pytest

from gossamer.core.threads.calls import Yield
from gossamer.core.threads.systemcall import SystemCall
from gossamer.ffi._await import Answer


class Ask(SystemCall[Any], frozen=True, weakref=True):
    """A call that nobody takes: the test answers."""

    question: object = None


async def asks(call: Ask) -> Any:
    return await call


ANSWERS = [None, 0, b"octets", (1, 2), (), StopIteration(3), [None]]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
@pytest.mark.parametrize("is_traced", [False, True])
def test_await__call_handed_out__answer_returned(answer: object, is_traced: bool) -> None:
    call = Ask()
    coroutine = asks(call)
    before = sys.gettrace()
    # A traced `await` asks by methods, not by PyIter_Send.
    sys.settrace((lambda *_: None) if is_traced else before)
    try:
        assert coroutine.send(None) is call
        with pytest.raises(StopIteration) as end:
            coroutine.send(answer)
    finally:
        sys.settrace(before)
    assert end.value.value is answer


def test_await__from_a_generator__as_from_a_coroutine() -> None:
    def delegates() -> Any:
        return (yield from Ask().__await__())

    generator = delegates()
    assert isinstance(next(generator), Ask)
    with pytest.raises(StopIteration) as end:
        generator.send((1, 2))
    assert end.value.value == (1, 2)


def test_await__error_thrown_in__raised_at_the_await() -> None:
    coroutine = asks(Ask())
    coroutine.send(None)
    with pytest.raises(OSError, match="no"):
        coroutine.throw(OSError("no"))


def test_await__awaited_again__asked_again() -> None:
    async def twice(call: Ask) -> list[Any]:
        return [await call, await call]

    call = Ask()
    coroutine = twice(call)
    assert coroutine.send(None) is call
    assert coroutine.send(1) is call
    with pytest.raises(StopIteration) as end:
        coroutine.send(2)
    assert end.value.value == [1, 2]


def test_await__suspended__says_which_call_and_is_small() -> None:
    call = Ask()
    coroutine = asks(call)
    coroutine.send(None)
    answer = coroutine.cr_await
    assert isinstance(answer, Answer)
    assert answer.call is call
    assert sys.getsizeof(answer) <= 48
    coroutine.close()


def test_await__in_a_ring__collected() -> None:
    box: list[Any] = []
    call = Ask(box)
    coroutine = asks(call)
    coroutine.send(None)
    box.append(coroutine)
    gone = weakref.ref(call)
    del call, coroutine, box
    gc.collect()
    assert gone() is None


def test_await__many__nothing_kept() -> None:
    call = Yield()
    before = sys.getrefcount(call)
    for _ in range(100):
        coroutine = asks(call)  # type: ignore[arg-type]
        coroutine.send(None)
        coroutine.close()
        coroutine = asks(call)  # type: ignore[arg-type]
        coroutine.send(None)
        with pytest.raises(StopIteration):
            coroutine.send(None)
    del coroutine
    assert sys.getrefcount(call) == before
