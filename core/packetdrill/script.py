"""A script, as records.

Owns the form of what the grammar makes and the runner plays. Numbers are those of the script; `mapping`
translates them to those of the run. Nothing here acts.
"""

from enum import Enum

import msgspec


class Timing(Enum):
    """How the time of an event is given."""

    ABSOLUTE = "at"
    RELATIVE = "after"
    ANY = "whenever"


class When(msgspec.Struct, frozen=True, gc=False):
    """The time of an event; `until_us` is the end of a range, else the same as `from_us`."""

    timing: Timing
    from_us: int = 0
    until_us: int = 0


class TcpOption(msgspec.Struct, frozen=True, gc=False):
    """A TCP option: its name in the script, its numbers, or its octets."""

    name: str
    numbers: tuple[int, ...] = ()
    octets: bytes = b""


class IpInfo(msgspec.Struct, frozen=True, gc=False):
    """What is said of the IP header; None is: not looked at."""

    ecn: int | None = None
    is_ect01: bool = False
    """[ect01]: either of the two codepoints."""
    tos: int | None = None
    ttl: int | None = None
    flow_label: int | None = None


class TcpPacket(msgspec.Struct, frozen=True, gc=False):
    """A TCP segment to be injected (`<`) or expected (`>`)."""

    inbound: bool
    flags: int
    seq: int
    length: int
    ack: int | None = None
    window: int | None = None
    urgent: int = 0
    options: tuple[TcpOption, ...] | None = ()
    """None is `<...>`: any."""
    ip: IpInfo = IpInfo()
    ports: tuple[int, int] | None = None
    """Source and destination, when given."""


class IcmpPacket(msgspec.Struct, frozen=True, gc=False):
    """An ICMP error."""

    inbound: bool
    kind: str
    code: str = ""
    mtu: int | None = None
    quoted_seq: int = 0
    quoted_length: int = 0


class Whatever(msgspec.Struct, frozen=True, gc=False):
    """`...`: whatever it is."""


class Integer(msgspec.Struct, frozen=True, gc=False):
    """A number."""

    value: int


class Word(msgspec.Struct, frozen=True, gc=False):
    """A symbol: AF_INET, TCP_NODELAY."""

    name: str


class Text(msgspec.Struct, frozen=True, gc=False):
    """A string."""

    value: str


class Either(msgspec.Struct, frozen=True, gc=False):
    """left | right."""

    parts: tuple["Expression", ...]


class Named(msgspec.Struct, frozen=True, gc=False):
    """name = value, or name(argument) = value."""

    name: str
    value: "Expression"


class Array(msgspec.Struct, frozen=True, gc=False):
    """[a, b]."""

    items: tuple["Expression", ...]


class Braces(msgspec.Struct, frozen=True, gc=False):
    """{a, b} or {name=a, name=b}: a struct of C."""

    items: tuple["Expression", ...]

    def field(self, name: str) -> "Expression | None":
        """The value of a named field."""
        for item in self.items:
            if isinstance(item, Named) and item.name == name:
                return item.value
        return None


class Applied(msgspec.Struct, frozen=True, gc=False):
    """name(arguments): htons(80), inet_addr("192.0.2.1")."""

    name: str
    arguments: tuple["Expression", ...]


Expression = Whatever | Integer | Word | Text | Either | Named | Array | Braces | Applied


class Call(msgspec.Struct, frozen=True, gc=False):
    """A socket call, what it is given and what it must return."""

    name: str
    arguments: tuple[Expression, ...]
    result: Expression
    errno: str = ""
    end_us: int | None = None
    """A call that blocks: when it returns, on the same scale as the event's time."""


class Command(msgspec.Struct, frozen=True, gc=False):
    """A command in back-quotes."""

    text: str


class Code(msgspec.Struct, frozen=True, gc=False):
    """%{ python }%."""

    text: str


Action = TcpPacket | IcmpPacket | Call | Command | Code


class ScriptEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that is done, or must happen, at a time."""

    line: int
    when: When
    action: Action


class ScriptOption(msgspec.Struct, frozen=True, gc=False):
    """--name=value at the head of a script."""

    name: str
    value: str
    line: int


class Script(msgspec.Struct, frozen=True, gc=False):
    """A whole script. Commands at its head (`events` before time begins) are in `set_up`."""

    name: str
    options: tuple[ScriptOption, ...]
    set_up: tuple[tuple[int, str], ...]
    """Line and text."""
    events: tuple[ScriptEvent, ...]
