"""A run goes on from an earlier one: the same run on the same branch, or another that begins where that one was.

What the earlier one had recorded is read back from its commit when the later one becomes a commit, and that commit
stays its ancestor: nothing that was recorded is ever out of git's reach.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from mlgit.core.artifact import both
from mlgit.core.run import Run
from mlgit.errors import UsageError
from mlgit.git.objects import Entry, Reader
from mlgit.git.repo import Move, Repo
from mlgit.store import attached, folding, runs, telling
from mlgit.store.own import Before, How, before
from mlgit.store.telling import Account


def adopt(repo: Repo, run: Run) -> Run:
    """*run*, on a local branch: one that is archived or known from a remote gets one, one behind a remote's catches up.

    Raises `UsageError` where *run* has no branch, `RefMovedError` where somebody else is doing the same.
    """
    if not run.ref.startswith(("refs/heads/", "refs/remotes/")):
        raise UsageError(f"{run.name} has no branch to go on from.", fix="mlgit restore brings a hidden run back")
    (run,) = folding.unfold(repo, [run])
    short = run.ref.removeprefix("refs/heads/")
    if run.ref.startswith("refs/remotes/"):
        short = run.ref.removeprefix("refs/remotes/").partition("/")[2]
    ref = f"refs/heads/{short}"
    known = repo.refs(ref, f"refs/remotes/*/{short}")
    here = known.pop(ref, None)
    newest = here
    for tip in known.values():
        if newest is None or (tip != newest and repo.is_ancestor(newest, tip)):
            newest = tip
    if newest is None:
        raise UsageError(f"The branch of {run.name} has gone in the meantime.", fix="mlgit ls lists what is there")
    if newest != here:
        repo.move([Move(ref, here, newest)], why=f"resume {run.id}")
    found = runs.read(repo, newest)
    if found is None or found.id != run.id:
        raise UsageError(f"The branch {short} tells of no run {run.id!r}.")
    return replace(found, ref=ref)


def point(repo: Repo, run: Run, how: How, until: int | None = None) -> Before:
    """Where a run goes on from *run*: at its end, or after the step *until*.

    Raises `UsageError` for a step that it never had.
    """
    told = runs.account(repo, run)
    last = _last_step(told)
    if until is None:
        return Before(
            how=how, run=run.id, commit=run.commit, step=last, runtime=run.duration or 0.0, metrics=run.metrics
        )
    if last is None or not 0 <= until <= last:
        raise UsageError(
            f"{run.name} has no step {until}.",
            why="It logged nothing." if last is None else f"Its last step is {last}.",
            fix="mlgit show --history lists its steps",
        )
    kept = telling.joined(told, Account(run=replace(run, metrics={})), upto=until)
    runtimes = [one.runtimes[-1] for one in kept.series.values() if len(one)]
    return Before(
        how=how, run=run.id, commit=run.commit, step=until, runtime=max(runtimes, default=0.0),
        metrics=kept.run.metrics,
    )  # fmt: skip


def _last_step(told: Account) -> int | None:
    steps = [one.steps[-1] for one in told.series.values() if len(one)]
    return max([*steps, *(one[-1].step for one in told.objects.values() if one)], default=None)


def whole(repo: Repo, account: Account) -> Account:
    """*account* with what the run it goes on from had recorded before it; unchanged for one that began by itself."""
    told = before(account.provenance)
    if told is None:
        return account
    earlier = runs.read(repo, told.commit)
    if earlier is None:  # its branch was deleted and collected: the rest is still worth a commit
        return _noting(account, told, lost=True)
    past = runs.account(repo, earlier)
    if told.how == "fork":
        past = replace(past, output=b"")
    elif past.output and not past.output.endswith(b"\n"):
        past = replace(past, output=past.output + b"\n")
    upto = None if told.how == "resume" else -1 if told.step is None else told.step
    joined = telling.joined(past, account, upto=upto)
    run = joined.run
    if told.how != "fork":
        run = replace(run, used=both(earlier.used, run.used), logged=both(earlier.logged, run.logged))
    return _noting(replace(joined, run=run), told, thinned=not past.is_full)


def _noting(account: Account, told: Before, **facts: bool) -> Account:
    """*account*, whose `run.yaml` says *facts* of what it goes on from, where they hold."""
    said = {name: True for name, holds in facts.items() if holds}
    return replace(account, provenance={**account.provenance, "earlier": told.document() | said}) if said else account


def carried(reader: Reader, told: Before, written: Collection[str]) -> dict[str, Entry]:
    """The files of the earlier `experiment/` that go along beside what the later run has *written*.

    A folder lies in git's tree or in DVC's cache, never in both: as the later run has it, it holds for all.
    """
    for run in runs.read_all(reader, [("", told.commit)]):
        tree = f"{told.commit}:{runs.place_of(run, '')}".rstrip("/")
        folders = {path.partition("/")[0] for path in written if "/" in path}
        return {
            path: entry
            for path, entry in _files(reader, tree)
            if _goes_along(path, told)
            and path not in written
            and f"{path.partition('/')[0]}.dvc" not in written
            and path.removesuffix(".dvc") not in folders
        }
    return {}


def _files(reader: Reader, tree: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
    for name, entry in (reader.tree(tree) or {}).items():
        if entry.is_tree:
            yield from _files(reader, entry.oid, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", entry


def _goes_along(path: str, told: Before) -> bool:
    if told.how == "resume":
        return True
    step = attached.step_of(path)
    return path.startswith("media/") and step is not None and step <= (-1 if told.step is None else told.step)
