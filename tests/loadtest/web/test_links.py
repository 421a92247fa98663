"""The plan: which row is asked over which link, of whom."""

from gossamer.loadtest.web.contenders import (
    ALL,
    EVERYBODY,
    FUNCTIONAL,
    ONLY,
    OURS_NAMES,
    SERVICES,
    port_of,
)
from gossamer.loadtest.web.goals import BARS
from gossamer.loadtest.web.links import LINKS, planned
from gossamer.loadtest.web.rows import APPLIED, LOSSY, ROWS, WHOLE


def test_plan__everybody_over_a_real_link_first__then_loopback() -> None:
    cases = planned(tuple(ROWS), (), ALL)
    assert [(case.row.name, case.link.name) for case in cases[: len(WHOLE)]] == [
        (row, "veth4") for row in WHOLE
    ]
    assert all(case.contenders == EVERYBODY for case in cases[: len(WHOLE)])
    assert cases[-1].link.is_loopback
    assert {case.row.name for case in cases} == set(ROWS)
    assert {case.link.family for case in cases} == {4, 6}


def test_plan__some_rows_and_contenders__nothing_else() -> None:
    cases = planned(("64k",), (), ("kernel", "nginx"))
    assert {case.row.name for case in cases} == {"64k"}
    assert {case.contenders for case in cases} == {("kernel", "nginx")}
    assert planned(("loss-1",), (), ("nginx",)) == []


def test_plan__rows_of_applications__over_the_link__of_whom_they_are_about() -> None:
    cases = planned(APPLIED, (), ALL)
    assert [case.name for case in cases] == [f"{row} over veth4" for row in APPLIED]
    assert {case.row.name: set(case.contenders) for case in cases} == {
        row: set(who) for row, who in ONLY.items()
    }
    assert all({bar.above, bar.below} <= set(ONLY[bar.row]) for bar in BARS)


def test_named_links__every_row_over_each__what_loses_has_no_offloads() -> None:
    cases = planned(("keep-alive", *LOSSY), ("veth6", "veth6-off", "lo6"), ALL)
    names = [case.name for case in cases]
    assert names == [
        "keep-alive over veth6",
        "keep-alive over veth6-off",
        *(f"{row} over veth6-off" for row in ROWS if row in LOSSY),
        "keep-alive over lo6",
    ]


def test_words__say_what_holds_for_a_row() -> None:
    assert LINKS["veth6"].words(ROWS["64k"]) == "veth, MTU 1500, IPv6, TSO and GRO on"
    assert LINKS["veth4-off"].words(ROWS["loss-1-near"]) == "veth, MTU 1500, IPv4, TSO and GRO off"
    assert LINKS["veth4-off"].words(ROWS["loss-1"]).startswith("relay between two TUN devices")
    assert LINKS["lo4"].words(ROWS["64k"]).startswith("loopback")


def test_ports__one_for_each_server() -> None:
    ports = [port_of(name, service) for name in ALL for service in SERVICES]
    assert len(set(ports)) == len(ports)
    assert set(FUNCTIONAL) < set(OURS_NAMES)
