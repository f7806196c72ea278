"""The runs of a whole matrix, collected, beside a bare unbundle and push of the same."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, at_most, figure
from benchmarks.start import repository
from mlgit.ci import bundles
from mlgit.ci import plan as plans
from mlgit.ci.bundles import Said
from mlgit.ci.matrix import Job, Runner
from mlgit.ci.plan import Plan, Trial
from mlgit.core import refs
from mlgit.git import bundle
from mlgit.git.repo import Repo
from tests.git_http import serving
from tests.recorded import record

_TRIALS = 256


def lines() -> Iterator[Line]:
    """Wall time, by turns on fresh clones and remotes over http; of a matrix that lost two trials, the rest."""
    with tempfile.TemporaryDirectory() as scratch:
        yield from _collected(Path(scratch))


def _collected(scratch: Path) -> Iterator[Line]:
    handed, plan_file = scratch / "handed", scratch / "plan.json"
    repository(scratch / "made")
    made = Repo.find(scratch / "made")
    assert made
    plan_file.write_text(plans.written(_handed(made, handed)))
    subprocess.run(["git", "push", "-q", "--mirror", _bare(scratch / "first.git")], cwd=made.folder, check=True)
    bare: list[float] = []
    ours: list[float] = []
    with serving(scratch) as address:
        for turn in range(3):
            clone = _clone(scratch, f"bare{turn}", address)
            bare.append(_seconds(clone, "sh", "-c", _BARE, "sh", str(handed)))
            clone = _clone(scratch, f"ours{turn}", address)
            words = ("-m", "mlgit", "ci", "collect", "--plan", str(plan_file), str(handed))
            ours.append(_seconds(clone, sys.executable, *words))
            assert _branches(scratch / f"ours{turn}.git") == _branches(scratch / f"bare{turn}.git") == _TRIALS
        clone = _clone(scratch, "lossy", address)
        bundles.path_of(handed / "job-7", 7, "bundle").unlink()
        tampered = bundles.path_of(handed / "job-200", 200, "bundle")
        tampered.write_bytes(tampered.read_bytes()[:-40] + bytes(40))
        words = ("-m", "mlgit", "ci", "collect", "--plan", str(plan_file), "--json", str(handed))
        told = json.loads(subprocess.run((sys.executable, *words), cwd=clone, stdout=subprocess.PIPE).stdout)
        lost = {one["trial"]: one["state"] for one in told["trials"] if one["state"] != "finished"}
        assert lost == {7: "missing", 200: "refused"}, lost
        assert _branches(scratch / "lossy.git") == _TRIALS - 2
    theirs, mine = (sorted(costs)[1] for costs in (bare, ours))
    yield figure(f"{_TRIALS} bundles, git bundle unbundle and one push", theirs, "s")
    yield at_most("  mlgit ci collect", mine, 10, "s")
    yield at_most("  mlgit against git", mine / theirs, 2, "×")


_BARE = """
for file in "$1"/*/*.bundle; do git bundle unbundle "$file"; done > refs
while read oid ref; do echo "create $ref $oid"; done < refs | git update-ref --stdin
git push -q --atomic origin 'refs/heads/exp/*:refs/heads/exp/*'
"""


def _handed(made: Repo, folder: Path) -> Plan:
    """What jobs of a matrix hand over of runs with some history, whose branches are gone afterwards."""
    commit = made.resolve("HEAD")
    assert commit
    trials, found = [], []
    for number in range(1, _TRIALS + 1):
        run = record(made, f"{number:08d}", name=f"rates-{number}", project="digits", params={"lr": number / 1000})
        place = folder / f"job-{number}"
        place.mkdir(parents=True)
        bundle.make(made, bundles.path_of(place, number, "bundle"), run.ref, without=commit)
        bundles.say(place, Said(trial=number, became="finished", run=run.id, commit=run.commit))
        trials.append(Trial(number=number, id=run.id, name=run.name))
        found.append(run.ref)
    made.git("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in found).encode())
    jobs = tuple(Job(runs_on=Runner(("x",)), trials=(trial.number,)) for trial in trials)
    return Plan(commit=commit, project="digits", trials=tuple(trials), jobs=jobs)


def _clone(scratch: Path, name: str, address: str) -> Path:
    far = scratch / f"{name}.git"
    subprocess.run(["git", "clone", "-q", "--mirror", str(scratch / "first.git"), str(far)], check=True)
    subprocess.run(["git", "-C", str(far), "config", "http.receivepack", "true"], check=True)
    subprocess.run(["git", "clone", "-q", f"{address}/{far.name}", str(scratch / name)], check=True)
    return scratch / name


def _bare(folder: Path) -> str:
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", str(folder)], check=True)
    return str(folder)


def _seconds(folder: Path, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _branches(far: Path) -> int:
    return len(subprocess.check_output(["git", "for-each-ref", refs.RUNS], cwd=far).splitlines())
