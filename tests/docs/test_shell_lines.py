"""Each shell line of README is run from the wheel, outside of a clone; those of all other pages name
commands and options that there are."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from gossamer.cli.main import gossamer

from ..test_wheel import build
from . import howto_lines, shell_lines
from .pages import DOCS, blocks, save_files

ROOT = DOCS.parent
PAGES = sorted({*DOCS.glob("*.md"), *(DOCS / "site").glob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"})
TYPED = re.compile(r"^(?:    |\$ )(gossamer (?!serves ).*)$", re.MULTILINE)
PLACEHOLDERS = {"URL": "http://127.0.0.1:1/", "...": ""}
WITHOUT_LOCUST = "locust: command not found"


@pytest.fixture
def installed(once: Callable[[str, Callable[[Path], None]], Path], tmp_path: Path) -> Path:
    """A virtual environment with the wheel, and with what it needs from ours."""
    (wheel,) = once("wheel", build).glob("made/*.whl")
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-P", "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    shutil.unpack_archive(wheel, packages, "zip")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = place / "bin" / "gossamer"
    command.write_text(f"#!{place}/bin/python\nfrom gossamer.cli.main import main\nmain()\n")
    command.chmod(0o755)
    return place


@pytest.mark.long
@pytest.mark.needs("nfqueue")
def test_readme__each_line__does_from_the_wheel_what_it_says(installed: Path, tmp_path: Path) -> None:
    environment, folder = surroundings(installed), tmp_path / "try"
    where = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import gossamer; print(gossamer.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(installed))
    furnish(folder, environment)
    command = [
        "gossamer",
        "rootless",
        "--",
        "python",
        shell_lines.__file__,
        str(ROOT / "README.md"),
        str(folder),
    ]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) > 25
    failed = {line: said for line, (code, said) in results.items() if code and WITHOUT_LOCUST not in said}
    assert failed == {}, "\n".join(f"{line}\n{said}" for line, said in failed.items())


def surroundings(installed: Path) -> dict[str, str]:
    """The environment of a reader who has the wheel."""
    ours = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{installed / 'bin'}:{ours}:{os.environ['PATH']}", "PYTHONPATH": ""}


def furnish(folder: Path, environment: dict[str, str]) -> None:
    """What the reader has: the examples, and a certificate."""
    subprocess.run(["gossamer", "examples", str(folder)], env=environment, check=True, capture_output=True)
    for name, copies in (("pem", ("chain.pem", "fullchain.pem")), ("key", ("key.pem", "privkey.pem"))):
        for copy in copies:
            shutil.copy(ROOT / "tests" / "pems" / f"server.{name}", folder / copy)


@pytest.mark.long
@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize("page", [page for page in howto_lines.PAGES if howto_lines.planned(page)])
def test_page__each_line__does_from_the_wheel_what_it_says(
    page: str, installed: Path, tmp_path: Path
) -> None:
    environment, folder = surroundings(installed), tmp_path / "try"
    furnish(folder, environment)
    howto_lines.prepare(folder)
    save_files(page, folder)
    for name in re.findall(r"Save it as `(\w+\.py)`", (DOCS / page).read_text()):
        (folder / name).write_text(next(text for kind, text in blocks(page) if kind == "python"))
    plan = howto_lines.planned(page)
    if any(where.startswith("django") for *_, where in plan):
        (folder / "django").mkdir()
        command = [sys.executable, "-P", "-m", "django", "startproject", "shop"]
        subprocess.run(command, cwd=folder / "django", env=environment, check=True)
    program = [sys.executable, shell_lines.__file__, "--planned", howto_lines.SERVER, str(folder)]
    done = subprocess.run(
        ["gossamer", "rootless", "--", *program],
        cwd=folder, env=environment, input=json.dumps(plan), capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert results.keys() >= {line for line, *_ in plan}
    failed = {line: said for line, (code, said) in results.items() if code}
    assert failed == {}, "\n".join(f"{line}\n{said}" for line, said in failed.items())


def test_pages__each_line__is_run_or_has_a_reason() -> None:
    """Every page that has one is in the table, and no reason is about a line that is gone."""
    own = [*DOCS.glob("*.md"), *(DOCS / "site").glob("*.md")]
    names = {str(page.relative_to(DOCS)) for page in own}
    assert {name for name in names if howto_lines.lines(name)} == set(howto_lines.PAGES)
    for name, page in howto_lines.PAGES.items():
        for beginning, reason in (*page.not_run.items(), *((each, "where") for each in page.where)):
            assert reason
            assert any(line.startswith(beginning) for line in howto_lines.lines(name)), (name, beginning)
        for pattern in page.replaced:
            assert any(re.search(pattern, line) for line in howto_lines.lines(name)), (name, pattern)
    assert sum(len(howto_lines.planned(name)) for name in howto_lines.PAGES) > 60


def first_of(line: str) -> list[str]:
    """The words of the first command of a line, without what the shell does with it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: not set(word) <= set("|&;<>()"), lexer))


def parsed(line: str) -> None:
    """Read a line as the command would. Raises: click.ClickException for what it would refuse."""
    words = [PLACEHOLDERS.get(word, word) for word in first_of(line)[1:]]
    group = gossamer
    command: click.Command = group
    context = click.Context(group)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"there is no command {words[0]}")
        command, words = found, words[1:]
    flags = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)} | {
        "--help",
        "-h",
    }
    for word in words:
        flag = word.partition("=")[0]
        if word == "--":
            return
        if re.match(r"--?[a-z]", word) and flag not in flags:
            raise click.UsageError(f"{command.name} has no option {flag}")


def shown(page: Path) -> list[str]:
    """The lines of a page that a reader types, continued ones whole, without what is in brackets."""
    text = page.read_text().replace("\\\n", " ")
    return [re.sub(r"\s{3,}.*|\[|\]", "", line) for line in TYPED.findall(text)]


def test_pages__each_line__of_commands_and_options_that_there_are() -> None:
    wrong, count = [], 0
    for page in PAGES:
        for line in shown(page):
            count += 1
            try:
                parsed(line)
            except (click.ClickException, ValueError) as error:
                wrong.append(f"{page.name}: {line}: {error}")
    assert wrong == []
    assert count > 60
