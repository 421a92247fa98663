"""Set-up mends itself: the Makefile makes `.venv` by a Python and a pip that take notes, fail, or are killed.

Nothing is installed, and no network asked. `scripts/bare-machine --obstacles` does it with the real ones.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PYTHON = """#!/bin/sh
# Stands for the Python that was asked for, and for the one in the virtual environment.
case "$*" in
    scripts/interpreter) cat "$NOTES/interpreter" ;;
    *"-m venv "*)
        echo venv >>"$NOTES/calls"
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        met="$NOTES/met-venv"
        ;;
    *"-m pip install"*)
        case "${PIP_NO_CACHE_DIR:+--no-cache-dir} $*" in
            *--no-cache-dir*) echo "pip without its cache" >>"$NOTES/calls" ;;
            *) echo pip >>"$NOTES/calls"; met="$NOTES/met-pip" ;;
        esac
        ;;
esac
[ -e "${met:-/nothing}" ] || exit 0
what=$(cat "$met") && rm "$met"
case "$what" in
    error) exit 1 ;;
    wait) kill -KILL "$PPID"; read -r line <"$NOTES/go" ;;
    *) kill -s "$what" "$PPID" ;;
esac
"""


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


class Clone:
    """A folder with the Makefile and the scripts, and a Python that takes notes of what it was asked."""

    def __init__(self, place: Path) -> None:
        self.notes = place / "notes"
        self.notes.mkdir()
        self.tree = place / "clone of it"
        (self.tree / "scripts").mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "setup.py", "constraints.txt"):
            shutil.copy(ROOT / name, self.tree)
        for name in ("interpreter", "virtual-environment"):
            shutil.copy(ROOT / "scripts" / name, self.tree / "scripts")
        executable(place / "python", PYTHON)
        self.is_of("/usr cpython-311")
        # A background job of a script ignores Ctrl-C, and hands that on.
        self.command = [
            "env",
            "--default-signal=INT",
            "make",
            "--silent",
            f"PYTHON={place / 'python'}",
            "EXTRAS=test",
            ".venv/.installed",
        ]

    def is_of(self, interpreter: str) -> None:
        (self.notes / "interpreter").write_text(interpreter + "\n")

    def meets(self, step: str, what: str) -> None:
        (self.notes / f"met-{step}").write_text(what)

    def start(self, **settings: str) -> "subprocess.Popen[str]":
        (self.notes / "calls").write_text("")
        return subprocess.Popen(
            [*self.command, *(f"{name}={value}" for name, value in settings.items())],
            cwd=self.tree,
            env={"PATH": os.environ["PATH"], "NOTES": str(self.notes)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def set_up(self, **settings: str) -> int:
        with self.start(**settings) as running:
            running.communicate(timeout=60)
        return running.returncode

    def calls(self) -> list[str]:
        return (self.notes / "calls").read_text().splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.fixture
def whole(clone: Clone) -> Clone:
    assert clone.set_up() == 0
    assert clone.calls() == ["venv", "pip"]
    return clone


def test_set_up__whole__asks_for_nothing(whole: Clone) -> None:
    assert whole.set_up() == 0
    assert whole.calls() == []


def removed(name: str) -> Callable[[Clone], None]:
    return lambda clone: (clone.tree / ".venv" / name).unlink()


def moved(clone: Clone) -> None:
    clone.tree = clone.tree.rename(clone.tree.with_name("moved"))


FROM_NOTHING: dict[str, Callable[[Clone], None]] = {
    "no mark that it was finished": removed(".installed"),
    "a mark without a text, from a full disk": lambda clone: os.truncate(clone.tree / ".venv/.installed", 0),
    "no interpreter": removed("bin/python"),
    "an interpreter that is no longer there": lambda clone: dangling(clone.tree / ".venv/bin/python"),
    "of another Python": lambda clone: clone.is_of("/usr cpython-313"),
    "of the same Python elsewhere": lambda clone: clone.is_of("/usr/local cpython-311"),
    "of another folder": moved,
    "a file": lambda clone: a_file(clone.tree / ".venv"),
}


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/python")


def a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


@pytest.mark.parametrize("change", FROM_NOTHING.values(), ids=FROM_NOTHING.keys())
def test_set_up__not_whole__is_made_from_nothing(whole: Clone, change: Callable[[Clone], None]) -> None:
    if (whole.tree / ".venv").is_dir():
        (whole.tree / ".venv" / "old").touch()
    change(whole)
    assert whole.set_up() == 0
    assert whole.calls() == ["venv", "pip"]
    assert not (whole.tree / ".venv" / "old").exists()
    assert (whole.set_up(), whole.calls()) == (0, [])


def test_set_up__other_extras__pip_adds_them(whole: Clone) -> None:
    assert whole.set_up(EXTRAS="nfqueue,test") == 0
    assert whole.calls() == ["pip"]
    assert (whole.set_up(EXTRAS="nfqueue,test"), whole.calls()) == (0, [])


def test_set_up__dependencies_changed__pip_adds_them(whole: Clone) -> None:
    later = (whole.tree / ".venv/.installed").stat().st_mtime_ns + 1_000_000_000
    os.utime(whole.tree / "pyproject.toml", ns=(later, later))
    assert whole.set_up() == 0
    assert whole.calls() == ["pip"]


@pytest.mark.parametrize("step", ["venv", "pip"])
@pytest.mark.parametrize("what", ["error", "KILL", "INT"])
@pytest.mark.parametrize("before", ["clone", "whole"])
def test_set_up__interrupted__the_next_begins_anew(
    request: pytest.FixtureRequest, step: str, what: str, before: str
) -> None:
    clone: Clone = request.getfixturevalue(before)
    if before == "whole":
        if step == "venv":
            clone.is_of("/usr cpython-313")
        else:
            clone.set_up(EXTRAS="load")
    clone.meets(step, what)
    assert clone.set_up() != 0
    assert not (clone.tree / ".venv/.installed").exists()
    assert clone.set_up() == 0
    assert clone.calls() == ["venv", "pip"]
    assert (clone.set_up(), clone.calls()) == (0, [])


def test_set_up__interrupted_and_pip_fails_again__goes_on_without_its_cache(clone: Clone) -> None:
    clone.meets("pip", "KILL")
    assert clone.set_up() != 0
    clone.meets("pip", "error")
    assert clone.set_up() == 0
    assert clone.calls() == ["venv", "pip", "pip without its cache"]


def test_set_up__home_that_cannot_be_written__goes_on_without_a_cache(clone: Clone) -> None:
    assert clone.set_up(HOME="/proc") == 0
    assert clone.calls() == ["venv", "pip without its cache"]


def test_set_up__a_pip_left_running__is_waited_for(clone: Clone) -> None:
    os.mkfifo(clone.notes / "go")
    clone.meets("pip", "wait")
    with clone.start() as killed, open(os.open(clone.notes / "go", os.O_RDWR), "w") as go:
        # Its output is held open by the pip that lives on.
        killed.wait(timeout=60)
        with clone.start() as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "Waiting for another set-up in this folder\n"
            assert clone.calls() == []
            go.write("\n")
            go.flush()
            second.communicate(timeout=60)
    assert killed.returncode != 0
    assert second.returncode == 0
    assert clone.calls() == ["venv", "pip"]


def test_clean__the_mark_goes_first(whole: Clone) -> None:
    """What an interrupted `make clean` leaves is not taken for whole."""
    printed = subprocess.run(
        ["make", "--no-print-directory", "--just-print", "clean"],
        cwd=whole.tree,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.splitlines()[0] == "rm -f .venv/.installed"


def interpreter(version: str) -> "subprocess.CompletedProcess[str]":
    program = f"import sys; sys.version_info = {version}; exec(open('scripts/interpreter').read())"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"PYTHON": "python3.x"}, capture_output=True, text=True
    )


def test_interpreter__too_old__one_line_says_so() -> None:
    lowest = re.fullmatch(
        r">=(\d+)\.(\d+)", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    )
    assert lowest is not None
    major, minor = int(lowest[1]), int(lowest[2])
    assert interpreter(f"({major}, {minor}, 0)").returncode == 0
    old = interpreter(f"({major}, {minor - 1}, 9)")
    assert old.returncode == 1
    assert re.fullmatch(
        rf"Gossamer needs Python {major}\.{minor} or later; python3\.x is {major}\.{minor - 1}\..*\n",
        old.stderr,
    )
