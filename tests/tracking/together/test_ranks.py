"""PyTorch in two processes: the first owns the run, the other takes part."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need

Script = Callable[..., "subprocess.CompletedProcess[str]"]

TRAIN = """
import os, sys, torch.distributed as dist, torch.multiprocessing as mp, mlgit

def train(rank, size, **wanted):
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    dist.init_process_group("gloo", rank=rank, world_size=size, init_method=os.environ.get("INIT"))
    run = mlgit.init(name="ddp", config={"lr": 0.1, "rank": rank}, **wanted)
    for step in range(5):
        run.log({"loss": step + 10 * rank})
    run.summary["done"] = rank
    dist.barrier()
    mlgit.finish()
    dist.destroy_process_group()
"""
TORCHRUN = f"{TRAIN}train(int(os.environ['RANK']), int(os.environ['WORLD_SIZE']))\n"
SPAWN = TRAIN + "if __name__ == '__main__':\n    mp.spawn(train, args=(2,), nprocs=2)\n"


@pytest.fixture(autouse=True)
def torch() -> None:
    need("torch", importlib.util.find_spec("torch") is not None)


def run_it(repo: Repo, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    (repo.folder / "train.py").write_text(code)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3]),
           "INIT": "env://" if words else f"file://{repo.folder.parent}/rendezvous"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, *words, "train.py"], cwd=repo.folder, env=env, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def steps(repo: Repo, name: str) -> list[tuple[int, float]]:
    (run,) = query.runs(repo)
    series = runs.history(repo, run)[name]
    return list(zip(series.steps, series.values, strict=True))


LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize(("code", "words"), [(TORCHRUN, LAUNCH), (SPAWN, ())], ids=["torchrun", "spawn"])
def test_the_other_ranks_take_part_in_the_run_of_the_first(repo: Repo, code: str, words: tuple[str, ...]):
    run_it(repo, code, *words)
    (run,) = query.runs(repo)

    assert run.name == "ddp"
    assert dict(run.params) == {"lr": 0.1, "rank": 0}
    assert steps(repo, "loss") == [(step, step) for step in range(5)]
    assert steps(repo, "rank1/loss") == [(step, step + 10) for step in range(5)]
    assert (run.metrics["done"], run.metrics["rank1/done"]) == (0, 1)
    assert not list((repo.own / "ranks").iterdir())


def test_runs_that_the_first_rank_has_for_itself_do_not_part_them(repo: Repo):
    code = TRAIN.replace(
        "    run = mlgit.init(", "    alone(rank)\n    dist.barrier()\n    run = mlgit.init(", 1
    ).replace(
        "def train(", "def alone(rank):\n    if rank == 0:\n        mlgit.init(name='alone').finish()\n\ndef train(", 1
    )
    run_it(repo, f"{code}train(int(os.environ['RANK']), int(os.environ['WORLD_SIZE']))\n", *LAUNCH)

    assert {run.name: dict(run.metrics) for run in query.runs(repo)} == {
        "alone": {}, "ddp": {"loss": 4, "done": 0, "rank1/loss": 14, "rank1/done": 1},
    }  # fmt: skip


def test_inside_of_mlgit_run_all_take_part_in_it(repo: Repo):
    run_it(repo, TORCHRUN, "-m", "mlgit", "run", "-n", "whole", "--", sys.executable, *LAUNCH)
    (run,) = query.runs(repo)

    assert run.name == "whole"
    assert steps(repo, "loss") == [(step, step) for step in range(5)]
    assert steps(repo, "rank1/loss") == [(step, step + 10) for step in range(5)]


def test_with_a_group_each_rank_has_a_run_of_its_own(repo: Repo):
    run_it(repo, TORCHRUN.replace('name="ddp"', 'group="g"'), *LAUNCH)
    found = query.runs(repo)

    assert sorted(run.metrics["loss"] for run in found) == [4, 14]
    assert {run.group for run in found} == {"g"}


def test_a_rank_that_finds_no_run_records_its_own(repo: Repo, python: Script):
    env = {**os.environ, "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    code = "import mlgit\nmlgit.init(settings=mlgit.Settings(init_timeout=0.1)).log({'a': 1})"
    done = python("-c", code, cwd=repo.folder, env=env)

    assert "rank 1 records its own" in done.stderr
    assert [dict(run.metrics) for run in query.runs(repo)] == [{"a": 1}]
