"""What a pull request proposes: a branch as it is, or the code of a run on a branch of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core import compare, escape, figures, refs
from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.forge.base import Forge, PullRequest
from mlgit.git import process
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.report import changed, evidence
from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A branch to be merged, and what the pull request says of it unless told otherwise."""

    branch: str
    title: str
    body: str = ""
    untracked: Sequence[str] = ()
    """Files that nobody had committed, which the run's snapshot brings along."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A pull request that is open."""

    pull: PullRequest
    is_new: bool
    """Whether it was opened now, rather than before."""
    untracked: Sequence[str] = ()


SearchedOf = Callable[[Run], Collection[str]]


def propose(
    forge: Forge, proposed: Proposal, *, into: str, title: str | None, body: Callable[[], str] | None,
    draft: bool = False, labels: Sequence[str] = (),
) -> Opened:  # fmt: skip
    """The pull request of *proposed*: the one that is open for its branch already, or a new one.

    What is open gets those of *labels* that it lacks; what it is called and says of itself is left to people.
    """
    pull = next((pull for pull in forge.pulls(head=proposed.branch) if pull.base == into), None)
    if pull:
        forge.share(proposed.branch)
        missing = [label for label in labels if label not in pull.labels]
        pull = forge.edit(pull.number, labels=missing) if missing else forge.get(pull.number)
        return Opened(pull=pull, is_new=False, untracked=proposed.untracked)
    pull = forge.open(
        head=proposed.branch, base=into, title=proposed.title if title is None else title,
        body=body() if body else proposed.body, draft=draft, labels=labels,
    )  # fmt: skip
    return Opened(pull=pull, is_new=True, untracked=proposed.untracked)


def of(
    place: Place, what: str | None, *, into: str | None = None, searched: SearchedOf = lambda _run: ()
) -> Proposal:  # fmt: skip
    """What *what* names: a branch by its exact name, else a run, whose code becomes one; None: the current branch.

    A run's branch is only made where the branch *into* could take it in. *searched* answers a run with the params that
    its sweep gave it. Raises `NotFoundError` for what is neither,
    `UsageError` where nothing is named and HEAD is detached, `MlgitError` where a run's code could not be merged.
    """
    repo = place.repo
    ref = f"refs/heads/{what}" if what is not None else repo.head()
    if ref is None:
        raise UsageError(
            "HEAD is detached: there is no current branch to propose.", fix="name a branch or a run: mlgit pr open NAME"
        )
    there = ref.isprintable() and repo.refs(ref).get(ref)
    if there and not ref.startswith(refs.RUNS):
        subject = repo.git("log", "-1", "--format=%s", there)
        return Proposal(branch=ref.removeprefix("refs/heads/"), title=subject or ref.removeprefix("refs/heads/"))
    return _of_run(place, ref.removeprefix("refs/heads/"), into, searched)


def title(run: Run, goals: Mapping[str, Goal]) -> str:
    """`radiant-glade-12: accuracy 0.981, loss 0.07`: the metrics with a goal first, three at most."""
    deltas = compare.metric_deltas({}, run.scalars, goals)
    numbers = [delta for delta in deltas if compare.is_number(delta.head) and not delta.name.startswith("_")]
    numbers.sort(key=lambda delta: delta.goal is None)
    told = ", ".join(f"{delta.name} {figures.number(delta.head)}" for delta in numbers[:3])
    return f"{run.name}: {told}" if told else run.name


def _of_run(place: Place, text: str, into: str | None, searched: SearchedOf) -> Proposal:
    try:
        run = query.find(place.repo, text, project=place.meant)
    except NotFoundError as exc:
        fix = "mlgit ls lists runs, git branch branches"
        raise NotFoundError(f"There is neither a branch nor a run {text[:120]!r}.", why=exc.why, fix=fix) from None
    if into is not None:
        _check_related(place.repo, run, into)
    body = f"The code of {escape.code(run.name)}, as its run {escape.code(run.branch)} recorded it."
    branch = evidence.branch(place.repo, run, searched=searched(run))
    untracked = changed.brought_along(place.repo, run.source) if run.dirty and run.source else []
    return Proposal(branch=branch, title=title(run, place.settings.goals), body=body, untracked=untracked)


def _check_related(repo: Repo, run: Run, into: str) -> None:
    """Raise where the branch *into* is not there, or shares no history with the code of *run*."""
    fix = f"commit your code on {into[:120]} first, then run again: mlgit run -- …"
    base = repo.resolve(f"refs/heads/{into}")
    if base is None:
        raise NotFoundError(
            f"There is no branch {into[:120]!r} to merge into.", fix=f"{fix}; or name another by --base"
        )
    source = repo.resolve(run.source or "")
    args = ("merge-base", "--end-of-options", base, source or "")
    if source and not process.run(*args, folder=repo.folder, ok=(0, 1)):
        raise MlgitError(f"The code of {run.name} and {into} have no history in common.", fix=fix)
