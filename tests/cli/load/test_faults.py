"""--faults: how it is read, one line for a mistake, and a whole run on the functional TCP with losses."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gossamer.cli.load.command import load
from gossamer.cli.load.faults import parse_faults
from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.exitcode import ConfigError, ExitCode

from ...loadtest.odd_servers import ODD, odd_server


def test_parse__every_key__as_it_is_written() -> None:
    asked = parse_faults("loss=1%, delay=20ms,reorder=0.5,duplicate=2%,seed=9")
    assert asked.faults == LinkFaults(loss=0.01, delay_us=20_000, reorder=0.5, duplicate=0.02)
    assert asked.seed == 9
    assert parse_faults("loss=1%").seed is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found ''; allowed: loss, delay, reorder, duplicate, seed"),
        ("lost=1%", "found 'lost=1%'; allowed: loss"),
        ("loss", "found 'loss'; allowed: loss"),
        ("loss=101%", "loss: found '101%'; allowed: 0% to 100%"),
        ("loss=nan", "loss: found 'nan'; allowed: 0% to 100%"),
        ("delay=11s", "delay: found '11s'; allowed: a time"),
        ("delay=never", "delay: found 'never'"),
        ("delay=-1ms", "delay: found '-1ms'"),
        ("loss=1%,seed=-1", "seed: found '-1'; allowed: 0 to"),
        ("loss=1%,loss=2%", "loss: found twice"),
        ("seed=1", "found none"),
    ],
)
def test_parse__mistake__one_line_that_names_it(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_faults(text)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE


def test_kernel_sockets__one_line() -> None:
    error = CliRunner().invoke(load, ["http://127.0.0.1/", "--faults", "loss=1%"]).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith("--faults: found with --stack kernel")


@pytest.mark.needs("nfqueue")
def test_run__losses_and_delays__told_and_every_request_answered(namespace: Namespace) -> None:
    with namespace.entered(), odd_server(ODD["good"]) as url:
        argv = [sys.executable, "-c", "from gossamer.cli.main import main; main()", "load", url, "--json"]
        argv += ["--stack", "nfqueue", "-c", "8", "-n", "200", "--timeout", "20s"]
        done = subprocess.run(
            [*argv, "--faults", "loss=2%,delay=5ms,duplicate=2%,seed=3"], capture_output=True, text=True
        )
    found = json.loads(done.stdout)
    assert (done.returncode, found["requests_total"]) == (0, 200), done.stderr
    faults = found["faults"]
    assert (faults["loss"], faults["delay_us"], faults["seed"]) == (0.02, 5_000, 3)
    for way in ("sent", "received"):
        assert faults[way]["packets_total"] > 200
        assert faults[way]["lost_total"] > 0
        assert faults[way]["delayed_total"] > 200
    assert found["response_us"]["p50"] >= 10_000
