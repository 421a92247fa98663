"""asyncio over a scheduler: programs of asyncio alone run as on its own loop, whoever is on top."""

import asyncio
import contextvars
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from gossamer.core.aio.calls import sys_await_future
from gossamer.core.aio.eventloop import HANDLES_MAX
from gossamer.core.aio.guest import AsyncioLoop
from gossamer.core.aio.top import TopEventLoop, new_event_loop, run
from gossamer.core.io.signals import SignalSocket
from gossamer.core.loop import program

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def run_as_guest(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a task in a scheduler that a native thread began."""
    guest = AsyncioLoop()

    async def begins() -> Any:
        try:
            return await sys_await_future(main)
        finally:
            await guest.shut_down()

    return program.run(begins(), [guest])


@pytest.fixture(params=[run, run_as_guest], ids=["on top", "as a guest"])
def asyncio_run(request: pytest.FixtureRequest) -> Run:
    """Whoever drives: a turn is the same."""
    chosen: Run = request.param
    return chosen


def test_tasks__gather_queue_timeout_lock(asyncio_run: Run) -> None:
    async def main() -> Any:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        lock = asyncio.Lock()

        async def puts() -> None:
            for number in range(5):
                async with lock:
                    await queue.put(number)

        async def gets() -> list[int]:
            return [await queue.get() for _ in range(5)]

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        return await asyncio.gather(puts(), gets())

    assert asyncio_run(main()) == [None, [0, 1, 2, 3, 4]]


def test_running_loop__seen_in_tasks_and_callbacks(asyncio_run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen = loop.create_future()
        loop.call_soon(lambda: seen.set_result(asyncio.get_running_loop()))
        assert await seen is loop
        assert loop.is_running()

    asyncio_run(main())
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_timers__in_order_and_never_early(asyncio_run: Run) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        order: list[int] = []
        begun = loop.time()
        for delay in (3, 1, 2):
            loop.call_later(delay / 100, order.append, delay)
        loop.call_later(0.001, order.append, 99).cancel()
        await asyncio.sleep(0.04)
        assert loop.time() - begun >= 0.04
        return order

    assert asyncio_run(main()) == [1, 2, 3]


def test_timers_cancelled__are_swept_out(asyncio_run: Run) -> None:
    async def main() -> int:
        loop: Any = asyncio.get_running_loop()
        loop.call_later(60, bool)
        for _ in range(1000):
            loop.call_later(3600, bool).cancel()
        await asyncio.sleep(0.001)
        return len(loop._scheduled)

    assert asyncio_run(main()) == 1


def test_timer_at_infinity__never_due(asyncio_run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        handle = loop.call_at(float("inf"), bool)
        await loop.run_in_executor(None, time.sleep, 0.01)
        handle.cancel()

    asyncio_run(main())


def test_handles__more_than_a_turn_runs__all_run_in_order(asyncio_run: Run) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        order: list[int] = []
        for number in range(3 * HANDLES_MAX):
            loop.call_soon(order.append, number)
        while len(order) < 3 * HANDLES_MAX:
            await asyncio.sleep(0)
        return order

    assert asyncio_run(main()) == list(range(3 * HANDLES_MAX))


def test_stop__what_was_ready_runs_however_much() -> None:
    loop = new_event_loop()
    order: list[int] = []
    loop.call_soon(loop.stop)
    for number in range(2 * HANDLES_MAX):
        loop.call_soon(order.append, number)
    loop.run_forever()
    assert order == list(range(2 * HANDLES_MAX))
    loop.close()


def test_run_again__what_was_queued_between_is_run_at_once() -> None:
    loop = new_event_loop()
    order: list[str] = []
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_later(0.001, order.append, "timer")
    loop.run_until_complete(asyncio.sleep(0.002))
    loop.call_soon(order.append, "handle")
    loop.run_until_complete(asyncio.sleep(0))
    assert order == ["timer", "handle"]
    loop.close()
    loop.close()


async def echoes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what comes, until it ends."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_streams__server_and_connection_over_kernel_sockets(asyncio_run: Run) -> None:
    data = os.urandom(4 << 20)

    async def main() -> bytes:
        server = await asyncio.start_server(echoes, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

            async def send() -> None:
                writer.write(data)
                await writer.drain()
                writer.write_eof()

            _, received = await asyncio.gather(send(), reader.read())
            writer.close()
            await writer.wait_closed()
            return received

    assert asyncio_run(main()) == data


def test_reader_and_writer__of_one_descriptor(asyncio_run: Run) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            readable, writable = loop.create_future(), loop.create_future()
            loop.add_reader(ours, lambda: readable.done() or readable.set_result(None))
            loop.add_writer(ours, lambda: writable.done() or writable.set_result(None))
            await writable
            assert loop.remove_writer(ours)
            theirs.send(b"x")
            await readable
            assert loop.remove_reader(ours)
            assert not loop.remove_reader(ours)
            return ours.recv(10)

    assert asyncio_run(main()) == b"x"


def test_call_soon_threadsafe__wakes_the_scheduler(asyncio_run: Run) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, 7))
        thread.start()
        value: int = await future
        thread.join()
        return value

    assert asyncio_run(main()) == 7


def test_executor__and_coroutine_from_another_thread(asyncio_run: Run) -> None:
    async def doubles(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def main() -> int:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            None, lambda: asyncio.run_coroutine_threadsafe(doubles(21), loop).result()
        )

    assert asyncio_run(main()) == 42


def test_signal__calls_the_handler(asyncio_run: Run) -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR1, future.set_result, "came")
        os.kill(os.getpid(), signal.SIGUSR1)
        came: str = await future
        assert loop.remove_signal_handler(signal.SIGUSR1)
        return came

    assert asyncio_run(main()) == "came"


def test_signal_of_a_guest__that_of_the_program_is_refused_and_its_wake_up_stays() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken_by = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(woken_by)
        with pytest.raises(RuntimeError, match="SIGTERM is handled by the program"):
            loop.add_signal_handler(signal.SIGTERM, bool)
        loop.add_signal_handler(signal.SIGUSR1, bool)
        assert signal.set_wakeup_fd(woken_by) == woken_by
        with pytest.raises(RuntimeError):
            loop.add_signal_handler(signal.SIGKILL, bool)
        with pytest.raises(TypeError, match="coroutines"):
            loop.add_signal_handler(signal.SIGUSR2, main)
        with pytest.raises(ValueError, match="invalid signal"):
            loop.add_signal_handler(4711, bool)

    with SignalSocket([signal.SIGTERM]):
        run_as_guest(main())
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_subprocess__output_and_code(asyncio_run: Run) -> None:
    async def main() -> tuple[bytes, int | None]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(input()); exit(3)", stdin=-1, stdout=-1
        )
        output, _ = await child.communicate(b"hello\n")
        return output, child.returncode

    assert asyncio_run(main()) == (b"hello\n", 3)


def test_async_generator_left__ends_in_a_task(asyncio_run: Run) -> None:
    ended: list[Any] = []

    async def numbers() -> Any:
        try:
            for number in range(9):
                yield number
        finally:
            await asyncio.sleep(0.001)
            ended.append(asyncio.current_task() is not None)

    async def main() -> None:
        async for number in numbers():
            if number == 2:
                break
        async with asyncio.timeout(10):
            while not ended:
                await asyncio.sleep(0.001)

    asyncio_run(main())
    assert ended == [True]


def test_error_and_context__of_a_task(asyncio_run: Run) -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")

    async def sets() -> str:
        name.set("somebody")
        await asyncio.sleep(0)
        return name.get()

    async def main() -> None:
        assert await asyncio.create_task(sets()) == "somebody"
        assert name.get() == "nobody"
        raise LookupError("of the task")

    with pytest.raises(LookupError, match="of the task"):
        asyncio_run(main())


def test_debug__slow_handle_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 0.0
        await asyncio.sleep(0)

    run(main(), debug=True)
    assert any("Executing <Task" in record.message for record in caplog.records)


def test_run_within_a_running_loop__refused(asyncio_run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        coroutine = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_until_complete(coroutine)
        coroutine.close()
        with pytest.raises(RuntimeError, match=r"running|guest"):
            loop.run_forever()
        with pytest.raises(RuntimeError, match="Cannot close a running"):
            loop.close()
        # And the scheduler goes on, as if nobody had asked.
        await asyncio.sleep(0.001)

    asyncio_run(main())


def test_stop_of_a_guest__refused() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="guest of a scheduler"):
            asyncio.get_running_loop().stop()

    run_as_guest(main())


def test_ctrl_c__cancels_the_main_task() -> None:
    async def main() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        run(main())


@pytest.fixture
def loop() -> Iterator[TopEventLoop]:
    made = new_event_loop()
    yield made
    made.close()


def test_closed__says_so(loop: TopEventLoop) -> None:
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(bool)
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_forever()


def test_error_of_a_callback__exception_handler(loop: TopEventLoop) -> None:
    contexts: list[Any] = []
    loop.set_exception_handler(lambda _loop, context: contexts.append(context["exception"]))
    loop.call_soon(divmod, 1, 0)
    loop.run_until_complete(asyncio.sleep(0))
    assert [type(error) for error in contexts] == [ZeroDivisionError]


def test_keyboard_interrupt_in_a_handle__leaves_a_loop_that_can_be_run_again(loop: TopEventLoop) -> None:
    def interrupts() -> None:
        raise KeyboardInterrupt

    loop.call_soon(interrupts)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    with pytest.raises(RuntimeError, match="no running"):
        asyncio.get_running_loop()
    assert loop.run_until_complete(asyncio.sleep(0, "again")) == "again"


def test_policy__set_event_loop_run_until_complete(loop: TopEventLoop) -> None:
    async def main() -> Awaitable[Any]:
        return asyncio.get_running_loop()  # type: ignore[return-value]  # any object will do

    assert loop.run_until_complete(main()) is loop
