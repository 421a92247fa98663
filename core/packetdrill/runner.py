"""Plays a script: each event at its time.

Owns what an event does, the wait for an expected packet, and what a blocked call must return. One run gives
both verdicts: a difference that only strict matching forbids is noted, and the run goes on.

Source: the tool's published semantics of time, blocking calls and tolerance.
"""

from collections.abc import Callable, Iterator, Sequence

from gossamer.core.packetdrill import expect
from gossamer.core.packetdrill.assertions import Assertions
from gossamer.core.packetdrill.calls import perform
from gossamer.core.packetdrill.calls.options import info
from gossamer.core.packetdrill.commands import counter_asked, is_nstat, state_asked, state_dropped, system_of
from gossamer.core.packetdrill.commands import run as run_command
from gossamer.core.packetdrill.conditions import played
from gossamer.core.packetdrill.endpoint import Emission
from gossamer.core.packetdrill.errors import Mismatch, ScriptError, Unsupported
from gossamer.core.packetdrill.fastopen import DEFINITIONS
from gossamer.core.packetdrill.grammar import parse
from gossamer.core.packetdrill.icmp import inject_icmp
from gossamer.core.packetdrill.layout import options_by_name, segment_of
from gossamer.core.packetdrill.profiles import PROFILES, Profile
from gossamer.core.packetdrill.script import (
    Call,
    Code,
    Command,
    IcmpPacket,
    Integer,
    Script,
    ScriptEvent,
    TcpOption,
    TcpPacket,
    Timing,
    Whatever,
)
from gossamer.core.packetdrill.settings import TOLERANCE_PERCENT, Settings, set_option
from gossamer.core.packetdrill.timekeeper import WAIT_US_MAX, Timekeeper, WaitingCall, range_text, seconds
from gossamer.core.packetdrill.verdict import Outcome, ScriptVerdict
from gossamer.core.packetdrill.world import CallResult, ScriptFlow, ScriptWorld
from gossamer.core.records import replace
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.wire.segment import ACK, SYN

Timeline = Callable[[str], None]


def play(
    text: str,
    name: str,
    profile: Profile | None = None,
    timeline: Timeline | None = None,
    definitions: dict[str, str] | None = None,
    tolerance_percent: float = TOLERANCE_PERCENT,
    set_up: Sequence[str] = (),
) -> ScriptVerdict:
    """The verdicts on a script; `timeline` is called with what happens, `definitions` are those of --define.
    A time may be off by `tolerance_percent` of the wait where the script says nothing of it. Without a
    profile the script's sysctls decide which it is. `set_up` are commands that its machine was prepared
    with, before its own."""
    try:
        known = {**DEFINITIONS, **(definitions or {})}
        script = parse(played(text, name, known), name, known)
        profile = profile or PROFILES[system_of((*set_up, *_commands(script)))]
        settings = Settings(
            profile=profile,
            parameters=profile.parameters,
            definitions=known,
            tolerance_percent=tolerance_percent,
        )
        line = 0
        for option in script.options:
            line = option.line
            set_option(settings, option.name, option.value)
        for at, command in (*((0, command) for command in set_up), *script.set_up):
            line = at
            run_command(settings, command)
    except ScriptError as error:
        return ScriptVerdict(name, Outcome.ERROR, Outcome.ERROR, error.line, error.message)
    except Unsupported as error:
        return _unsupported(name, error, error.line or line, 0)
    except Mismatch as error:
        return ScriptVerdict(name, Outcome.ERROR, Outcome.ERROR, line, str(error))
    return ScriptRun(script, settings, timeline).verdict()


def _commands(script: Script) -> Iterator[str]:
    yield from (text for _, text in script.set_up)
    yield from (event.action.text for event in script.events if isinstance(event.action, Command))


def _unsupported(name: str, error: Unsupported, line: int, events: int) -> ScriptVerdict:
    message = f"unsupported: {error.name} at line {line}"
    outcome = Outcome.UNSUPPORTED
    return ScriptVerdict(name, outcome, outcome, line, message, line, message, events, error.name)


