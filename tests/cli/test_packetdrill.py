"""gossamer packetdrill: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest

from .inside import Done, gossamer

PASSES = "// RFC 9293 3.5: x\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
SCRIPTS = {
    "pass.pkt": PASSES,
    "fail.pkt": f"{PASSES}+0 close(4) = 0\n",
    "unsupported.pkt": f"{PASSES}+0 splice(3) = 0\n",
    "error.pkt": f"{PASSES}+0 > Z\n",
    "strict.pkt": f"""{PASSES}+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 win 1 <mss 1460>
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def drill(*argv: str | Path) -> Done:
    return gossamer("packetdrill", *map(str, argv))


def test_folder__as_json__is_one_object_a_line(folder: Path) -> None:
    done = drill(folder, "--json")
    assert done.returncode == 1
    found = {Path(each["script"]).name: each for each in map(json.loads, done.stdout.splitlines())}
    assert {name: (each["verdict"], each["strict"]) for name, each in found.items()} == {
        "pass.pkt": ("pass", "pass"),
        "fail.pkt": ("fail", "fail"),
        "unsupported.pkt": ("unsupported", "unsupported"),
        "error.pkt": ("error", "error"),
        "strict.pkt": ("pass", "fail"),
    }
    assert found["fail.pkt"]["line"] == 3
    assert found["fail.pkt"]["message"] == "close: expected 0, got -1 EBADF"
    assert found["unsupported.pkt"]["message"] == "unsupported: call splice at line 3"
    assert "5 scripts (lenient): 2 pass, 1 fail, 1 unsupported, 1 error" in done.stderr
    assert "events/s" in done.stderr


def test_script__that_passes__ends_with_0(folder: Path) -> None:
    done = drill(folder / "pass.pkt")
    assert (done.returncode, done.stdout) == (0, f"pass {folder / 'pass.pkt'}\n")
    assert done.stderr.startswith("1 scripts (lenient): 1 pass")


def test_set_up__of_the_command_line__comes_before_each_script(folder: Path) -> None:
    (folder / "strict.pkt").write_text(SCRIPTS["strict.pkt"].replace("win 1 ", ""))
    assert drill(folder / "strict.pkt", "--set-up", "sysctl net.ipv4.tcp_sack=0").returncode == 0
    done = drill(folder / "strict.pkt", "--set-up", "sysctl net.ipv4.tcp_sack=0", "--set-up", "perf stat")
    assert done.returncode == 1
    assert "unsupported: command perf at line 0" in done.stdout


def test_strict__decides_the_exit_code(folder: Path) -> None:
    assert drill(folder / "strict.pkt").returncode == 0
    done = drill(folder / "strict.pkt", "--strict")
    assert done.returncode == 1
    assert "win: expected 1, got 65535" in done.stdout


def test_verbose__shows_the_timeline(folder: Path) -> None:
    assert "0.000000 < S 0:0(0) win 65535" in drill(folder / "strict.pkt", "--verbose").stdout


def test_define__gives_a_word_its_value(folder: Path) -> None:
    script = folder / "defined.pkt"
    script.write_text("0 socket(..., KIND, IPPROTO_TCP) = 3\n")
    assert drill(script, "-D", "KIND=SOCK_STREAM").returncode == 0
    assert drill(script).returncode == 1
    script.write_text("#ifdef SHORT\n0 socket(..., SOCK_STREAM, 0) = 3\n#else\n0 close(3) = 0\n#endif\n")
    assert (drill(script, "-D", "SHORT").returncode, drill(script).returncode) == (0, 1)
    wrong = drill(script, "-D", "=1")
    assert wrong.returncode == 2
    assert wrong.stderr == "gossamer: --define: found '=1'; allowed: NAME, or NAME=VALUE\n"


def test_folder_without_scripts__says_so(tmp_path: Path) -> None:
    done = drill(tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"gossamer: {tmp_path}: found no script; a folder must hold files *.pkt\n"


def test_help__has_examples_and_exit_codes() -> None:
    text = drill("--help").stdout
    assert "gossamer packetdrill" in text.split("Examples:", 1)[1]
    assert "1  a script failed" in text
