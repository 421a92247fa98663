"""What is released: the wheel, one for every Python from 3.11 on, with its licence, all modules, and nothing
else; the source distribution, a clone without its history; whoever makes them."""

import email
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SAID = "said"
PACKAGES = ("gossamer", "core", "ffi", "shards", "loadtest")
BESIDE = ("changes", "deploy", "docs", "examples", "scripts", "tests", "www")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
URLS = PYPROJECT["project"]["urls"]
MINOR = sys.version_info.minor
BUILT = shutil.ignore_patterns("__pycache__", "_*.c", "_*.o", "*.so")
HOOKS = ("build_sdist", "build_wheel")
CALL = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
RELEASED_AT = "1700000000"
LINK = re.compile(r"\]\(([^()\s]+)\)")

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="a Python without the GIL has no stable ABI"
    ),
]


def modules() -> set[str]:
    """The modules and stubs of a clone, as the wheel names them."""
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".pyi")
    }
    return {name if name.startswith("gossamer/") else f"gossamer/{name}" for name in found}


def given() -> set[str]:
    """What `gossamer examples` gives, as the wheel names it."""
    found = {f"given/{name}" for name in ("config.toml", "locustfile.py", "engineuser.py")}
    folders = {"deploy": "deploy", "examples": "examples", "www": "www", "tests/packets": "packets"}
    for folder, name in folders.items():
        paths = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        found |= {f"given/{name}/{path.relative_to(ROOT / folder)}" for path in paths}
    return found


@pytest.fixture
def built(once: Callable[[str, Callable[[Path], None]], Path]) -> tuple[Path, str]:
    """A wheel built aside, and what its builder said."""
    folder = once("wheel", build)
    (wheel,) = folder.glob("made/*.whl")
    return wheel, (folder / SAID).read_text()


@pytest.fixture
def packed(built: tuple[Path, str]) -> Path:
    """The source distribution that was made beside it."""
    (found,) = built[0].parent.glob("*.tar.gz")
    return found


