"""A live folder becomes a branch: a run's files, its result commit, its ref.

A result commit's tree is its source's, with the folder `experiment/` replaced. The YAML there is the truth, the
commit's message its index.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlgit.core import escape, figures, refs, secrets
from mlgit.core.compare import Goal, goal_of, is_number
from mlgit.core.run import Run, State
from mlgit.dvc import project
from mlgit.errors import GitError, RefMovedError
from mlgit.git.objects import Entry
from mlgit.git.repo import Move, Repo
from mlgit.store import files, live, records


def record(repo: Repo, folder: Path) -> Run:
    """Make the live *folder* a branch; return its run. The folder goes once the commit has been verified.

    Raises `GitError` where git or the disk refuses: the live folder then stays as it is, and the next mlgit command
    tries again.
    """
    account = live.read(folder)
    run = without_secrets(account.run)
    writer = repo.writer()
    with repo.reader() as reader:
        if (source_commit := run.source) is None:
            raise GitError(f"The run {run.id} does not say what code it ran.")
        prefix = f"{run.folder}/" if run.folder else ""
        source = reader.tree(f"{source_commit}^{{tree}}")
        if source is None:
            raise GitError(f"The code of run {run.id}, commit {source_commit[:10]}, is not in the repository.")

        def entries(oid: str) -> Mapping[str, Entry]:
            return reader.tree(oid) or {}

        place = f"{prefix}{records.FOLDER}"
        data = project.tracked(repo, reader, source_commit, run.folder)
        run = replace(run, tree=writer.edit(source, {place: None}, entries), data=data)
        contents = files.render(run, account)
        experiment = Entry("40000", writer.folder(contents))
        tree = writer.edit(source, {place: experiment}, entries)
        commit = repo.write_commit(writer, tree, (source_commit,), message(run), when=run.finished)
        writer.flush()
        ref = _move(repo, run, commit)
    _remove(folder)
    if run.dirty:
        release(repo, run)
    return replace(run, ref=ref, commit=commit)


def without_secrets(run: Run) -> Run:
    """*run* as it may go into git, whatever way a token came into it."""

    def safe(text: str | None) -> str | None:
        return text and secrets.redact(text)

    return replace(
        run, name=secrets.redact(run.name), notes=safe(run.notes), group=safe(run.group), job_type=safe(run.job_type),
        sweep=safe(run.sweep), tags=tuple(map(secrets.redact, run.tags)), params=secrets.redact_params(run.params),
        metrics=secrets.redact_params(run.metrics),
    )  # fmt: skip


def _remove(folder: Path) -> None:
    """The live folder, no longer needed; what a script put beside ours goes with it."""
    try:
        (folder / "run.yaml").unlink()  # first: without it, nobody takes the rest for a run
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
    except OSError:  # a folder in it
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def hold(repo: Repo, run: Run) -> None:
    """Keep the snapshot of a live run's code from git's collection until its branch holds it."""
    if run.dirty and run.source:
        repo.move([Move(f"{refs.LIVE}{run.id}", None, run.source)], why="run begins")


def release(repo: Repo, run: Run) -> None:
    """Undo `hold`; a run that was never held, or is released already, stays as it is.

    Its branch holds the code by now: where git refuses, a ref too many is no reason to call the run unrecorded.
    """
    with contextlib.suppress(GitError):
        repo.move([Move(f"{refs.LIVE}{run.id}", run.source, None)], why="run recorded")


def _move(repo: Repo, run: Run, commit: str) -> str:
    """The run's branch, made at *commit*: with more digits of its id where a namesake already has the short name."""
    from mlgit.store import runs  # read only where a namesake is met

    for digits in (6, 8, 16, 40):
        ref = refs.run_ref(run.project, run.name, run.id, digits=digits)
        try:
            repo.move([Move(ref, None, commit)], why=f"run {run.id}")
        except RefMovedError:
            there = repo.refs(ref).get(ref)
            known = runs.read(repo, there) if there else None
            if known and known.id == run.id and abs(known.created - run.created) < 0.01:
                return ref  # the same run, recorded by somebody who then died before it could tidy up
            continue
        except GitError as exc:
            if "exists; cannot create" in exc.why:
                branch = next(
                    (r for r in repo.refs("refs/heads/exp") if f"{ref}/".startswith(f"{r}/")), "refs/heads/exp"
                )
                name = branch.removeprefix("refs/heads/")
                fix = f"git branch -m {name} old-{name.replace('/', '-')}; the run is kept and becomes a branch then"
                raise GitError(f"The branch {name!r} is in the way of {ref}.", why=exc.why, fix=fix) from None
            raise
        return ref
    raise GitError(f"No free branch name for run {run.id}.")


def message(run: Run, goals: Mapping[str, Goal] | None = None) -> str:
    """The result commit's message: what a person wants to see in `git log`, and the record."""
    names = sorted(
        (name for name, value in run.metrics.items() if is_number(value) and not name.startswith("_")),
        key=lambda name: (goal_of(name, goals or {}) is not Goal.MAXIMIZE, goal_of(name, goals or {}) is None, name),
    )
    told = ", ".join(f"{escape.line(name, 30)} {figures.number(run.metrics[name])}" for name in names[:4])
    state = "" if run.state is State.FINISHED else f" ({run.state.value})"
    subject = f"{escape.line(run.name, 60) or run.id}{state}" + (f": {told}" if told else "")
    return f"{subject}\n\n{records.TRAILER}: {records.trailer(run)}\n"
