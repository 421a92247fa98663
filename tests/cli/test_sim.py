"""gossamer sim: what it prints, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gossamer.cli.sim import speed
from gossamer.loadtest.experiments import simulator

from ..shards.conftest import GOSSAMER
from .inside import gossamer

QUICK = ("sim", "--bytes", "100KiB", "--delay", "10ms", "--seed", "7", "--loss", "2%")


def test_sim__same_seed__same_bytes_on_standard_output() -> None:
    """Of two processes."""
    command = [GOSSAMER, *QUICK]
    first = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    second = gossamer(*QUICK)
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert "retransmitted" in first.stdout
    assert "virtual time" in first.stdout
    assert "segments/s" in first.stderr
    assert gossamer(*QUICK, "--seed", "8").stdout != first.stdout


def test_sim__as_json__is_one_object_of_the_same_run() -> None:
    report = json.loads(gossamer(*QUICK, "--json", "--flows", "2").stdout)
    assert report["has_finished"]
    assert [flow["delivered_bytes"] for flow in report["flows"]] == [102_400, 102_400]
    assert report["steps_checked"] > 0
    assert report["migrations"] > 0


def test_sim__without_the_oracle__the_run_is_the_same() -> None:
    watched, alone = (
        json.loads(gossamer(*QUICK, "--json", flag).stdout) for flag in ("--oracle", "--no-oracle")
    )
    assert alone["steps_checked"] == 0
    assert watched["flows"] == alone["flows"]


def test_sim__a_transfer_that_never_ends__is_a_failure() -> None:
    ended = gossamer(*QUICK, "--blackout", "30ms-24h")
    assert ended.returncode == 1
    assert "connection timed out" in ended.stdout


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (("--loss", "95%"), "0% to 90%"),
        (("--loss", "x"), "0% to 90%"),
        (("--rate", "0"), "1kbit to 100gbit"),
        (("--rate", "10mbps"), "1kbit to 100gbit"),
        (("--delay", "1h"), "0 to 10s"),
        (("--queue", "1"), "1500B to 1GiB"),
        (("--burst", "1%"), "two shares"),
        (("--burst", "1%:0"), "two shares"),
        (("--drop", "-4"), "numbers from 0"),
        (("--drop", "4+x"), "numbers from 0"),
        (("--blackout", "3s-2s"), "two times"),
        (("--mtu", "20"), "140 to 65535"),
        (("--mtu-change", "1200"), "a time and"),
        (("--bytes", "0"), "1 to 64GiB"),
        (("--buffer", "1"), "128B to 512MiB"),
        (("--flows", "0"), "1<=x<=100"),
        (("--congestion", "vegas"), "newreno"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_sim__wrong_value__one_line_names_option_found_and_allowed(argv: tuple[str, ...], named: str) -> None:
    ended = gossamer("sim", *argv)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert argv[0] in ended.stderr
    assert named in ended.stderr


def test_sim__plot__is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    for name, begins in (("run.png", b"\x89PNG"), ("run.svg", b"<?xml")):
        assert gossamer(*QUICK, "--plot", str(tmp_path / name)).returncode == 0
        assert (tmp_path / name).read_bytes().startswith(begins)
    # matplotlib writes each text of a picture beside its outlines.
    drawn = (tmp_path / "run.svg").read_text()
    for text in (
        "arrived, Mbit/s",
        "SRTT, ms",
        "queue, kB",
        "lost",
        "marked",
        "cubic: 10.000 Mbit/s, 20 ms, seed 7",
    ):
        assert f"<!-- {text}" in drawn


def test_sim__sequence__is_the_graph_of_the_first_flow(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    lost = ("sim", "--bytes", "300kB", "--drop", "100+4", "--flows", "2")
    for name, begins in (("graph.png", b"\x89PNG"), ("graph.svg", b"<?xml"), ("again.svg", b"<?xml")):
        assert gossamer(*lost, "--sequence", str(tmp_path / name)).returncode == 0
        assert (tmp_path / name).read_bytes().startswith(begins)
    drawn = (tmp_path / "graph.svg").read_text()
    for text in ("sent again", "acknowledged", "congestion window", "sequence number, kB"):
        assert f"<!-- {text}" in drawn
    assert drawn == (tmp_path / "again.svg").read_text()


@pytest.mark.parametrize(
    ("name", "allowed"), [("run.jpg", ".png or .svg"), ("no/such/folder/run.png", "there is no folder")]
)
def test_sim__plot_that_cannot_be_written__is_said_before_the_run(name: str, allowed: str) -> None:
    ended = gossamer(*QUICK, "--plot", name)
    assert ended.returncode == 2
    assert allowed in ended.stderr
    assert not ended.stdout


def test_sim__plot_without_matplotlib__names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('none here')")
    ended = subprocess.run(
        [GOSSAMER, *QUICK, "--plot", str(tmp_path / "run.png")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert ended.returncode == 3
    assert ended.stderr == "gossamer: --plot needs matplotlib: pip install 'gossamer[plots]'\n"


def test_sim__speed__is_printed_on_standard_error_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "TIMED", msgspec.structs.replace(speed.TIMED, transfer_bytes=1 << 20))
    monkeypatch.setattr(simulator, "LOSSY_BYTES", 1 << 20)
    ended = gossamer("sim", "--speed")
    assert ended.returncode == 0
    assert not ended.stdout
    assert "segments/s" in ended.stderr
    assert "the TCP itself takes" in ended.stderr


def test_sim__seeds__means_and_their_spread() -> None:
    alone = [json.loads(gossamer(*QUICK[:-4], "--seed", seed, "--json").stdout) for seed in ("7", "8")]
    together = json.loads(gossamer(*QUICK[:-4], "--seed", "7", "--seeds", "2", "--json").stdout)
    goodputs = [run["goodput_bps"] for run in alone]
    assert together["seeds"] == [7, 8]
    assert together["unfinished"] == []
    assert together["goodput_bps"]["mean"] == pytest.approx(sum(goodputs) / 2)
    assert (together["goodput_bps"]["least"], together["goodput_bps"]["most"]) == (
        min(goodputs),
        max(goodputs),
    )
    assert "deviation" in gossamer(*QUICK[:-4], "--seeds", "2").stdout


@pytest.mark.parametrize("option", ["--plot", "--sequence"])
def test_sim__seeds_and_plot__is_refused(option: str) -> None:
    ended = gossamer(*QUICK, "--seeds", "2", option, "run.png")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_sim__duration_that_was_asked__is_no_failure_and_steady_is_below_the_path() -> None:
    ended = gossamer("sim", "--duration", "3s", "--bytes", "1GiB", "--json")
    report = json.loads(ended.stdout)
    assert report["flows"][0]["steady_bps"] <= 1.001 * report["bounds"]["path_bps"]
    text = gossamer("sim", "--duration", "300ms", "--bytes", "1GiB").stdout
    assert "ended as asked after 0.300 s" in text
    assert "NOT complete" not in text


def test_sim__with_losses__what_theory_bounds_is_not_passed_and_a_mean_is_called_one() -> None:
    """Of a burst of losses once, a short run makes more than the mean of a long one."""
    burst = ("sim", "--burst", "0.1%:33%", "--bytes", "4MiB", "--delay", "25ms", "--seed", "3")
    text, report = gossamer(*burst).stdout, json.loads(gossamer(*burst, "--json").stdout)
    bounds, goodput_bps = report["bounds"], report["goodput_bps"]
    assert goodput_bps < min(bounds["path_bps"], bounds["window_bps"])
    assert goodput_bps > bounds["loss_bps"]
    bound, mean = text.partition("theory, one flow alone: ")[2].splitlines()[:2]
    assert bound.endswith(f"at most {bounds['path_bps'] / 1e6:.3f} Mbit/s")
    assert mean.endswith("Mbit/s on the average; short runs, and losses in bursts, leave more")


ALGORITHM = """
from gossamer.core.tcp.congestion.newreno import NewReno
class Wrong(NewReno):
    def on_ack(self, congestion, ack):
        return congestion.cwnd + ack.acked_bytes
"""


def test_sim__own_algorithm_of_the_current_folder__found_and_held_to_the_interface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ownalgorithm.py").write_text(ALGORITHM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    ended = gossamer(*QUICK, "--congestion", "ownalgorithm:Wrong")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert 'congestion control "ownalgorithm:Wrong" returned' in ended.stderr
