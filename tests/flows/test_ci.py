"""From a commit that asks for a sweep to its runs on the remote, by the commands that CI's jobs call."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from mlgit.core import refs
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.sweeps import record as sweeps
from tests.ci import handing

Mlgit = Callable[..., subprocess.CompletedProcess[str]]
_SWEEP = "program: t.sh\ncommand: [sh, '${program}', '${args}']\nmethod: grid\nparameters: {lr: {values: [0.1, 0.2]}}\n"
_PROGRAM = 'echo "{\\"loss\\": ${1#--lr=}}" > metrics.json\ntest "$1" != --lr=0.2 || test -e "$MENDED"\n'


def test_a_commit_becomes_runs_and_what_failed_goes_on_when_its_job_is_begun_again(
    tmp_path: Path, mlgit: Mlgit
) -> None:
    place = handing.make(tmp_path, {"lr.yaml": _SWEEP, "t.sh": _PROGRAM})
    mlgit("commit", "-m", "Search", "--sweep", "lr.yaml", "--push", cwd=place.here.folder)
    job, collecting = (handing.clone(place.far, tmp_path / name) for name in ("a job", "the last job"))
    plan, handed = tmp_path / "plan.json", tmp_path / "handed"
    env = os.environ | {"MENDED": str(tmp_path / "mended")}

    def trials(clone: Repo) -> None:
        for number in range(2):
            words = ("--plan", str(plan), "--job", str(number), "--to", str(handed / f"{number}"))
            mlgit("ci", "trial", *words, cwd=clone.folder, env=env, check=False)

    def collect() -> list[str]:
        done = mlgit("ci", "collect", "--plan", str(plan), "--json", str(handed), cwd=collecting.folder)
        return [one["state"] for one in json.loads(done.stdout)["trials"]]

    mlgit("ci", "plan", "-o", str(plan), cwd=job.folder)
    trials(job)
    first = collect()
    (tmp_path / "mended").touch()
    trials(handing.clone(place.far, tmp_path / "another job"))

    assert (first, collect()) == (["finished", "failed"], ["finished", "finished"])
    assert len(place.far.refs(refs.RUNS)) == 2
    (sweep,) = sweeps.known(collecting, "digits")
    found = query.runs(collecting, sweep=sweep.id)
    assert sorted(run.params["lr"] for run in found) == [0.1, 0.2]
    assert {run.source for run in found} == {collecting.resolve("HEAD")}
    assert place.far.refs(refs.SWEEPS) == collecting.refs(refs.SWEEPS)
