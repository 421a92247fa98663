"""`make native`: the pure core as extension modules, beside the sources that they are made of.

    sources -> transform.py -> build/native/src -> mypyc -> build/native/c -> cc -> gossamer/compiled/PYTHON

Owns which modules are compiled, and what lies in the folder where `gossamer.core.native` looks for them. A C
file is compiled again only when it, a header or the command has changed.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Extension
from transform import surveyed, transformed

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "native"
TREE, C_FILES, OBJECTS = BUILD / "src", BUILD / "c", BUILD / "objects"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
COMPILED = ROOT / "gossamer" / "compiled" / SUFFIX.split(".")[1]

THREADS = ("deadlines", "scheduler", "thread", "threadcalls")
"""Of the threads: what runs them."""
SIMULATOR = ("agenda", "end", "flow", "link")
"""Of the simulator: what every segment goes through."""
PLACES = (
    *("core/tcp", "core/wire", "core/loop/tcp", "core/seq.py", "core/clock.py", "core/demux.py"),
    *("core/networks.py", "core/checkpoint_rows.py", "core/http/websocket_frames.py"),
    *(f"core/threads/{name}.py" for name in THREADS),
    *(f"core/sim/{name}.py" for name in SIMULATOR),
)
"""What is compiled: these modules, and those of these packages, but for"""
INTERPRETED = frozenset(
    {
        # msgspec checks what comes from configuration files and users against their annotations.
        "core/tcp/deviations.py",
        "core/tcp/parameters.py",
        "core/tcp/socket_options.py",
        "core/tcp/congestion/change.py",
        # What a user's own algorithm gives is looked at before its type is taken for granted.
        "core/tcp/congestion/own.py",
        # msgspec decodes no union of octets with a class that it does not know.
        "core/wire/text.py",
        # They work on any record by the names of its fields.
        "core/tcp/codec.py",
        "core/tcp/explain.py",
        "core/tcp/info.py",
    }
)
TYPES = ("core/**/*.py", "ffi/**/*.py", "ffi/**/*.pyi", "gossamer/*.py")
"""Where mypy finds the types of what they import."""

MYPY = """[mypy]
strict = True
namespace_packages = True
explicit_package_bases = True
ignore_missing_imports = True
"""
OPTIMIZED = "2"
CHECKED = "-Werror=maybe-uninitialized"
"""mypyc 2.4.1 makes code that drops a reference which it never took, where a condition that asks for an item
goes on with that item's attribute: `a[i] if i < n and a[i].b == c else None`. The C compiler sees it."""


