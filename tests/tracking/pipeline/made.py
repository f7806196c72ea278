"""A pipeline of two stages, and what a run of it did."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs

Script = Callable[..., "subprocess.CompletedProcess[str]"]
STAGES = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [data/raw.csv, prepare.py]
    outs: [data/prepared.csv]
  train:
    cmd: python train.py
    deps: [data/prepared.csv, train.py]
    params: [lr]
    outs: [out/churn.bin]
    metrics:
      - metrics.json: {cache: false}
    plots:
      - curve.csv: {cache: false, x: step, y: loss}
artifacts:
  churn: {path: out/churn.bin, type: model, desc: who leaves, labels: [small], meta: {framework: none}}
"""
FILES = {
    "mlgit.yaml": "project: p\nrun: {metrics: [metrics.json]}\n",
    "dvc.yaml": STAGES,
    "params.yaml": "lr: 0.1  # slow\n",
    "data/raw.csv": "a,b\n",
    "prepare.py": "open('data/prepared.csv', 'w').write(open('data/raw.csv').read().upper())\n",
    "train.py": """\
import json, os, re
lr = float(re.search('lr: ([0-9.]+)', open('params.yaml').read())[1])
os.makedirs('out', exist_ok=True)
open('out/churn.bin', 'w').write(f"{lr} {open('data/prepared.csv').read()}")
json.dump({'accuracy': 1 - lr, 'by': {'class': 2}}, open('metrics.json', 'w'))
open('curve.csv', 'w').write(f'step,loss\\n0,1\\n5,{lr}\\n')
print('trained with', lr)
""",
}


def write(repo: Repo, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = repo.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit(repo: Repo) -> None:
    repo.git("add", "-A")
    repo.git("commit", "-qm", "work")


def newest(repo: Repo) -> Run:
    return runs.complete(repo, query.search(repo).runs[0])


def did(repo: Repo, found: Run) -> dict[str, str]:
    return {name: one["did"] for name, one in runs.provenance(repo, found)["stages"].items()}


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
