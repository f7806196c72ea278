"""Pipelines made again: every stage that the results rest on runs, or the verdict says which did not."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs

Mlgit = Callable[..., Any]

FILES = {
    "mlgit.yaml": "project: p\n",
    ".gitignore": "/log.txt\n",
    "dvc.yaml": """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py]
    outs: [words.txt]
  train:
    cmd: python train.py
    deps: [words.txt, train.py]
    params: [lr]
    outs: [model.txt]
    metrics: [metrics.json: {cache: false}]
    plots: [curve.csv: {cache: false, x: step}]
""",
    "params.yaml": "lr: 0.1\n",
    "prepare.py": "open('words.txt', 'w').write('A B')\n",
    "train.py": """\
import json, re, mlgit
run = mlgit.init()
lr = float(re.search('lr: ([0-9.]+)', open('params.yaml').read())[1])
for step in range(3):
    run.log({'loss': lr / (step + 1)})
open('model.txt', 'w').write(f"{lr} {open('words.txt').read()}")
json.dump({'accuracy': 1 - lr}, open('metrics.json', 'w'))
open('curve.csv', 'w').write(f"step,loss\\n0,{lr}\\n7,{lr / 2}\\n")  # not as it was logged
""",
}


@pytest.fixture
def pipeline(inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name, text in FILES.items():
        (inside.folder / name).write_text(text)
    mlgit("init")
    commit(inside)
    return inside


def commit(repo: Repo) -> None:
    repo.git("add", "-A"), repo.git("commit", "-qm", "work")


def did(repo: Repo, run: Run) -> dict[str, str]:
    return {name: one["did"] for name, one in runs.provenance(repo, run)["stages"].items()}


def test_stages_that_were_skipped_run_when_their_run_is_made_again(pipeline: Repo, mlgit: Mlgit) -> None:
    mlgit("run", "-n", "ran"), mlgit("run", "-n", "skipped")
    assert did(pipeline, query.find(pipeline, "skipped")) == {"prepare": "unchanged", "train": "unchanged"}

    done = mlgit("reproduce", "skipped")

    assert "bitwise: skipped, made again" in done.stdout
    assert "  skipped then, and run now: prepare, train" in done.stdout
    assert did(pipeline, query.find(pipeline, "skipped-again")) == {"prepare": "ran", "train": "ran"}


def test_what_a_frozen_stage_made_is_brought_and_said_not_to_be_made_again(pipeline: Repo, mlgit: Mlgit) -> None:
    mlgit("run", "-n", "ran")
    file = pipeline.folder / "dvc.yaml"
    file.write_text(file.read_text().replace("  prepare:\n", "  prepare:\n    frozen: true\n"))
    (pipeline.folder / "prepare.py").write_text("raise SystemExit('shall not run')")
    commit(pipeline)
    mlgit("run", "-n", "frozen", "-p", "lr=0.2")
    frozen = query.find(pipeline, "frozen")
    assert (list(frozen.data), did(pipeline, frozen)) == (["words.txt"], {"prepare": "unchanged", "train": "ran"})

    found = json.loads(mlgit("reproduce", "frozen", "--json").stdout)

    assert (found["verdict"], found["skipped_then"], found["skipped_now"]) == ("bitwise", [], ["prepare"])


def test_stages_need_no_dvc_on_the_path(pipeline: Repo, mlgit: Mlgit, tmp_path: Path) -> None:
    mlgit("run", "-n", "ran")
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))

    done = mlgit("reproduce", "ran", "--check", "--json", env={**os.environ, "PATH": str(tmp_path / "bin")})

    assert json.loads(done.stdout)["missing"] == []


EVALUATE = """\
  evaluate:
    cmd: python -c "open('score.json', 'w').write(str(len(open('model.txt').read())))"
    deps: [model.txt]
    metrics: [score.json: {cache: false}]
"""


def test_stages_that_a_command_calls_take_nothing_from_a_cache_or_the_verdict_says_what(
    pipeline: Repo, mlgit: Mlgit, python: Mlgit, tmp_path: Path
) -> None:
    (pipeline.folder / "dvc.yaml").write_text(FILES["dvc.yaml"] + EVALUATE)
    python("-m", "dvc", "cache", "dir", str(tmp_path / "shared"))
    python("-m", "dvc", "repro", "-q")
    commit(pipeline)
    (pipeline.folder / "params.yaml").write_text("lr: 0.2\n")
    mlgit("run", "-n", "trained", "--", "sh", "-c", "python -m dvc repro -q")
    mlgit("run", "-n", "skipped", "--", "sh", "-c", "python -m dvc repro -q")

    trained = json.loads(mlgit("reproduce", "trained", "--json").stdout)
    skipped = mlgit("reproduce", "skipped", check=False)

    assert (trained["verdict"], trained["same"]["points"], trained["not_made_again"]) == ("bitwise", 3, [])
    assert "  not made again: score.json; what lay there is taken as it was then" in skipped.stdout


def test_metrics_beside_the_stages_that_none_of_them_wrote_are_not_called_made_again(
    pipeline: Repo, mlgit: Mlgit
) -> None:
    (pipeline.folder / "dvc.yaml").write_text(f"{FILES['dvc.yaml']}metrics: [human.json, log.json]\n")
    (pipeline.folder / "human.json").write_text('{"rating": 3}')
    (pipeline.folder / "log.json").write_text('{"runs": 0}')
    train = f"{FILES['train.py']}json.dump({{'runs': 1}}, open('log.json', 'w'))\n"
    (pipeline.folder / "train.py").write_text(train)
    commit(pipeline)
    mlgit("run", "-n", "first")

    done = json.loads(mlgit("reproduce", "first", "--json").stdout)

    assert (done["verdict"], done["not_made_again"]) == ("bitwise", ["human.json"])
