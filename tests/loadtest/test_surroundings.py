"""What a run says of where it was made, and in what two runs differ."""

import msgspec

from gossamer.loadtest.surroundings import caption, differences, lines_of, surroundings

from .invented import AROUND


def test_surroundings__of_this_machine__all_that_is_known() -> None:
    found = surroundings()
    assert found.versions["gossamer"]
    assert found.processors > 0
    assert found.sysctls["net.core.somaxconn"]
    assert found.sysctls["net.ipv4.tcp_rmem"]
    assert found.command.startswith("gossamer")
    assert differences(found, found) == []


def test_differences__each_with_both_values() -> None:
    other = msgspec.structs.replace(
        AROUND, kernel="7", versions={"gossamer": "0.2"}, sysctls={"net.core.somaxconn": "9"}, commit="b"
    )
    assert differences(AROUND, other) == [
        "kernel 6.1.0 / 7",
        "trio 0.27 / -",
        "net.core.somaxconn 4096 / 9",
    ]


def test_lines__a_busy_machine__said() -> None:
    busy = msgspec.structs.replace(AROUND, load_average=(1.5, 0, 0))
    assert "had other work" in lines_of(busy, 1)[-1]
    assert "had other work" not in " ".join(lines_of(AROUND, 1))


def test_caption__date_commit_machine_and_command() -> None:
    for part in (AROUND.started, AROUND.commit, "2 x A Processor", "load 0.5", "Linux 6.1.0", AROUND.command):
        assert part in caption(AROUND)


def test_caption__where_the_result_goes__left_out() -> None:
    command = "gossamer bench sync --output '/home/a b/c' --rounds 9 --plot=x"
    said = caption(msgspec.structs.replace(AROUND, command=command))
    assert said.endswith("; gossamer bench sync --rounds 9")
