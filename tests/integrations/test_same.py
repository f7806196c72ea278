"""A script run with W&B itself (offline, then imported) and with mlgit behind its name: the same params and history."""

from __future__ import annotations

import importlib.util
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
from tests.conftest import make_repo, need

SCRIPTS = Path(__file__).parent / "scripts"


def numbers(repo: Repo, run: Run) -> dict[str, list[float]]:
    """Its history, without W&B's own words for files, counts and steps."""
    found = {name: list(series.values) for name, series in runs.history(repo, run).items()}
    own = ("size", "width", "height", "ncols", "nrows", "log_mode", "count", "_latest_artifact_path")
    return {name: values for name, values in found.items() if name.rpartition(".")[2] not in own}


@pytest.mark.parametrize(
    ("script", "needs"),
    [
        ("boosting.py", "xgboost lightgbm sklearn pandas"),
        ("cnn_digits.py", "torch sklearn"),
        ("lightning_digits.py", "lightning torch sklearn"),
        ("sklearn_digits.py", "sklearn pandas"),
    ],
)
def test_both_leave_the_same(
    tmp_path: Path, python: Callable[..., Any], mlgit: Callable[..., Any], script: str, needs: str
):
    for library in ("wandb", *needs.split()):
        need(library, importlib.util.find_spec(library) is not None)
    theirs, ours = make_repo(tmp_path / "theirs"), make_repo(tmp_path / "ours")
    env = {**os.environ, "MPLBACKEND": "agg", "CUDA_VISIBLE_DEVICES": ""}
    for repo in (theirs, ours):
        shutil.copy(SCRIPTS / script, repo.folder)
    python(script, cwd=theirs.folder, env={**env, "WANDB_MODE": "offline", "WANDB_SILENT": "true"})
    mlgit("import", "wandb", "wandb", cwd=theirs.folder)
    mlgit("run", "--wandb", "--", sys.executable, script, cwd=ours.folder, env=env)
    left = {(run.job_type, run.tags): run for run in query.runs(theirs)}
    right = {(run.job_type, run.tags): run for run in query.runs(ours)}

    assert left.keys() == right.keys()
    for key, run in left.items():
        assert right[key].params == run.params
        wanted, found = numbers(theirs, run), numbers(ours, right[key])
        assert found.keys() == wanted.keys()
        for name, values in wanted.items():
            assert found[name] == pytest.approx(values, rel=1e-3), name
