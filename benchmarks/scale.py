"""Repositories of a thousand to a million runs: the index, questions to it, whole commands; others beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import crowd, peers
from benchmarks.measure import Line, at_least, at_most, figure, not_measured, process, times_faster
from benchmarks.start import repository
from mlgit.core import refs
from mlgit.git.repo import Repo
from mlgit.index import build, sharding
from mlgit.store import result
from mlgit.store.telling import Account

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_BATCH = 10_000
_MOVED = 100
"""Branches that are edited before the index is refreshed."""

# In a process of its own: what it needs of memory counts, and nothing is warm that would not be.
_ASK = """
import json, time
from pathlib import Path
from mlgit.core import language
from mlgit.git.repo import Repo
from mlgit.index import build, query
repo = Repo.find(Path("."))
told = {}

def timed(name, question, times=5):
    costs = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        costs.append((time.perf_counter() - began) * 1e3)
    told[name] = sorted(costs)[len(costs) // 2]

wanted = language.parse("lr < 1e-3 and state != failed")
timed("first", lambda: query.search(repo, wanted, ["-val/accuracy"], limit=20), 1)
timed("top", lambda: query.search(repo, wanted, ["-val/accuracy"], limit=20))
timed("newest", lambda: query.search(repo, limit=20))
timed("group", lambda: query.groups(repo, ["optimizer"], ["accuracy"]))
one = query.search(repo, limit=1).runs[0]
timed("find", lambda: query.find(repo, one.branch))
timed("unchanged", lambda: build.ask(repo, lambda connection: None))
# ru_maxrss would be the parent's, where that was larger
told["memory"] = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
told["disk"] = build.file(repo).stat().st_size
print(json.dumps(told))
"""

_BUILD = """
import json, time
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import build
repo = Repo.find(Path("."))
began = time.perf_counter()
build.ask(repo, lambda connection: None)
cost = (time.perf_counter() - began) * 1e3
memory = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"cold": cost, "making": memory}))
"""

# All there is about every run, as each tool's users would ask for it: a table of params and last metrics.
_OURS = """
import json, time
import mlgit, pandas
mlgit.runs(all_projects=True, limit=1).to_pandas()
began = time.perf_counter()
frame = mlgit.runs(all_projects=True).to_pandas()
print(json.dumps([(time.perf_counter() - began) * 1e3, len(frame)]))
"""
_MLFLOW = """
import json, os, time
import mlflow
from mlflow.entities import Metric, Param
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
experiment = client.create_experiment("bench")
for params, metrics in json.load(open("runs.json")):
    run = client.create_run(experiment).info.run_id
    client.log_batch(run, [Metric(key, value, 0, 0) for key, value in metrics.items()],
                     [Param(key, str(value)) for key, value in params.items()])
    client.set_terminated(run)
mlflow.search_runs([experiment], max_results=1)
began = time.perf_counter()
frame = mlflow.search_runs([experiment])
print(json.dumps([(time.perf_counter() - began) * 1e3, len(frame), os.stat("mlflow.db").st_size]))
"""
_TRACKIO = """
import json, os, time
from pathlib import Path
import trackio
from trackio.sqlite_storage import SQLiteStorage
for number, (params, metrics) in enumerate(json.load(open("runs.json"))):
    SQLiteStorage.bulk_log("bench", f"run-{number}", [metrics], config=params)
began = time.perf_counter()
rows = [{**(run.config or {}), **SQLiteStorage.get_logs("bench", run.name, run_id=run.id)[-1]}
        for run in trackio.Api().runs("bench")]
cost = (time.perf_counter() - began) * 1e3
size = sum(path.stat().st_size for path in Path(os.environ["TRACKIO_DIR"]).rglob("*.db*"))
print(json.dumps([cost, len(rows), size]))
"""
_DVC = """
import json, subprocess, time
for number in range({count}):
    open("params.yaml", "w").write(f"lr: {{number}}\\n")
    open("metrics.json", "w").write(json.dumps({{"accuracy": number}}))
    subprocess.run(("dvc", "exp", "save", "-q", "-f", "-n", f"run-{{number}}"), check=True)