def build(folder: Path, umask: int = 0o022) -> None:
    """Build both in a copy of the sources."""
    place, made = folder / "sources", folder / "made"
    made.mkdir(parents=True)
    (folder / "sources").mkdir()
    for name in ROOT.iterdir():
        if name.is_file():
            shutil.copyfile(name, place / name.name)
    for name in (*PACKAGES, *BESIDE, ".ci", ".github"):
        shutil.copytree(ROOT / name, place / name, symlinks=True, ignore=BUILT)
    said = ""
    for hook in HOOKS:
        done = subprocess.run(
            [sys.executable, "-c", CALL, hook, str(made)],
            cwd=place, umask=umask, env={**os.environ, "SOURCE_DATE_EPOCH": RELEASED_AT},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        said += done.stdout + done.stderr
        assert done.returncode == 0, said
    (folder / SAID).write_text(said)


def test_cibuildwheel__every_python_that_is_promised__and_each_kind_of_wheel() -> None:
    """That an abi3 wheel serves all of them, and a native one none but its own: `make release-check`."""
    project, settings = PYPROJECT["project"], PYPROJECT["tool"]["cibuildwheel"]
    minors = [found[1] for each in project["classifiers"] if (found := re.search(r":: 3\.(\d+)$", each))]
    assert settings["build"] == [f"cp3{minor}-*" for minor in minors]
    assert settings["archs"] == ["x86_64", "aarch64"]
    assert not any("linux" in each for each in settings["skip"]), "both kinds of C library"
    assert set(settings["linux"]["environment-pass"]) == {"GOSSAMER_WHEEL", "SOURCE_DATE_EPOCH"}
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    assert 'kind: ["", native]' in workflow
    assert "GOSSAMER_WHEEL: ${{ matrix.kind }}" in workflow


ASKED = """
import sys
from setuptools import Distribution, build_meta
seen = {}
def run_commands(self):
    command = self.get_command_obj("bdist_wheel")
    command.ensure_finalized()
    seen["tag"] = command.get_tag()
Distribution.run_commands = run_commands
sys.argv = ["setup.py", "bdist_wheel"]
import runpy
runpy.run_path("setup.py")
print("-".join(seen["tag"][:2]), *build_meta.get_requires_for_build_wheel())
"""


@pytest.mark.parametrize(
    ("kind", "tag", "is_compiled_by_mypyc"),
    [("", "cp311-abi3", False), ("native", f"cp3{MINOR}-cp3{MINOR}", True)],
)
def test_kind__asked_for_before_it_is_built__tag_and_what_builds_it(
    kind: str, tag: str, is_compiled_by_mypyc: bool
) -> None:
    """What a native build comes to, 155 s of CPU, is `make release-check`'s."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED], cwd=ROOT, env={**os.environ, "GOSSAMER_WHEEL": kind},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, *requirements = done.stdout.splitlines()[-1].split()
    assert (found, any(each.startswith("mypy") for each in requirements)) == (tag, is_compiled_by_mypyc)


def test_wheel__tag__any_python_from_3_11(built: tuple[Path, str]) -> None:
    wheel, _ = built
    tag = f"cp311-abi3-linux_{platform.machine()}"
    assert wheel.name.endswith(f"-{tag}.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/WHEEL"))
        assert email.message_from_bytes(archive.read(name)).get_all("Tag") == [tag]


def test_wheel__metadata__licence_and_bounds(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
        (licence,) = (each for each in archive.namelist() if each.endswith("/LICENSE"))
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert (metadata["License-Expression"], metadata["License-File"]) == ("BSD-3-Clause", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "httptools>=0.6.3" in metadata.get_all("Requires-Dist", [])
    assert not [each for each in metadata.get_all("Classifier", []) if each.startswith("License")]


def test_wheel__content__all_modules_and_nothing_else(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name and name[-1] != "/"}
    compiled = {f"gossamer/ffi/{name}.abi3.so" for name in ("_aio", "_await", "_packet", "_slot", "_system")}
    data = given() | {"loadtest/load.schema.json", "shards/admin/dashboard.html", "py.typed"}
    assert found == compiled | modules() | {f"gossamer/{name}" for name in data}


def test_wheel__built__nothing_is_deprecated(built: tuple[Path, str]) -> None:
    assert [line for line in built[1].splitlines() if "SetuptoolsDeprecation" in line] == []


@pytest.mark.long
def test_built_again__elsewhere_by_another__the_same_bytes(built: tuple[Path, str], tmp_path: Path) -> None:
    build(tmp_path / "another folder", umask=0o077)
    first, second = built[0].parent, tmp_path / "another folder" / "made"
    names = {path.name for path in first.iterdir()}
    assert names == {path.name for path in second.iterdir()}
    assert len(names) == 2
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_modules__no_debug_information_no_path_of_the_builder(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                octets = archive.read(name)
                assert b".debug_info" not in octets, name
                assert str(ROOT).encode() not in octets, name


def test_source__what_git_has__and_nothing_twice(packed: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a clone")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with tarfile.open(packed) as archive:
        found = {member.name.partition("/")[2] for member in archive}
        assert {member.mtime for member in archive} == {int(RELEASED_AT)}
        links = {member.name.rpartition("/")[2] for member in archive if member.issym()}
    assert set(listed.split()) - found == set()
    assert {name for name in found - set(listed.split()) if "egg-info" not in name} == {
        "PKG-INFO",
        "setup.cfg",
    }
    assert links == {"core", "ffi", "loadtest", "shards"}


@pytest.mark.long
def test_source__unpacked__is_built_and_tested_from(packed: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xzf", str(packed)], cwd=tmp_path, timeout=60, check=True)
    (folder,) = tmp_path.iterdir()
    build_in_place = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(build_in_place, cwd=folder, capture_output=True, timeout=300, check=True)
    tests = ["tests/core/tcp/test_keepalive.py", "tests/test_house.py", "tests/ffi/test_packet_parse.py"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_description__on_an_index_page__every_link_leads_somewhere(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    text = str(metadata.get_payload())
    version = metadata["Version"]
    links = LINK.findall(text)
    assert len(links) > 40
    files = f"{URLS['Source']}/blob/v{version}/"
    for link in links:
        if not link.startswith("#"):
            assert link.startswith(files), link
            assert (ROOT / link.removeprefix(files).partition("#")[0]).exists(), link
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_metadata__whose_it_is_where_it_lives_which_pythons(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Author"] == "The Gossamer authors"
    assert {each.partition(",")[0] for each in metadata.get_all("Project-URL", [])} >= {"Source", "Issues"}
    pythons = {f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 16)}
    assert pythons <= set(metadata.get_all("Classifier", []))
