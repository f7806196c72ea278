"""A repository of very many runs, like real ones, made in seconds: what figures at scale are measured on.

python -m benchmarks.crowd 100000 /tmp/crowd
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.start import repository
from mlgit.core import refs
from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.store import archive, files, records, result
from mlgit.store import runs as stored
from mlgit.tracking import names

_BEGIN = 1_700_000_000.0
"""When the first run began, in seconds since the epoch; the last one began two years later."""
_SPAN = 2 * 365 * 86400.0
_PROJECTS = ("digits", "ranking", "speech", "churn", "vision")
_STATES = (State.FINISHED,) * 18 + (State.FAILED, State.CRASHED)
_TAGS = ((),) * 6 + (("baseline",), ("baseline", "ablation"), ("paper",), ("todo",))
_SEEDS = 5
"""Runs of one group, which differ in their seed alone."""


def build(
    folder: Path, count: int, *, seed: int = 0, told: Callable[[Iterator[Run]], Iterator[Run]] = lambda some: some
) -> Repo:
    """A new repository in *folder* with *count* runs of five params and five metrics each, the same for one *seed*.

    What else they say, *told* adds.
    """
    repository(folder)
    repo = Repo.find(folder)
    assert repo
    source = repo.resolve("HEAD")
    assert source
    marks = repo.git_dir / "crowd-marks"
    words = ("git", "fast-import", "--quiet", f"--export-marks={marks}", "--max-pack-size=4g")
    branches: list[str] = []
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE) as importing:
        assert importing.stdin
        for number, run in enumerate(told(runs(count, source, seed=seed)), 1):
            branches.append(refs.run_ref(run.project, run.name, run.id))
            importing.stdin.write(_commit(run, number, source))
        importing.stdin.close()
    if importing.returncode:
        raise SystemExit("git fast-import failed")
    tips = dict(line.split() for line in marks.read_text().splitlines())
    found = sorted((branch, tips[f":{number}"]) for number, branch in enumerate(branches, 1))
    packed = "".join(f"{tip} {branch}\n" for branch, tip in found)
    (repo.git_dir / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{packed}")
    repo.git("update-ref", "-d", _SCRATCH)
    marks.unlink()
    return repo


def fold(repo: Repo) -> None:
    """Archive all runs of *repo* at once, in place of all its refs; `mlgit archive` does so a thousand at a time."""
    tips = repo.refs(refs.RUNS)
    listed: dict[str, dict[str, str | None]] = defaultdict(dict)
    with repo.reader() as reader:
        for ref, _, content in stored.contents(reader, tips.items()):
            assert content
            listed[str(refs.month(ref, content["created"]))][archive.name_of(ref)] = tips[ref]
    months = archive.write(repo, {}, {month: {} for month in listed}, listed, why="archive all")
    packed = "".join(f"{tip} {month}\n" for month, tip in sorted(months.items()))
    (repo.git_dir / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{packed}")


def runs(count: int, source: str, *, seed: int = 0) -> Iterator[Run]:
    """The runs themselves, in the order of time: groups of equal params, accuracies that depend on them."""
    rng = random.Random(seed)
    group: dict[str, object] = {}
    for number in range(count):
        if number % _SEEDS == 0:
            group = {
                "lr": 10 ** rng.uniform(-5, -1), "batch_size": 2 ** rng.randint(3, 9), "depth": rng.randint(1, 24),
                "optimizer": rng.choice(("adam", "sgd", "adamw", "lion")),
            }  # fmt: skip
        accuracy = 1 - abs(math.log10(float(group["lr"])) + 3) / 8 - rng.expovariate(20)
        created = _BEGIN + _SPAN * number / count
        yield Run(
            id=names.run_id(rng), name=names.run_name(rng), project=rng.choice(_PROJECTS), state=rng.choice(_STATES),
            created=created, finished=created + rng.uniform(5, 50_000), group=f"group-{number // _SEEDS}",
            tags=rng.choice(_TAGS), source=source,
            params={**group, "seed": number % _SEEDS},
            metrics={
                "accuracy": accuracy, "loss": -math.log(max(accuracy, 1e-3)), "val/loss": rng.random(),
                "val/accuracy": accuracy - rng.random() / 50, "epoch": rng.randint(1, 300),
            },
        )  # fmt: skip


_SCRATCH = "refs/crowd/tip"


def _commit(run: Run, mark: int, source: str) -> bytes:
    """The run's result commit as git-fast-import(1) takes it."""
    text = result.message(run).encode()
    who = f"Ada <ada@example.com> {int(run.finished or 0)} +0000"
    parts = [f"commit {_SCRATCH}\nmark :{mark}\ncommitter {who}\ndata {len(text)}\n".encode(), text]
    parts.append(f"\nfrom {source}\n".encode())
    for path, content in files.documents(run, {}).items():
        raw = content.encode()
        parts += (f"M 100644 inline {records.FOLDER}/{path}\ndata {len(raw)}\n".encode(), raw, b"\n")
    return b"".join(parts)


if __name__ == "__main__":
    began = time.perf_counter()
    made = build(Path(sys.argv[2]), int(sys.argv[1]))
    size = sum(path.stat().st_size for path in (made.git_dir / "objects/pack").glob("*.pack"))
    print(f"{sys.argv[1]} runs in {time.perf_counter() - began:.1f} s, {size / int(sys.argv[1]):.0f} bytes a run")