class ScriptRun:
    """One run of one script."""

    def __init__(self, script: Script, settings: Settings, timeline: Timeline | None) -> None:
        self._script = script
        self._settings = settings
        self._world = ScriptWorld(settings)
        self._host = self._world.host
        self._time = Timekeeper(self._world)
        self._assertions = Assertions()
        self._timeline = timeline
        self._strict: tuple[int, str] | None = None
        self._line = 0
        self._events_total = 0

    def verdict(self) -> ScriptVerdict:
        """Play all events."""
        name = self._script.name
        try:
            for event in self._script.events:
                self._line = event.line
                self._play(event)
                self._events_total += 1
            self._join()
        except Unsupported as error:
            return _unsupported(name, error, self._line, self._events_total)
        except Mismatch as error:
            return ScriptVerdict(
                name, Outcome.FAIL, Outcome.FAIL, self._line, str(error), events=self._events_total
            )
        strict = Outcome.PASS if self._strict is None else Outcome.FAIL
        line, message = self._strict or (0, "")
        return ScriptVerdict(name, Outcome.PASS, strict, 0, "", line, message, self._events_total)

    # Events.

    def _play(self, event: ScriptEvent) -> None:
        from_us, until_us = self._time.due_us(event)
        action = event.action
        if isinstance(action, TcpPacket) and not action.inbound:
            self._expect(event, action, from_us, until_us)
            self._time.last = (self._host.now_us, False)
            return
        if isinstance(action, Call):
            self._join()
            self._line = event.line
        if from_us < self._host.now_us - self._time.tolerance_us(from_us):
            raise Mismatch(f"time: expected this at {seconds(from_us)}, got {seconds(self._host.now_us)}")
        self._time.run_until(from_us)
        self._do(event, from_us)
        self._time.run_until(self._host.now_us)
        self._time.last = (from_us, isinstance(action, TcpPacket | IcmpPacket))

    def _do(self, event: ScriptEvent, from_us: int) -> None:
        action = event.action
        if isinstance(action, TcpPacket):
            self._inject(action)
        elif isinstance(action, IcmpPacket):
            if not action.inbound:
                raise Unsupported("icmp packet that is expected")
            self._say(f"< icmp {action.kind} {action.code}")
            inject_icmp(self._world, action)
        elif isinstance(action, Call):
            self._call(event, action, from_us)
        elif isinstance(action, Command):
            asked, dropped = state_asked(action.text), state_dropped(action.text)
            counter = counter_asked(action.text)
            if counter is not None:
                self._check_counter(counter)
            elif dropped is not None:
                self._world.drop_all_in(dropped)
            elif asked is None:
                if is_nstat(action.text):
                    self._host.drops.clear()
                before = self._settings.parameters
                run_command(self._settings, action.text)
                self._world.settings_changed(before)
            else:
                self._check_state(*asked)
        elif isinstance(action, Code):
            self._evaluate(action)

    def _check_state(self, state: str, count: int) -> None:
        got = self._world.state_names()
        if got.count(state) != count:
            raise Mismatch(f"sockets in {state}: expected {count}, got {', '.join(got) or 'none'}")

    def _check_counter(self, reason: SegmentDrop) -> None:
        if not self._host.drops[reason]:
            raise Mismatch(f"counter: expected a segment dropped as {reason.value!r}, got none")
        self._host.drops.clear()

    def _evaluate(self, code: Code) -> None:
        made = self._world.socket_for_code()
        printed = len(self._assertions.printed)
        self._assertions.run(code.text, info(self._world, made) if made is not None else {})
        for text in self._assertions.printed[printed:]:
            self._say(text)

    # Packets.

    def _inject(self, packet: TcpPacket) -> None:
        flow = self._world.inbound_flow(packet.ports)
        live, options = flow.mapping.inbound(packet)
        segment = segment_of(live, options, bytes(packet.length))
        shown = f"{expect.packet_text(packet)}{_window(packet.window)} {_options(packet.options)}"
        self._say(f"< {shown}".rstrip())
        endpoint = self._host.endpoints.get(flow.ports)
        before = endpoint.tcb.snd_una if endpoint is not None and endpoint.tcb is not None else None
        reached = self._host.arrives(flow.ports, segment)
        if segment.flags & SYN and reached.tcb is not None and reached.tcb.agreed.irs == segment.seq:
            flow.mapping.peer_isn = segment.seq
        after = reached.tcb.snd_una if reached.tcb is not None else None
        self._world.release(reached, before != after)

    def _expect(self, event: ScriptEvent, packet: TcpPacket, from_us: int, until_us: int) -> None:
        flow = self._world.outbound_flow(packet.ports)
        tolerance_us = self._time.tolerance_us(from_us)
        first = self._next_emission(flow, until_us + tolerance_us)
        if first is None:
            raise Mismatch(
                f"expected {expect.packet_text(packet)}, got nothing until {seconds(self._host.now_us)}"
            )
        if packet.flags & first.segment.flags & SYN:
            flow.mapping.learn_iss(packet.seq, first.segment.seq)
            if packet.flags & ACK:
                first = Emission(first.at_us, self._host.fast_opens.learned(packet, first.segment))
        elif not packet.flags & SYN:
            flow.mapping.settle(packet.seq)
        seen = expect.SentSegment(flow.mapping.outbound(first.segment), len(first.segment.payload))
        seen = self._joined(flow, packet, seen, until_us + tolerance_us)
        self._compare(event, packet, flow, seen)
        if event.when.timing is Timing.ANY:
            return
        if not from_us - tolerance_us <= first.at_us <= until_us + tolerance_us:
            raise Mismatch(
                f"time: expected {expect.packet_text(packet)} at {range_text(from_us, until_us)}, "
                f"got it at {seconds(first.at_us)}"
            )

    def _next_emission(self, flow: ScriptFlow, until_us: int) -> Emission | None:
        """What the flow sent and nobody has looked at, waited for if need be."""
        host, ports = self._host, flow.ports

        def has_sent() -> bool:
            endpoint = host.endpoints.get(ports)
            return endpoint is not None and bool(endpoint.sent)

        if not has_sent():
            self._time.run_until(min(until_us, host.now_us + WAIT_US_MAX), has_sent)
        if not has_sent():
            return None
        emission = host.endpoints[ports].sent.popleft()
        shown = flow.mapping.outbound(emission.segment)
        if shown.flags & SYN:
            shown = replace(shown, seq=0)
        options = self._settings.profile.layout(options_by_name(shown))
        text = f"> {expect.segment_text(shown, len(shown.payload))} {_options(options)}"
        self._say(text.rstrip(), emission.at_us)
        return emission

    def _joined(
        self, flow: ScriptFlow, packet: TcpPacket, seen: expect.SentSegment, until_us: int
    ) -> expect.SentSegment:
        """Payload that comes in several segments, taken together."""
        while seen.length < packet.length and seen.segment.payload:
            following = self._next_emission(flow, until_us)
            if following is None:
                return seen
            seen = expect.taken_together(seen, flow.mapping.outbound(following.segment))
        return seen

    def _compare(
        self, event: ScriptEvent, packet: TcpPacket, flow: ScriptFlow, seen: expect.SentSegment
    ) -> None:
        check = expect.TimestampCheck(self._settings.ts_tick_us, self._time.tolerance_us(self._host.now_us))
        layout = self._settings.profile.layout
        difference = expect.first_difference(packet, seen) or expect.option_difference(
            packet, seen.segment, layout, flow.mapping, check
        )
        if difference:
            raise Mismatch(
                f"{difference}; expected {expect.packet_text(packet)}, "
                f"got {expect.segment_text(seen.segment, seen.length)}"
            )
        if self._strict is None:
            strict = expect.strict_difference(packet, seen, self._settings.is_strict_about_segments)
            if strict:
                self._strict = event.line, f"{strict}; expected {expect.packet_text(packet)}"

    # Calls.

    def _call(self, event: ScriptEvent, call: Call, from_us: int) -> None:
        outcome = perform(self._world, call)
        end_us = from_us
        if call.end_us is not None:
            end_us = call.end_us + (from_us - event.when.from_us)
        if isinstance(outcome, CallResult):
            self._check_result(call, outcome)
            if call.end_us is not None and end_us - self._host.now_us > self._time.tolerance_us(end_us):
                raise Mismatch(
                    f"{call.name}: expected it to block until {seconds(end_us)}, got it back at once"
                )
            return
        self._time.waiting = WaitingCall(event, call, outcome, end_us)
        if call.end_us is None:
            self._join()

    def _join(self) -> None:
        """Wait until the blocked call returns."""
        waiting = self._time.waiting
        if waiting is None:
            return
        self._line = waiting.event.line
        blocks = waiting.call.end_us is not None
        tolerance_us = self._time.tolerance_us(waiting.end_us)
        limit_us = waiting.end_us + tolerance_us if blocks else self._host.now_us + WAIT_US_MAX
        self._time.run_until(limit_us, lambda: waiting.result is not None)
        self._time.waiting = None
        if waiting.result is None:
            raise Mismatch(f"{waiting.call.name}: expected it to return, got it blocked")
        self._check_result(waiting.call, waiting.result)
        if blocks and abs(waiting.at_us - waiting.end_us) > tolerance_us:
            raise Mismatch(
                f"{waiting.call.name}: expected it to return at {seconds(waiting.end_us)}, "
                f"got it at {seconds(waiting.at_us)}"
            )

    def _check_result(self, call: Call, result: CallResult) -> None:
        self._say(f"{call.name}(...) = {result.value} {result.errno}".rstrip())
        if isinstance(call.result, Whatever):
            return
        expected = self._world.reader.number(call.result)
        names = self._world.reader.errno(call.errno)
        if expected != result.value or (call.errno and names != result.errno):
            wanted = f"{expected} {call.errno}".rstrip()
            raise Mismatch(f"{call.name}: expected {wanted}, got {result.value} {result.errno}".rstrip())

    # Words.

    def _say(self, text: str, at_us: int | None = None) -> None:
        if self._timeline is not None:
            at_us = self._host.now_us if at_us is None else at_us
            self._timeline(f"{seconds(at_us)} {text}")


def _options(options: tuple[TcpOption, ...] | None) -> str:
    return expect.options_text(options) if options else ""


def _window(window: int | None) -> str:
    return "" if window is None else f" win {window}"


__all__ = ["Integer", "ScriptRun", "play"]
