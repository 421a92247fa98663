"""Channels: order, bounds, hand-over, select, closing, cancelling."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import VirtualClock
from gossamer.core.errors import MisuseError
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_sleep, sys_yield
from gossamer.core.threads.cancel import CancelScope, move_on_after
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.sync import Channel, ChannelClosed, receiving, select, sending
from gossamer.core.threads.sync.channel import NOTHING

Run = Any


def test_send_and_receive__no_buffer__the_sender_waits_for_the_receiver(run: Run) -> None:
    channel: Channel[int] = Channel()
    trace = []

    async def sender() -> None:
        await channel.send(7)
        trace.append("sent")

    async def receiver() -> int:
        await sys_sleep(100)
        trace.append("receives")
        return await channel.receive()

    assert run(sender(), receiver()) == [None, 7]
    assert trace == ["receives", "sent"]


def test_send__buffer_full__waits__and_order_is_kept(run: Run) -> None:
    channel: Channel[int] = Channel(2)
    high = 0

    async def sender() -> None:
        nonlocal high
        for value in range(10):
            await channel.send(value)
            high = max(high, len(channel))
        channel.close()

    async def receiver() -> list[int]:
        await sys_sleep(100)
        return [value async for value in channel]

    assert run(sender(), receiver()) == [None, list(range(10))]
    assert high == 2


def test_receive__several_wait__who_came_first_is_served_first(run: Run) -> None:
    channel: Channel[int] = Channel()
    served = []

    async def receiver(name: int) -> None:
        await channel.receive()
        served.append(name)

    async def sender() -> None:
        await sys_yield()
        for value in range(5):
            await channel.send(value)

    run(*(receiver(name) for name in range(5)), sender())
    assert served == [0, 1, 2, 3, 4]


def test_close__waiting_sender_and_receiver_get_an_error__what_is_inside_comes_out(run: Run) -> None:
    full: Channel[int] = Channel(1)
    empty: Channel[int] = Channel()
    ended = []

    async def sender() -> None:
        await full.send(1)
        with pytest.raises(ChannelClosed):
            await full.send(2)
        ended.append("sender")

    async def receiver() -> None:
        with pytest.raises(ChannelClosed):
            await empty.receive()
        ended.append("receiver")

    async def closer() -> int:
        await sys_sleep(100)
        full.close()
        empty.close()
        with pytest.raises(ChannelClosed):
            await full.send(3)
        return await full.receive()

    assert run(sender(), receiver(), closer())[2] == 1
    assert sorted(ended) == ["receiver", "sender"]


def test_select__the_first_that_can_be__and_no_other_has_any_effect(run: Run) -> None:
    left: Channel[str] = Channel()
    right: Channel[str] = Channel()
    out: Channel[str] = Channel()

    async def selector() -> tuple[int, Any]:
        return await select(receiving(left), receiving(right), sending(out, "never"))

    async def sender() -> None:
        await sys_sleep(100)
        await right.send("right")
        await sys_yield()
        assert not left._receivers
        assert not out._senders, "withdrawn where it was not chosen"
        assert not left.try_send("nobody is there")

    assert run(selector(), sender())[0] == (1, "right")


def test_select__sending_is_chosen__the_value_is_handed_over(run: Run) -> None:
    quiet: Channel[int] = Channel()
    out: Channel[int] = Channel()

    async def selector() -> tuple[int, Any]:
        return await select(receiving(quiet), sending(out, 5))

    async def receiver() -> int:
        await sys_sleep(100)
        return await out.receive()

    assert run(selector(), receiver()) == [(1, None), 5]


def test_select__nothing__is_refused(run: Run) -> None:
    with pytest.raises(MisuseError, match="nothing"):
        run(select())


def test_receive__cancelled__its_offer_is_withdrawn_and_the_value_goes_to_the_next(run: Run) -> None:
    channel: Channel[int] = Channel()

    async def impatient() -> bool:
        with move_on_after(0.001) as scope:
            await channel.receive()
        return scope.cancelled_caught

    async def patient() -> int:
        return await channel.receive()

    async def sender() -> None:
        await sys_sleep(10_000)
        await channel.send(7)

    assert run(impatient(), patient(), sender()) == [True, 7, None]


def test_receive__cancelled_just_before_a_send__the_value_is_not_lost(run: Run) -> None:
    channel: Channel[str] = Channel(1)
    scope = CancelScope()

    async def receiver() -> bool:
        with scope:
            await channel.receive()
        return scope.cancelled_caught

    async def canceller() -> str:
        await sys_yield()
        scope.cancel()  # and the receiver has not run since
        assert channel.try_send("kept")
        return await channel.receive()

    assert run(receiver(), canceller()) == [True, "kept"]


@pytest.mark.parametrize("capacity", [0, 1])
def test_send__cancelled_just_before_a_receive__nothing_of_it_arrives(run: Run, capacity: int) -> None:
    channel: Channel[str] = Channel(capacity)
    scope = CancelScope()

    async def sender() -> bool:
        if capacity:
            await channel.send("before")
        with scope:
            await channel.send("given up")
        return scope.cancelled_caught

    async def canceller() -> None:
        await sys_yield()
        scope.cancel()
        if capacity:
            assert channel.try_receive() == "before"
        assert channel.try_receive() is NOTHING

    assert run(sender(), canceller()) == [True, None]


@given(st.integers(0, 3), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 4))
def test_any_capacity_senders_receivers__every_value_once_and_each_senders_in_order(
    capacity: int, sizes: list[int], receivers: int
) -> None:
    channel: Channel[tuple[int, int]] = Channel(capacity)
    received: list[tuple[int, int]] = []
    left = len(sizes)

    async def sender(name: int, size: int) -> None:
        nonlocal left
        for number in range(size):
            await channel.send((name, number))
        left -= 1
        if not left:
            channel.close()

    async def receiver() -> None:
        async for value in channel:
            received.append(value)
            await sys_yield()

    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [], clock)
    for name, size in enumerate(sizes):
        scheduler.spawn(sender(name, size))
    for _ in range(receivers):
        scheduler.spawn(receiver())
    scheduler.run()
    assert sorted(received) == [(name, n) for name, size in enumerate(sizes) for n in range(size)]


def test_select__says_which_channel_was_closed(run: Run) -> None:
    first: Channel[int] = Channel()
    second: Channel[int] = Channel()

    async def chooses() -> ChannelClosed:
        with pytest.raises(ChannelClosed) as caught:
            await select(receiving(first), sending(second, 1))
        return caught.value

    async def closes() -> None:
        await sys_sleep(10)
        second.close()

    while_waiting, _ = run(chooses(), closes())
    (at_once,) = run(chooses())
    for error in (while_waiting, at_once):
        assert (error.index, error.channel) == (1, second)
        assert str(error).startswith("operation 1 of the select: the channel")


def test_receive__a_closed_channel__no_word_of_a_select(run: Run) -> None:
    channel: Channel[int] = Channel()

    async def receives() -> ChannelClosed:
        with pytest.raises(ChannelClosed) as caught:
            await channel.receive()
        return caught.value

    async def closes() -> None:
        await sys_sleep(10)
        channel.close()

    one, other, _ = run(receives(), receives(), closes())
    assert str(one) == str(other) == "the channel was closed"
    assert one is not other, "each thread has an error of its own"
    assert one.index is None


@pytest.mark.parametrize("wrong", [None, 5, "channel", Channel])
def test_what_is_no_channel_or_no_operation__refused(run: Run, wrong: Any) -> None:
    for make in (receiving, lambda channel: sending(channel, 1)):
        with pytest.raises(MisuseError, match="channel: found"):
            make(wrong)
    with pytest.raises(MisuseError, match="select: operation: found"):
        run(select(wrong))


@pytest.mark.parametrize("capacity", [-1, 1.5, None, "1", True])
def test_capacity__no_whole_number__refused(capacity: Any) -> None:
    with pytest.raises(MisuseError, match="capacity: found"):
        Channel(capacity)
