"""The worlds that the model checker begins with: small buffers, a few octets, every way to open and close."""

from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.records import replace
from gossamer.core.sim.model.moves import RETRIES_PATIENT
from gossamer.core.sim.model.world import Call, ModelScenario
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.events import Abort, Close, Send
from gossamer.core.tcp.parameters import TcpParameters

IDLE_US: Final = 10 * SECOND_US
"""Shorter than what `abstraction` calls long ago."""

PATIENT: Final = TcpParameters(
    retries=RETRIES_PATIENT, syn_retries=RETRIES_PATIENT, synack_retries=RETRIES_PATIENT
)
PLAIN: Final = replace(PATIENT, timestamps=False, sack=False, window_scaling=False)
PACED: Final = replace(PATIENT, pacing="on", congestion="bbr")
COUNTING: Final = replace(PATIENT, rack=False, tail_loss_probe=False, forward_rto=False, dsack=False)
TIGHT: Final = replace(PATIENT, receive_buffer_bytes=1)
ALIVE: Final = replace(PATIENT, keepalive_idle_us=IDLE_US, keepalive_probes=RETRIES_PATIENT)
"""Where an end may vanish without a word that comes through, only keepalive finds out."""
IMPATIENT: Final = TcpParameters(
    retries=1, syn_retries=1, synack_retries=1, keepalive_idle_us=IDLE_US, keepalive_probes=1
)

BOTH_PATIENT: Final = (PATIENT, PATIENT)
BOTH_ALIVE: Final = (ALIVE, ALIVE)
CLOSE: Final = Close(NOW_US, receives=True)
CLOSE_BOTH_WAYS: Final = Close(NOW_US)
ABORT: Final = Abort(NOW_US)


def _says(data: bytes, is_last: bool = False) -> Call:
    return Send(data, NOW_US, is_last)


SCENARIOS: Final = (
    ModelScenario("the client speaks", ((_says(b"ab"), CLOSE), (CLOSE,)), BOTH_PATIENT),
    ModelScenario("the server speaks", ((CLOSE,), (_says(b"AB"), CLOSE)), BOTH_PATIENT),
    ModelScenario("both speak", ((_says(b"a"), CLOSE), (_says(b"A"), CLOSE)), BOTH_PATIENT),
    ModelScenario("both speak, no options", ((_says(b"a"), CLOSE), (_says(b"A"), CLOSE)), (PLAIN, PLAIN)),
    ModelScenario(
        "two segments", ((_says(b"a"), _says(b"b"), CLOSE), (CLOSE,)), BOTH_PATIENT, under_way_max=3
    ),
    ModelScenario("two segments, no options", ((_says(b"a"), _says(b"b"), CLOSE), (CLOSE,)), (PLAIN, PLAIN)),
    ModelScenario(
        "two segments, by counting", ((_says(b"a"), _says(b"b"), CLOSE), (CLOSE,)), (COUNTING, COUNTING)
    ),
    ModelScenario("two segments, paced", ((_says(b"a"), _says(b"b"), CLOSE), (CLOSE,)), (PACED, PACED)),
    ModelScenario(
        "the FIN rides on the last segment", ((_says(b"a", True),), (_says(b"A", True),)), BOTH_PATIENT
    ),
    ModelScenario("simultaneous open", ((_says(b"a"), CLOSE), (CLOSE,)), BOTH_PATIENT, both_open=True),
    ModelScenario("simultaneous close", ((CLOSE,), (CLOSE,)), BOTH_PATIENT, under_way_max=4),
    ModelScenario("half-close", ((CLOSE,), (_says(b"A"), _says(b"B"), CLOSE)), BOTH_PATIENT),
    ModelScenario(
        "zero window",
        ((_says(b"abc"), CLOSE), (CLOSE,)),
        (PATIENT, TIGHT),
        is_reading=(True, False),
    ),
    ModelScenario(
        "zero windows both ways",
        ((_says(b"ab"), CLOSE), (_says(b"AB"), CLOSE)),
        (TIGHT, TIGHT),
        is_reading=(False, False),
    ),
    ModelScenario("both closed at once, both ways", ((CLOSE_BOTH_WAYS,), (CLOSE_BOTH_WAYS,)), BOTH_PATIENT),
    ModelScenario(
        "the client aborts", ((_says(b"a"), ABORT), (_says(b"A"), CLOSE)), BOTH_ALIVE, may_fail=True
    ),
    ModelScenario("the server aborts", ((_says(b"a"), CLOSE), (ABORT,)), BOTH_ALIVE, may_fail=True),
    ModelScenario(
        "closed before it is open", ((CLOSE,), (CLOSE,)), BOTH_ALIVE, calls_early=True, may_fail=True
    ),
    ModelScenario(
        "simultaneous open, aborted early",
        ((_says(b"a"), ABORT), (CLOSE,)),
        BOTH_ALIVE,
        both_open=True,
        calls_early=True,
        may_fail=True,
    ),
    ModelScenario(
        "hasty",
        ((_says(b"a"), CLOSE_BOTH_WAYS), (_says(b"A"), CLOSE_BOTH_WAYS)),
        BOTH_ALIVE,
        is_hasty=True,
        may_fail=True,
    ),
    ModelScenario(
        "few retries", ((_says(b"a"), CLOSE), (CLOSE,)), (IMPATIENT, IMPATIENT), is_hasty=True, may_fail=True
    ),
)
