"""What `gossamer examples` writes is what a program begins from."""

from pathlib import Path

import pytest

from gossamer.cli.accompanying import accompanying

from .inside import gossamer

ROOT = Path(__file__).parents[2]


def test_examples__into_a_new_folder__all_that_they_need(tmp_path: Path) -> None:
    done = gossamer("examples", str(tmp_path / "try"))
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (tmp_path / "try").iterdir()}
    assert names == {"config.toml", "deploy", "examples", "www", "packets", "locustfile.py", "engineuser.py"}
    for path in (ROOT / "examples").glob("*.py"):
        assert (tmp_path / "try" / "examples" / path.name).read_text() == path.read_text()
    scripts = list((tmp_path / "try" / "packets").rglob("*.pkt"))
    assert len(scripts) == len(list((ROOT / "tests" / "packets").rglob("*.pkt")))
    units = {path.name for path in (tmp_path / "try" / "deploy").iterdir()}
    assert units == {path.name for path in (ROOT / "deploy").iterdir()}
    checked = gossamer(
        "serve", "--config", str(tmp_path / "try" / "config.toml"), "--check-config", str(tmp_path)
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("what", ["a folder with something in it", "a file"])
def test_examples__where_something_is__one_line_and_nothing_is_touched(tmp_path: Path, what: str) -> None:
    target = tmp_path / "try"
    if what == "a file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").touch()
    done = gossamer("examples", str(target))
    assert done.returncode == 2
    assert (
        done.stderr
        == f"gossamer: FOLDER: found {target}, which is not empty; allowed: a new or an empty folder\n"
    )


def test_print_config__each_key_with_what_config_toml_says_of_it() -> None:
    printed = gossamer("serve", "www", "--port", "81", "--print-config").stdout
    lines = printed.splitlines()
    assert lines[lines.index("port = 81") - 1] == "# 0 lets the kernel choose a free port."
    said = {line for line in accompanying("config.toml").read_text().splitlines() if line.startswith("#")}
    shown = {line for line in lines if line.startswith("#")}
    assert shown <= said
    assert len(shown) > len(said) * 0.9, sorted(said - shown)
