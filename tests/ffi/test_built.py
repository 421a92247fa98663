"""C modules of other sources than stand beside them are refused in a line, before anything calls them."""

import os
import shutil
from pathlib import Path

import pytest

from gossamer.ffi import built

from ..cli.inside import gossamer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder like ffi/, whose modules are of its sources."""
    made = tmp_path / "ffi"
    shutil.copytree(f"{built.FOLDER}/src", made / "src")
    shutil.copyfile(f"{built.FOLDER}/build_aio.py", made / "build_aio.py")
    built.note(str(made))
    return made


def test_require_built__of_these_very_sources__nothing_is_said_and_none_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built, "digest", lambda _sources: pytest.fail("it is dear"))
    built.require_built(str(folder))


def test_require_built__of_files_that_were_written_anew_as_they_were__nothing_is_said(folder: Path) -> None:
    for file in folder.rglob("*.c"):
        os.utime(file, (1, 1))
    built.require_built(str(folder))


@pytest.mark.parametrize("changed", ["src/send.c", "src/packet.h", "build_aio.py"])
def test_require_built__a_source_is_another_one__refused_with_the_way_out(folder: Path, changed: str) -> None:
    (folder / changed).write_text((folder / changed).read_text() + "\n")
    with pytest.raises(ImportError, match="run `make setup`"):
        built.require_built(str(folder))


def test_require_built__new_source_gone_source_interrupted_build__refused(folder: Path) -> None:
    source = folder / "src" / "new.c"
    source.touch()
    with pytest.raises(ImportError, match="not of the sources"):
        built.require_built(str(folder))
    source.unlink()
    built.require_built(str(folder))
    (folder / "src" / "send.c").rename(folder / "src" / "sent.c")
    with pytest.raises(ImportError, match="not of the sources"):
        built.require_built(str(folder))
    built.note(str(folder))
    built.forget(str(folder))
    with pytest.raises(ImportError, match="not of the sources"):
        built.require_built(str(folder))


def test_require_built__no_sources_as_in_a_wheel__nothing_to_compare(tmp_path: Path) -> None:
    built.require_built(str(tmp_path))


def test_command__of_stale_modules__one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(_module: str) -> None:
        raise ImportError("they are stale: run `make setup`", name="gossamer.ffi")

    monkeypatch.setattr("importlib.import_module", stale)
    done = gossamer("serve", "www")
    assert (done.returncode, done.stderr) == (1, "gossamer: serve: they are stale: run `make setup`\n")