subprocess.run(("git", "checkout", "-q", "."), check=True)
began = time.perf_counter()
subprocess.run(("dvc", "exp", "show", "--json"), check=True, capture_output=True)
print(json.dumps([(time.perf_counter() - began) * 1e3, {count}]))
"""
_DVC_RUNS = 30


def measured(folder: Path, count: int) -> dict[str, float]:
    """The figures of a repository of *count* runs, which is made in *folder*: milliseconds, bytes, megabytes."""
    began = time.perf_counter()
    repo = crowd.build(folder, count)
    told = {"build": (time.perf_counter() - began) * 1e3, "packed": _packed(repo) / count}
    os.utime(repo.common_dir / "packed-refs", (0, 0))  # as in a repository that was not made a moment ago
    tips = "\n".join(repo.refs(refs.RUNS).values()).encode()
    began = time.perf_counter()
    words = ("git", "cat-file", "--batch", "--buffer")
    subprocess.run(words, cwd=folder, input=tips, stdout=subprocess.DEVNULL, check=True)
    told["git"] = (time.perf_counter() - began) * 1e3
    for script in (_BUILD, _ASK):
        done = subprocess.run((sys.executable, "-c", script), cwd=folder, check=True, capture_output=True, env=_env())
        told |= json.loads(done.stdout)
    told["ls"] = process((sys.executable, "-m", "mlgit", "ls", "--all"), folder=folder, runs=5, env=_env()).wall
    _edit(repo)
    told["refreshed"] = _once(folder, "ls", "--all")
    return told | _archived(repo)


def _archived(repo: Repo) -> dict[str, float]:
    """The figures of *repo* when all its runs are archived."""
    crowd.fold(repo)
    began = time.perf_counter()
    sharding.keep_up(repo)
    told = {"keeping": (time.perf_counter() - began) * 1e3}
    os.utime(repo.common_dir / "packed-refs", (0, 0))
    build.forget(repo)
    done = subprocess.run((sys.executable, "-c", _BUILD), cwd=repo.folder, check=True, capture_output=True, env=_env())
    told["archived"] = json.loads(done.stdout)["cold"]
    fresh = repo.folder.with_name("fresh")
    subprocess.run(("git", "clone", "-q", str(repo.folder), str(fresh)), check=True)
    return told | {"pull": _once(fresh, "pull"), "answer": _once(fresh, "ls", "--all")}


def _once(folder: Path, *words: str) -> float:
    """What `mlgit WORDS` takes the first time, in milliseconds."""
    began = time.perf_counter()
    subprocess.run((sys.executable, "-m", "mlgit", *words), cwd=folder, check=True, capture_output=True, env=_env())
    return (time.perf_counter() - began) * 1e3


def _edit(repo: Repo) -> None:
    """Give a hundred branches a tip of their own: the run of another branch, under a tag of its own."""
    lines = []
    for ref, tip in list(repo.refs(refs.RUNS).items())[:: max(1, len(repo.refs(refs.RUNS)) // _MOVED)][:_MOVED]:
        raw = repo.git("cat-file", "commit", tip)
        edited = raw.replace('"params":', '"notes":"edited","params":')
        commit = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=edited.encode())
        lines.append(f"update {ref} {commit}\n")
    repo.git("update-ref", "--stdin", stdin="".join(lines).encode())


def _packed(repo: Repo) -> int:
    return sum(path.stat().st_size for path in (repo.git_dir / "objects/pack").glob("*.pack"))


def _env() -> dict[str, str]:
    return {**os.environ, "MLGIT_SILENT": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}


def lines() -> Iterator[Line]:
    """Wall time, each size in a fresh repository; the peers on a thousand runs."""
    for count in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            yield from _of(count, measured(Path(scratch) / "repo", count))
    with tempfile.TemporaryDirectory() as scratch:
        yield at_most(f"{_BATCH:,} runs recorded together, each", _recorded(Path(scratch) / "repo"), 2, "ms")
    with tempfile.TemporaryDirectory() as scratch:
        yield from _beside_peers(Path(scratch))


def _recorded(folder: Path) -> float:
    """What a run costs that is recorded among very many, durable, in milliseconds."""
    repository(folder)
    repo = Repo.find(folder)
    assert repo
    source = repo.resolve("HEAD")
    assert source
    accounts = [Account(run=run) for run in crowd.runs(_BATCH, source)]
    began = time.perf_counter()
    made = list(result.record_all(repo, accounts))
    cost = time.perf_counter() - began
    assert len(repo.refs(refs.RUNS)) == len(made) == _BATCH
    return cost / _BATCH * 1e3


def _of(count: int, told: Mapping[str, float]) -> Iterator[Line]:
    at = f"{count:,} runs: "
    if count > SIZES[0]:
        yield at_least(f"{at}cold index", count / told["cold"] * 1e3, 20_000, "runs/s")
        yield at_most(f"{at}  beside git cat-file over the same tips", told["cold"] / told["git"], 3, "×")
    else:
        yield figure(f"{at}cold index", told["cold"], "ms")
    yield figure(f"{at}cold index of as many archived", told["archived"], "ms")
    yield figure(f"{at}  mlgit pull of them into a fresh clone", told["pull"], "ms")
    yield figure(f"{at}  its first mlgit ls", told["answer"], "ms")
    million = count >= SIZES[-1]
    yield at_most(f"{at}top 20 by a metric with a filter, the first time", told["first"], 1500, "ms")
    yield at_most(f"{at}  again", told["top"], 100 if million else 30, "ms")
    yield at_most(f"{at}count and mean by group", told["group"], 600, "ms")
    yield figure(f"{at}a run by its branch", told["find"], "ms")
    yield at_most(f"{at}memory of a process that asked all this", told["memory"], 300, "MB")
    yield (
        at_most(f"{at}mlgit ls, whole process", told["ls"], 600, "ms")
        if not million
        else figure(f"{at}mlgit ls, whole process", told["ls"], "ms")
    )
    yield at_most(f"{at}  after {_MOVED} branches were edited: more", told["refreshed"] - told["ls"], 400, "ms")
    yield figure(f"{at}bytes a run, packed", told["packed"], "B")
    yield figure(f"{at}bytes a run in the index", told["disk"] / count, "B")


def _beside_peers(scratch: Path) -> Iterator[Line]:
    count = SIZES[0]
    repo = crowd.build(scratch / "repo", count)
    (scratch / "runs.json").write_text(
        json.dumps([(dict(run.params), dict(run.metrics)) for run in crowd.runs(count, "")])
    )
    ours, rows = _told(sys.executable, _OURS, repo.folder)
    assert rows == count
    repo.git("repack", "-adfq")
    size = _packed(repo) / count
    yield figure(f"all of {count:,} runs as a table, mlgit", ours, "ms")
    for name, script, least in (("mlflow", _MLFLOW, 10), ("trackio", _TRACKIO, 10)):
        if not (program := peers.interpreter(name)):
            yield not_measured(f"  mlgit against {name}")
            continue
        theirs, rows, bytes_ = _told(program, script, scratch)
        assert rows == count
        yield figure(f"  {name}", theirs, "ms")
        yield times_faster(f"  mlgit against {name}", ours, theirs, least)
        yield at_most(f"  bytes a run, packed, mlgit against {name}'s {bytes_ / count:.0f}", size, bytes_ / count, "B")
    yield from _beside_dvc(scratch / "dvc", ours / count)


def _beside_dvc(folder: Path, ours: float) -> Iterator[Line]:
    if not (program := peers.interpreter("dvclive")):
        yield not_measured("  mlgit against dvc exp show")
        return
    repository(folder)
    for words in (
        (f"{Path(program).parent}/dvc", "init", "-q"), ("git", "add", "-A"), ("git", "commit", "-qm", "dvc"),
    ):  # fmt: skip
        subprocess.run(words, cwd=folder, check=True, capture_output=True, env=_dvc(program))
    (folder / "dvc.yaml").write_text("params: [params.yaml]\nmetrics: [metrics.json]\n")
    (folder / "params.yaml").write_text("lr: 0\n")
    (folder / "metrics.json").write_text('{"accuracy": 0}')
    subprocess.run(("git", "add", "-A"), cwd=folder, check=True)
    subprocess.run(("git", "commit", "-qm", "files"), cwd=folder, check=True, env=_dvc(program))
    theirs, rows = _told(program, _DVC.format(count=_DVC_RUNS), folder, _dvc(program))
    yield figure(f"  dvc exp show of {_DVC_RUNS}, a run", theirs / rows, "ms")
    yield times_faster("  mlgit against dvc exp show, a run", ours, theirs / rows, 50)


def _dvc(program: str) -> dict[str, str]:
    who = {f"GIT_{role}_{part}": "bench@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return {
        **os.environ,
        **who,
        "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }


def _told(program: str, script: str, folder: Path, env: Mapping[str, str] | None = None) -> list[float]:
    """What a program says last, as JSON."""
    beside = {"TRACKIO_DIR": str(folder / "trackio"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        (program, "-c", script),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**_env(), **(env or {}), **beside},
    )
    found: list[float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
