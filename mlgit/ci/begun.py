"""Runs of a plan that were begun before: found where all runs are, and handed on to the jobs that go on with them.

The jobs themselves do not look, for what is trained has no token. So who plans does, and the plan says which commit
each run was at: what lies beside it is taken up only if it is that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mlgit.ci import bundles
from mlgit.ci.plan import Plan, Trial
from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.git import bundle
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.store import runs


def find(remote: Remote, project: str, trials: Iterable[Trial]) -> dict[int, Run]:
    """Number → the run of each of *trials* that *remote* has; their branches are here then. Raises `GitError`."""
    repo = remote.repo
    far, ends = remote.refs(f"{refs.RUNS}{project}/*"), dict[str, list[str]]()
    for ref in far:
        ends.setdefault(ref.rpartition("-")[2][:6], []).append(ref)
    wanted = {
        ref: trial
        for trial in trials
        for ref in ends.get(trial.id[:6], ())
        if refs.is_of(ref, project, trial.id)
    }  # fmt: skip
    remote.fetch(far[ref] for ref in wanted if repo.resolve(far[ref]) is None)
    here, found = repo.refs(f"{refs.RUNS}{project}/"), dict[int, Run]()
    for ref, trial in wanted.items():
        old, tip = here.get(ref), far[ref]
        if old is None or (old != tip and repo.is_ancestor(old, tip)):
            repo.move([Move(ref, old, tip)], why="ci: begun before")
        if (run := runs.read(repo, tip)) and run.id == trial.id:
            found[trial.number] = replace(run, ref=ref, commit=tip)
    return found


def there(repo: Repo, project: str, trial: Trial) -> Run | None:
    """The run of *trial*, if it has a branch in *repo*."""
    for ref, tip in repo.refs(f"{refs.RUNS}{project}/").items():
        if refs.is_of(ref, project, trial.id) and (run := runs.read(repo, tip)) and run.id == trial.id:
            return replace(run, ref=ref)
    return None


def hand_on(repo: Repo, plan: Plan, folder: Path) -> None:
    """Let *folder* have the bundles of the runs that trials of *plan* go on with. Raises `GitError`."""
    for trial in plan.trials:
        if trial.begun and (run := there(repo, plan.project, trial)):
            bundle.make(repo, bundles.path_of(folder, trial.number, "bundle"), run.ref, without=plan.commit)
