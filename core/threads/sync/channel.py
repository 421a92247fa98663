"""Channels: values that one thread sends and another receives, in order, through a bounded buffer.

A capacity of 0 hands each value from thread to thread: the sender waits for the receiver. `select` waits for
whichever of several operations comes first, and performs exactly one.

Owns the buffers and the offers of those who wait. An offer stands in the queue of its channel until it is
taken or withdrawn; that of a `select` in several at once.

Bounds: the capacity; WAITERS_MAX offers on each side of a channel, the next raises BoundExceeded.
"""

from collections import OrderedDict, deque
from enum import Enum
from threading import get_ident
from typing import Any, Final, Generic, Literal, TypeVar, overload

from gossamer.core.errors import BoundExceeded, GossamerError, MisuseError, check_whole, misuse
from gossamer.core.threads.calls import Park
from gossamer.core.threads.sync.owned import Owned
from gossamer.core.threads.sync.waiting import WAITERS_MAX, Waker
from gossamer.core.threads.thread import Raise

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


CAPACITY_MAX: Final = 1 << 62
"""As good as without a bound."""


class Nothing(Enum):
    """The type of NOTHING."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING
"""In the place of a value: there is none yet."""


class ChannelClosed(GossamerError):
    """Nothing more comes out of the channel, or can be put in.

    >>> from gossamer import Channel, ChannelClosed, receiving, run, select
    >>> async def main(jobs, results):
    ...     results.close()
    ...     try:
    ...         await select(receiving(jobs), receiving(results))
    ...     except ChannelClosed as error:
    ...         print(error)
    ...         return error.index, error.channel is results
    >>> run(main(Channel(), Channel()))
    operation 1 of the select: the channel is closed, and all that was sent has been received
    (1, True)
    """

    def __init__(self, what: str, channel: "Channel[Any]", index: int | None = None) -> None:
        super().__init__(what if index is None else f"operation {index} of the select: {what}")
        self._what = what
        self.channel = channel
        """The one that is closed."""
        self.index = index
        """Which operation of a `select` it was; None outside of one."""

    def of_operation(self, index: int) -> "ChannelClosed":
        """The same, of an operation of a `select`."""
        return ChannelClosed(self._what, self.channel, index)


class Offer:
    """What one thread waits to do, on one channel or one of several."""

    __slots__ = ("is_taken", "outcome", "waiters")

    def __init__(self) -> None:
        self.waiters: deque[Waker] = deque()
        self.is_taken: bool = False
        self.outcome: tuple[int, Any] = (0, None)

    @property
    def is_open(self) -> bool:
        """Whether the thread waits: not once it is taken, nor when the thread was cancelled and has had no
        turn yet to withdraw it."""
        return bool(self.waiters)

    def take(self, index: int, value: Any) -> None:
        """Perform it: the thread goes on with the outcome."""
        self.is_taken = True
        self.outcome = (index, value)
        self.waiters.popleft()(None)


class Channel(Owned, Generic[T]):
    """A queue between threads. Iterating over it receives until it is closed.

    >>> from gossamer import Channel, open_nursery, run
    >>> async def produces(channel):
    ...     for number in range(3):
    ...         await channel.send(number)
    ...     channel.close()
    >>> async def main(channel):
    ...     async with open_nursery() as nursery:
    ...         nursery.start_soon(produces, channel)
    ...         return [number async for number in channel]
    >>> run(main(Channel(capacity=1)))
    [0, 1, 2]
    """

    __slots__ = ("_buffer", "_capacity", "_is_closed", "_receivers", "_senders")

    def __init__(self, capacity: int = 0) -> None:
        super().__init__()
        check_whole("Channel: capacity", capacity, 0, CAPACITY_MAX, "0 places and more")
        self._capacity = capacity
        self._buffer: deque[T] = deque()
        # Not a dict: finding its first entry walks over all that were deleted before it.
        self._receivers: OrderedDict[tuple[Offer, int], None] = OrderedDict()
        self._senders: OrderedDict[tuple[Offer, int], T] = OrderedDict()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._buffer)

    async def send(self, value: T) -> None:
        """Put a value in, or wait for room. Raises: ChannelClosed."""
        if not self.try_send(value):
            await select(sending(self, value))

    async def receive(self) -> T:
        """Take the oldest value out, or wait for one. Raises: ChannelClosed when there will be none."""
        found = self.try_receive()
        if found is not NOTHING:
            return found
        _, value = await select(receiving(self))
        return value

    def try_send(self, value: T) -> bool:
        """Put a value in if that can be done at once.

        Raises: ChannelClosed; MisuseError on another operating-system thread, see `core.loop.from_thread`.
        """
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if self._is_closed:
            raise ChannelClosed("the channel is closed: nothing can be sent any more", self)
        while self._receivers:
            (offer, index), _ = self._receivers.popitem(last=False)
            if offer.is_open:
                offer.take(index, value)
                return True
        if len(self._buffer) >= self._capacity:
            return False
        self._buffer.append(value)
        return True

    def try_receive(self) -> T | Nothing:
        """The oldest value, or NOTHING when there is none just now. Raises: ChannelClosed, MisuseError."""
        if self._owner.os_thread != get_ident():
            self._find_owner()
        if self._buffer:
            value = self._buffer.popleft()
            if self._senders:
                self._refill()
            return value
        sender = self._next_sender()
        if sender is not None:
            offer, index, handed = sender
            offer.take(index, None)
            return handed
        if self._is_closed:
            raise ChannelClosed("the channel is closed, and all that was sent has been received", self)
        return NOTHING

    def close(self) -> None:
        """No value can be put in any more; those inside can be taken out. Threads that wait to send, or to
        receive from an empty channel, get ChannelClosed. Twice is harmless. Raises: MisuseError on another
        operating-system thread."""
        if self._owner.os_thread != get_ident():
            self._find_owner()
        self._is_closed = True
        for offer, index in (*self._receivers, *self._senders):
            if offer.is_open:
                # An error for each: it gathers the frames of the thread that it is raised in.
                offer.take(index, Raise(ChannelClosed("the channel was closed", self)))
        self._receivers.clear()
        self._senders.clear()

    def __aiter__(self) -> "Channel[T]":
        return self

    async def __anext__(self) -> T:
        try:
            found = self.try_receive()
            if found is not NOTHING:
                return found
            _, value = await select(receiving(self))
            return value
        except ChannelClosed:
            raise StopAsyncIteration from None

    def _next_sender(self) -> tuple[Offer, int, T] | None:
        while self._senders:
            (offer, index), value = self._senders.popitem(last=False)
            if offer.is_open:
                return offer, index, value
        return None

    def _refill(self) -> None:
        """There is room again: the sender who has waited longest puts its value in."""
        sender = self._next_sender()
        if sender is not None:
            offer, index, value = sender
            self._buffer.append(value)
            offer.take(index, None)

    def _offer_receive(self, offer: Offer, index: int) -> None:
        self._check_room(self._receivers)
        self._receivers[offer, index] = None

    def _offer_send(self, offer: Offer, index: int, value: T) -> None:
        self._check_room(self._senders)
        self._senders[offer, index] = value

    @staticmethod
    def _check_room(queue: OrderedDict[tuple[Offer, int], Any]) -> None:
        if len(queue) < WAITERS_MAX:
            return
        raise BoundExceeded(f"{WAITERS_MAX} threads wait at one channel (sync.waiting.WAITERS_MAX)")

    def _withdraw(self, offer: Offer, index: int) -> None:
        self._receivers.pop((offer, index), None)
        self._senders.pop((offer, index), None)


class Operation(Generic[T_co]):
    """What `select` chooses among: made by `receiving` and `sending`."""

    __slots__ = ()

    def attempt(self) -> T_co | Nothing:
        """Perform it if that can be done at once: what comes of it, or NOTHING."""
        raise NotImplementedError

    def offer(self, offer: Offer, index: int) -> None:
        """Wait for it."""
        raise NotImplementedError

    def withdraw(self, offer: Offer, index: int) -> None:
        """Wait for it no longer."""
        raise NotImplementedError


class Receiving(Operation[T]):
    """One operation of a `select`: made by `receiving`."""

    __slots__ = ("channel",)

    def __init__(self, channel: Channel[T]) -> None:
        self.channel: Channel[T] = channel

    def attempt(self) -> T | Nothing:
        """The value, or NOTHING."""
        return self.channel.try_receive()

    def offer(self, offer: Offer, index: int) -> None:
        """Wait for it."""
        self.channel._offer_receive(offer, index)

    def withdraw(self, offer: Offer, index: int) -> None:
        """Wait for it no longer."""
        self.channel._withdraw(offer, index)


class Sending(Operation[None], Generic[T]):
    """One operation of a `select`: made by `sending`."""

    __slots__ = ("channel", "value")

    def __init__(self, channel: Channel[T], value: T) -> None:
        self.channel: Channel[T] = channel
        self.value: T = value

    def attempt(self) -> Nothing | None:
        """None when it is sent, or NOTHING."""
        return None if self.channel.try_send(self.value) else NOTHING

    def offer(self, offer: Offer, index: int) -> None:
        """Wait for it."""
        self.channel._offer_send(offer, index, self.value)

    def withdraw(self, offer: Offer, index: int) -> None:
        """Wait for it no longer."""
        self.channel._withdraw(offer, index)


def receiving(channel: Channel[T]) -> Receiving[T]:
    """For `select`: receive from a channel. Raises: MisuseError."""
    _check_channel("receiving", channel)
    return Receiving(channel)


def sending(channel: Channel[T], value: T) -> Sending[T]:
    """For `select`: send to a channel. Raises: MisuseError."""
    _check_channel("sending", channel)
    return Sending(channel, value)


@overload
async def select(first: Operation[A], /) -> tuple[Literal[0], A]: ...
@overload
async def select(
    first: Operation[A], second: Operation[B], /
) -> tuple[Literal[0], A] | tuple[Literal[1], B]: ...
@overload
async def select(
    first: Operation[A], second: Operation[B], third: Operation[C], /
) -> tuple[Literal[0], A] | tuple[Literal[1], B] | tuple[Literal[2], C]: ...
@overload
async def select(*operations: Operation[T]) -> tuple[int, T]: ...
@overload
async def select(*operations: Operation[Any]) -> tuple[int, Any]: ...
async def select(*operations: Operation[Any]) -> tuple[int, Any]:
    """Perform the first of the operations that can be, waiting if none can; no other has any effect.

    >>> from gossamer import Channel, receiving, run, select, sending
    >>> async def main(questions, answers):
    ...     match await select(receiving(questions), sending(answers, 42)):
    ...         case 0, question:
    ...             return f"asked: {question}"
    ...         case 1, _:
    ...             return "answered"
    >>> run(main(Channel(), Channel(capacity=1)))
    'answered'

    Returns the operation's index, and the value received or None; by the index a type checker knows the type
    of the value, of up to three operations. Of several that can be performed at once the first named is.
    Raises: ChannelClosed, as the operation would, with its index; MisuseError for anything but operations,
    and when there are none.
    """
    _check_operations(operations)
    for index, operation in enumerate(operations):
        try:
            value = operation.attempt()
        except ChannelClosed as closed:
            raise closed.of_operation(index) if len(operations) > 1 else closed from None
        if value is not NOTHING:
            return index, value
    offer = Offer()
    try:
        for index, operation in enumerate(operations):
            operation.offer(offer, index)
        await Park(offer.waiters)
    finally:
        if len(operations) > 1 or not offer.is_taken:
            for index, operation in enumerate(operations):
                operation.withdraw(offer, index)
    index, value = offer.outcome
    if isinstance(value, Raise):
        assert isinstance(value.error, ChannelClosed)
        raise value.error.of_operation(index) if len(operations) > 1 else value.error
    return index, value


def _check_operations(operations: tuple[object, ...]) -> None:
    """Raises: MisuseError."""
    if not operations:
        raise MisuseError("select of nothing would wait for ever")
    for operation in operations:
        if not isinstance(operation, Operation):
            raise misuse("select: operation", operation, "receiving(channel) or sending(channel, value)")


def _check_channel(what: str, found: object) -> None:
    if not isinstance(found, Channel):
        raise misuse(f"{what}: channel", found, "a Channel")
