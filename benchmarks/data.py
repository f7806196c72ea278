"""Data: what is added, added again and looked at, beside stock DVC on the same trees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, figure
from benchmarks.start import repository

SCALE = float(os.environ.get("MLGIT_BENCH_SCALE", "1"))
"""Of the sizes below: 0.05 for a quick look, whose bars mean little."""
_BYTES = int(SCALE * (2 << 30))
_FILES = int(SCALE * 50_000)
_MANY = int(SCALE * 100_000)
_DVC = (sys.executable, "-m", "dvc")
_OURS = (sys.executable, "-m", "mlgit", "data")


def lines() -> Iterator[Line]:
    """Wall time of whole commands, by turns, each on a tree and a cache of its own; the disk is synced before each."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("MLGIT_BENCH_DIR")) as scratch:
        top = Path(scratch)
        one = top / "one.bin"
        _write(one, _BYTES)
        yield from _added(top, one, f"a file of {_BYTES / (1 << 30):.2g} GB")
        one.unlink()
        many = top / "many"
        _fill(many, _FILES)
        yield from _added(top, many, f"{_FILES:,} files")
        yield from _unchanged(top, many)
        yield from _used(top, many)
        shutil.rmtree(many)
        _fill(many, _MANY)
        yield from _large(top, many)


def _added(top: Path, data: Path, what: str) -> Iterator[Line]:
    theirs, ours = list[float](), list[float]()
    for _ in range(3):
        theirs.append(_seconds(_project(top, data), *_DVC, "add", "-q", data.name))
        ours.append(_seconds(_project(top, data), *_OURS, "add", data.name))
    yield figure(f"{what}, dvc add", min(theirs), "s")
    yield figure("  mlgit data add", min(ours), "s")
    yield at_most("  mlgit data add against dvc add", min(ours) / min(theirs), 1.15, "×")


def _unchanged(top: Path, data: Path) -> Iterator[Line]:
    folder = _project(top, data)
    _seconds(folder, *_OURS, "add", data.name)
    _seconds(folder, *_OURS, "add", data.name)  # files of a moment ago are read once more
    again = min(_seconds(folder, *_OURS, "add", data.name) for _ in range(5))
    status = min(_seconds(folder, *_OURS, "status") for _ in range(5))
    yield at_most(f"{_FILES:,} files unchanged, mlgit data add again", again, 1, "s")
    yield at_most("  mlgit data status", status, 1, "s")
    yield figure("  dvc add again", _seconds(folder, *_DVC, "add", "-q", data.name), "s")
    yield figure("  dvc status", _seconds(folder, *_DVC, "status", "-q"), "s")


_USE = """
import time, mlgit
run = mlgit.init(mode="offline", settings=mlgit.Settings(quiet=True, console="off"))
begun = time.perf_counter()
data = run.use_artifact("many:latest")
used = time.perf_counter()
data.download("there")
print(used - begun, time.perf_counter() - used)
"""


def _used(top: Path, data: Path) -> Iterator[Line]:
    """By scripts, each a process of its own, with bytecode as an installation has it."""
    folder = _project(top, data)
    _seconds(folder, *_OURS, "add", data.name)
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(top / "bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    found = []
    for _ in range(8):
        words = (sys.executable, "-c", _USE)
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=True)
        found.append(tuple(map(float, done.stdout.split())))
    uses, downloads = zip(*found, strict=True)
    yield at_most(f"use_artifact of {_FILES:,} files, after init", 1e3 * min(uses), 50, "ms")
    yield figure("  download, the first time", downloads[0], "s")
    yield figure("  download of what lies there unchanged", min(downloads[1:]), "s")


def _large(top: Path, data: Path) -> Iterator[Line]:
    """A hundred thousand files, all of them in one folder."""
    folder = _project(top, data)
    yield figure(f"{_MANY:,} files, mlgit data add", _seconds(folder, *_OURS, "add", data.name), "s")
    for number in range(0, _MANY, 10):
        (folder / data.name / f"{number}").write_text("changed")
    yield figure("  a tenth of them changed, again", _seconds(folder, *_OURS, "add", data.name), "s")
    name = f"{data.name}@v"
    yield figure("  mlgit data diff", _seconds(folder, *_OURS, "diff", f"{name}0", f"{name}1"), "s")
    yield figure("  mlgit data checkout", _seconds(folder, *_OURS, "checkout", f"{name}0"), "s")
    yield figure("  mlgit data status", _seconds(folder, *_OURS, "status"), "s")
    peak = _peak(folder, *_OURS, "status")
    yield figure("  its memory at the most", peak, "MB")


def _project(top: Path, data: Path) -> Path:
    """A DVC project with a copy of *data* in it, and nothing else; the one before goes."""
    folder = top / "project"
    shutil.rmtree(folder, ignore_errors=True)
    repository(folder)
    subprocess.run((*_DVC, "init", "-q"), cwd=folder, check=True)
    subprocess.run(("cp", "-r", data, folder / data.name), check=True)
    os.sync()
    return folder


def _seconds(folder: Path, *words: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return time.perf_counter() - began


def _peak(folder: Path, *words: str) -> float:
    """The most memory that a process of *words* had, in megabytes."""
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_maxrss / 1024


def _write(path: Path, size: int) -> None:
    block = os.urandom(16 << 20)
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(start.to_bytes(8, "big") + block[8 : min(len(block), size - start)])


def _fill(folder: Path, count: int) -> None:
    """*count* files of a kilobyte, all in one folder where they are very many, else in fifty."""
    for number in range(count):
        path = folder / (f"{number}" if count > _FILES else f"{number % 50:02}/{number:06}.bin")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(8, "big") * 128)
