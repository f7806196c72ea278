"""Data to an S3 server and back, beside stock DVC with the same server and the same files."""

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
from tests import stores

_FILES = int(float(os.environ.get("MLGIT_BENCH_SCALE", "1")) * 5_000)
_TURNS = 3
_DVC = (sys.executable, "-m", "dvc")
_OURS = (sys.executable, "-m", "mlgit", "data")


def lines() -> Iterator[Line]:
    """Wall time of whole commands, by turns; the cache and the data are gone before each pull."""
    if not stores.has_s3():
        yield Line("no S3 server here: make integrations", "", "", None)
        return
    buckets = tuple(f"{who}{turn}" for who in ("theirs", "ours") for turn in range(_TURNS))
    with tempfile.TemporaryDirectory() as scratch, stores.s3(Path(scratch, "s3"), buckets=buckets) as server:
        project = _project(Path(scratch, "project"), server, buckets)
        commands = {"theirs": _DVC, "ours": _OURS}
        push: dict[str, list[float]] = {who: [] for who in commands}
        pull: dict[str, list[float]] = {who: [] for who in commands}
        for turn in range(_TURNS):
            for who, words in commands.items():
                push[who].append(_seconds(project, *words, "push", "-r", f"{who}{turn}"))
            for who, words in commands.items():
                shutil.rmtree(project / ".dvc/cache")
                shutil.rmtree(project / "data")
                pull[who].append(_seconds(project, *words, "pull", "-r", f"{who}{turn}"))
        yield from _compared("push", push)
        yield from _compared("pull", pull)
        yield figure("nothing to push, dvc push", _seconds(project, *_DVC, "push", "-r", "theirs0"), "s")
        yield figure("  mlgit data push, every object asked for", _seconds(project, *_OURS, "push", "-r", "ours0"), "s")


def _compared(verb: str, took: dict[str, list[float]]) -> Iterator[Line]:
    theirs, ours = (min(took[who]) for who in ("theirs", "ours"))
    yield figure(f"{verb} of {_FILES:,} files, dvc {verb}", theirs, "s")
    yield figure(f"  mlgit data {verb}", ours, "s")
    yield at_most("  against dvc", ours / theirs, 1.1, "×")


def _project(folder: Path, server: stores.S3, buckets: tuple[str, ...]) -> Path:
    repository(folder)
    subprocess.run((*_DVC, "init", "-q"), cwd=folder, check=True)
    for bucket in buckets:
        stores.configure_s3(folder, server, bucket, bucket=bucket)
    (folder / "data").mkdir()
    for number in range(_FILES):
        (folder / "data" / f"{number:05}").write_bytes(number.to_bytes(4, "big") * 500)
    subprocess.run((*_OURS, "add", "data"), cwd=folder, check=True, capture_output=True)
    return folder


def _seconds(folder: Path, *words: str) -> float:
    os.sync()
    began = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return time.perf_counter() - began
