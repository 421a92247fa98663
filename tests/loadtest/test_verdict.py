"""What makes figures doubtful, as a table."""

import pytest
from msgspec.structs import replace

from gossamer.loadtest.verdict import RunFigures, verdict

GOOD = RunFigures(
    rate=1_000.0,
    due_in_time=5_000,
    sent_in_time=5_000,
    response_p50_us=10_000,
    connection_lag_p50_us=0,
    generator_lag_p50_us=80,
    cpu_share=0.2,
    busy_share=0.3,
    connections=64,
    connections_stood=64,
)


@pytest.mark.parametrize(
    ("rule", "changed", "names"),
    [
        ("nothing", {}, []),
        ("a rate missed by less than 1 %", {"sent_in_time": 4_951}, []),
        ("a rate missed by more", {"sent_in_time": 4_949}, ["rate-missed"]),
        ("a closed loop has no rate", {"rate": 0.0, "sent_in_time": 1, "generator_lag_p50_us": 9_999}, []),
        ("lag below a tenth", {"connection_lag_p50_us": 1_000}, []),
        ("no free connection", {"connection_lag_p50_us": 1_001}, ["connection-lag"]),
        ("the generator is late", {"generator_lag_p50_us": 1_001}, ["generator-lag"]),
        ("a sleep's own lateness", {"generator_lag_p50_us": 200, "response_p50_us": 120}, []),
        ("own CPU", {"busy_share": 0.91}, ["generator-busy"]),
        ("connections", {"connections_stood": 63}, ["connections-missing"]),
    ],
)
def test_verdict(rule: str, changed: dict[str, float], names: list[str]) -> None:
    found = verdict(replace(GOOD, **changed))
    assert [each.name for each in found] == names, rule
    assert all("\n" not in each.line for each in found)
