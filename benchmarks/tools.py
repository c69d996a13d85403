"""What the benchmarks need besides this package: small programs in C and Go, Bun, Centrifugo, packages for Node and Python. All of it outside git, in .cache/bench."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "CACHE",
    "HERE",
    "Missing",
    "built",
    "bun",
    "centrifugo",
    "compiled",
    "from_npm",
    "from_pypi",
    "node",
    "unpacked",
]

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "bench"
BUN = "bun@1.4.5"
CENTRIFUGO = "github.com/centrifugal/centrifugo/v6@v6.9.1"

_COMPILING = 900.0
"""Seconds that Go may take: on two cores, a large program takes minutes the first time."""


class Missing(Exception):
    """This machine lacks something; the message says what, for the table."""


def _run(command: list[str], within: float = 300, **settings: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=within, **settings)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"{command[0]} failed: {' '.join(last)}")


def compiled(source: Path) -> Path:
    """The program that this C file makes, compiled again when the file is newer."""
    program = CACHE / source.stem
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise Missing("no C compiler")
        CACHE.mkdir(parents=True, exist_ok=True)
        # Under a name of its own until it is whole: two runs may compile at a time.
        draft = program.with_suffix(f".{os.getpid()}")
        _run([compiler, "-O2", "-o", str(draft), str(source)])
        draft.rename(program)
    return program


def built(package: Path) -> Path:
    """The program that this folder makes, a package of a Go module, made again when a file of it is newer."""
    program = CACHE / "go" / package.name
    newest = max(file.stat().st_mtime for file in (*package.parent.rglob("*.go"), package.parent / "go.mod"))
    if not program.exists() or program.stat().st_mtime < newest:
        program.parent.mkdir(parents=True, exist_ok=True)
        draft = program.with_suffix(f".{os.getpid()}")
        _run([_go(), "build", "-o", str(draft), "."], _COMPILING, cwd=package)
        draft.rename(program)
    return program


def centrifugo() -> Path:
    """Centrifugo's binary, made from the module that its authors publish."""
    program = CACHE / "go" / "centrifugo"
    if not program.exists():
        _run([_go(), "install", CENTRIFUGO], _COMPILING, env={**os.environ, "GOBIN": str(program.parent)})
    return program


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise Missing("no Go")
    return go


def unpacked(revision: str, folder: Path) -> Path:
    """The tree of a revision of this repository, in a folder of its own."""
    repository = ["git", "-C", str(HERE.parent)]
    named = subprocess.run(
        [*repository, "rev-parse", "--verify", f"{revision}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if named.returncode:
        raise Missing(f"git knows no revision {revision}")
    tree = folder / named.stdout.strip()
    if not tree.exists():
        draft = tree.with_suffix(f".{os.getpid()}")
        draft.mkdir(parents=True)
        packed = draft.with_suffix(".tar")
        _run([*repository, "archive", "--output", str(packed), named.stdout.strip()])
        with tarfile.open(packed) as archive:
            archive.extractall(draft, filter="data")
        packed.unlink()
        draft.rename(tree)
    return tree


def bun() -> Path:
    """Bun's binary, from the npm registry."""
    return from_npm(BUN) / ".bin" / "bun"


def from_npm(package: str) -> Path:
    """A folder for NODE_PATH that holds this package, `name@version`."""
    folder = CACHE / "npm" / "node_modules"
    if not (folder / package.partition("@")[0]).exists():
        if shutil.which("npm") is None:
            raise Missing("no npm to install with")
        _run(["npm", "install", "--prefix", str(CACHE / "npm"), "--no-audit", "--no-fund", package])
    return folder


def node() -> str:
    """Node's binary."""
    found = shutil.which("node")
    if found is None:
        raise Missing("no Node")
    return found


def from_pypi(name: str, requirements: Sequence[str]) -> Path:
    """A folder for PYTHONPATH of this name that holds these packages and what they need."""
    folder = CACHE / "pypi" / name
    if not folder.exists():
        draft = folder.with_suffix(f".{os.getpid()}")
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(draft), *requirements])
        draft.rename(folder)
    return folder