def main() -> None:
    """Build what is not built yet."""
    sources = {path: (ROOT / path).read_text() for path in sorted(found())}
    compiled = [path for path, text in sources.items() if path not in INTERPRETED and has_code(text)]
    manifest = {
        "sources": list(sources),
        "digest": sha256("".join(sources.values()).encode()).hexdigest(),
        "modules": [module_of(path) for path in compiled],
        "made_by": [sys.version, version("mypy"), digest_of(Path(__file__).parent.glob("*.py"))],
    }
    if is_built(manifest):
        print("The native build is up to date.")
        return
    write_sources(sources, compiled)
    extensions = c_written(compiled)
    headers = digest_of(C_FILES.rglob("*.h"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = [file for each in extensions for file in each.sources]
        commands = {file: command_of(each) for each in extensions for file in each.sources}
        objects = dict(
            zip(files, pool.map(lambda file: object_of(file, commands[file], headers), files), strict=True)
        )
        libraries = list(pool.map(lambda each: linked([objects[file] for file in each.sources]), extensions))
    install({each.name: library for each, library in zip(extensions, libraries, strict=True)}, manifest)
    for left in set(OBJECTS.iterdir()).difference(objects.values(), libraries):
        left.unlink()
    print(f"{len(compiled)} modules are native in {COMPILED.relative_to(ROOT)}.")


def found() -> Iterator[str]:
    """The sources that the build depends on."""
    for place in PLACES:
        path = ROOT / place
        for file in [path] if path.is_file() else path.rglob("*.py"):
            yield str(file.relative_to(ROOT))


def has_code(source: str) -> bool:
    """Whether a module is more than its docstring."""
    return any(not isinstance(node, ast.Expr) for node in ast.parse(source).body)


def module_of(path: str) -> str:
    """The module of a source."""
    return "gossamer." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def digest_of(files: Iterable[Path]) -> str:
    """The digest of some files together."""
    return sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()


def is_built(manifest: dict[str, object]) -> bool:
    """Whether what lies there was made of the same."""
    path = COMPILED / "manifest.json"
    return path.exists() and json.loads(path.read_text()) == manifest


def write(path: Path, text: str) -> None:
    """Leaves a file alone that has this text already, so that mypy need not read it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def write_sources(sources: dict[str, str], compiled: list[str]) -> None:
    """The tree that mypyc reads: what is compiled as the transform makes it, all else as it is."""
    shutil.rmtree(TREE, ignore_errors=True)
    for pattern in TYPES:
        for path in ROOT.glob(pattern):
            place = str(path.relative_to(ROOT)).removeprefix("gossamer/")
            write(TREE / "gossamer" / place, path.read_text())
    core = surveyed([sources[path] for path in compiled])
    for path in compiled:
        write(TREE / "gossamer" / path, transformed(sources[path], core))
    write(TREE / "mypy.ini", MYPY)


def c_written(compiled: list[str]) -> list[Extension]:
    """The C files of all modules, as one library and a door to it for each module."""
    shutil.rmtree(C_FILES, ignore_errors=True)
    os.chdir(TREE)
    options = ["--config-file", "mypy.ini", "--cache-dir", str(BUILD / "mypy")]
    extensions: list[Extension] = mypycify(
        [*options, *(f"gossamer/{path}" for path in compiled)],
        opt_level=OPTIMIZED,
        debug_level="0",
        multi_file=True,
        target_dir=str(C_FILES),
        group_name="gossamer",
    )
    freeze()
    return extensions


def freeze() -> None:
    """Take from the records in the C files what would set a field: they are frozen."""
    for file in C_FILES.glob("*.c"):
        text = file.read_text()
        frozen = sorted(set(re.findall(r"CPyDef_(\w+?)_____replace__\(", text)))
        if frozen:
            file.write_text(re.sub(rf"\(setter\)(?:{'|'.join(frozen)})_set_\w+", "NULL", text))


def command_of(extension: Extension) -> list[str]:
    """How its C files are compiled."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC"))
    python = shlex.split(f"{sysconfig.get_config_var('CFLAGS')} {sysconfig.get_config_var('CCSHARED')}")
    folders = [*extension.include_dirs, sysconfig.get_path("include"), str(C_FILES)]
    return [
        *compiler,
        *python,
        *extension.extra_compile_args,
        CHECKED,
        *(f"-I{folder}" for folder in folders),
    ]


def object_of(file: str, command: list[str], headers: str) -> Path:
    """The compiled C file, named by all that it depends on."""
    text = Path(file).read_text()
    name = sha256(repr((text, command, headers if "__native" in text else "")).encode()).hexdigest()
    made = OBJECTS / f"{name[:32]}.o"
    if not made.exists():
        run([*command, "-c", file, "-o"], made)
    return made


def linked(objects: list[Path]) -> Path:
    """The library of these."""
    command = [*shlex.split(sysconfig.get_config_var("LDSHARED")), *map(str, objects), "-o"]
    made = OBJECTS / f"{sha256(repr(command).encode()).hexdigest()[:32]}.so"
    if not made.exists():
        run(command, made)
    return made


def run(command: list[str], made: Path) -> None:
    """Run what makes a file, which is there only when it is whole."""
    made.parent.mkdir(parents=True, exist_ok=True)
    unfinished = made.with_suffix(f".{os.getpid()}")
    subprocess.run([*command, str(unfinished)], check=True)
    unfinished.rename(made)


def install(libraries: dict[str, Path], manifest: dict[str, object]) -> None:
    """Put the libraries where they are found, the manifest last; what was there before goes."""
    new = COMPILED.with_name(COMPILED.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name, library in libraries.items():
        shutil.copyfile(library, new / (name + SUFFIX))
    (new / "manifest.json").write_text(json.dumps(manifest))
    shutil.rmtree(COMPILED, ignore_errors=True)
    new.rename(COMPILED)


if __name__ == "__main__":
    main()
