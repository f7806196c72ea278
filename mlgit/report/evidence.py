"""Which run speaks for a commit; and the other way, a branch of code that a run speaks for.

A pull request carries code and never results: its run is found, not contained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core import compare, escape, figures, refs
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError, NotFoundError, RefMovedError
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.report import params
from mlgit.store import records

TRAILER = "Mlgit-Evidence"
BRANCHES = "refs/heads/run/"


@dataclass(frozen=True)
class Evidence:
    """The run that speaks for a commit, and how many first-parent steps back from it the run's code lies."""

    run: Run
    distance: int


def find(repo: Repo, commit: str, runs: Sequence[Run], *, most: int = 10_000) -> Evidence | None:
    """The evidence for *commit*, else for the nearest of its first-parent ancestors that has any, else None.

    At most *most* commits are looked at, *commit* the first. A commit's run is the one that its trailer
    `Mlgit-Evidence: <run id>` names; else the newest finished one of *runs* whose source commit or code tree (all but
    `experiment/`) is the commit's. A merge that holds just the code of a commit it merged has that commit's evidence. A
    run whose params came from outside (`-p`, a sweep) does not show what the code does by itself: it speaks only where
    no other run does.
    """
    witnesses = _Witnesses(repo, runs)
    ancestors = [commit] if most == 1 else [oid for oid, _ in repo.ancestors(commit, most=most)]
    with repo.reader() as reader:
        for distance, oid in enumerate(ancestors):
            if run := witnesses.of(reader, oid):
                return Evidence(run, distance)
    return None


class _Witnesses:
    """Runs by what a commit can know of them."""

    def __init__(self, repo: Repo, runs: Sequence[Run]) -> None:
        self._repo = repo
        self._by_id = {run.id: run for run in runs}
        self._folders = sorted({run.folder for run in runs})
        finished = [run for run in runs if run.state is State.FINISHED]
        self._runs = _by_code(run for run in finished if not _is_varied(run))
        self._varied = _by_code(run for run in finished if _is_varied(run))

    def of(self, reader: Reader, oid: str) -> Run | None:
        """The run that speaks for the commit *oid* itself."""
        found = reader.read(oid)
        if found is None or found[1] != "commit":
            return None
        headers, parents, message = split_commit(found[2])
        codes = (found[0], headers["tree"], self._code_tree(reader, headers["tree"]))
        return (
            self._named(message)
            or _first(self._runs, codes)
            or self._merged(reader, headers["tree"], parents[1:])
            or _first(self._varied, codes)
        )

    def _named(self, message: str) -> Run | None:
        run_id = message_trailer(message, TRAILER)
        return self._by_id.get(run_id.strip()) if run_id else None

    def _merged(self, reader: Reader, tree: str, others: Iterable[str]) -> Run | None:
        """The run of a commit that was merged, if the merge holds just that commit's code."""
        for found in filter(None, map(reader.read, others)):
            headers, _, message = split_commit(found[2])
            if headers.get("tree") == tree:
                return self._named(message) or _first(self._runs, (found[0],)) or _first(self._varied, (found[0],))
        return None

    def _code_tree(self, reader: Reader, tree: str) -> str:
        """The id of *tree* without the results that somebody committed beside the code; nothing is written."""
        places = [f"{folder}/{records.FOLDER}" if folder else records.FOLDER for folder in self._folders]
        present = [place for place in places if reader.tree(f"{tree}:{place}") is not None]
        if not present:
            return tree
        never_flushed = self._repo.writer()
        return never_flushed.edit(
            reader.tree(tree) or {}, dict.fromkeys(present), lambda inner: reader.tree(inner) or {}
        )


def _is_varied(run: Run) -> bool:
    """Whether its params came from outside, so that the code alone does not make it again."""
    return bool(run.given) or run.sweep is not None


def _by_code(runs: Iterable[Run]) -> dict[str, Run]:
    """The newest of *runs* by each commit and each tree that holds its code."""
    found: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: (-(run.finished or run.created), run.id)):
        for code in filter(None, (run.source, run.tree)):
            found.setdefault(code, run)
    return found


def _first(known: Mapping[str, Run], codes: Iterable[str]) -> Run | None:
    return next((known[code] for code in codes if code in known), None)


def branch(repo: Repo, run: Run) -> str:
    """The branch `run/<slug>-<id6>` whose tip is the code of *run*, and names it as its evidence; made where it lacks.

    The tip is one commit on what the run's code was based on. It holds the code as it ran, uncommitted changes too,
    never `experiment/`; and the run's params in its params file (see `report.params`). Asked again, it answers with the
    same branch, also where somebody has built on it.

    Raises `NotFoundError` where the run's code is not in the repository, `MlgitError` where a branch of that name holds
    something else, or where params that the run was given cannot be written down.
    """
    ref = _ref(run)
    name = ref.removeprefix("refs/heads/")
    if run.source is None or (source := repo.resolve(run.source)) is None:
        raise NotFoundError(
            f"The code of {run.name} is not in this repository.",
            why=f"Its source commit {run.source or '(none)'} is missing.",
            fix=f"git fetch origin {run.branch or run.id}",
        )
    if _names(repo, ref, source, run.id):
        return name
    changes, subject = _changes(repo, run, source)
    parents = _parents(repo, source) if run.dirty else [source]
    message = f"{subject}\n\n{_summary(run)}\n\n{TRAILER}: {escape.line(run.id)}\n"
    tip = repo.commit(source, changes, message, parents=parents, when=run.finished or run.created)
    try:
        repo.move([Move(ref, None, tip)], why=f"code of run {run.id}")
    except RefMovedError:
        if _names(repo, ref, source, run.id):  # somebody else made it while we did
            return name
        raise MlgitError(
            f"The branch {name} exists and holds something else than the code of {run.name}.",
            why=f"No commit on it names the run by `{TRAILER}: {run.id}`.",
            fix=f"git branch -m {name} another-name",
        ) from None
    return name


def _ref(run: Run) -> str:
    own = run.ref or refs.run_ref(run.project, run.name, run.id)
    return f"{BRANCHES}{own.rpartition('/')[2]}"


def _names(repo: Repo, ref: str, source: str, run_id: str) -> bool:
    """Whether *ref*, or a commit below it down to *source*, names the run as its evidence."""
    tip = repo.resolve(ref)
    if tip is None:
        return False
    with repo.reader() as reader:
        for oid, _ in repo.ancestors(tip, most=1000):
            if oid == source:
                return False
            found = reader.read(oid)
            if found and message_trailer(split_commit(found[2])[2], TRAILER) == run_id:
                return True
    return False


def _parents(repo: Repo, commit: str) -> list[str]:
    with repo.reader() as reader:
        found = reader.read(commit)
    return split_commit(found[2])[1] if found else []


def _changes(repo: Repo, run: Run, source: str) -> tuple[dict[str, bytes | None], str]:
    """What the branch's commit changes in the code as it ran, and its subject."""
    place = f"{run.folder}/{records.FOLDER}" if run.folder else records.FOLDER
    name = escape.line(run.name, 60) or run.id
    with repo.reader() as reader:
        changes: dict[str, bytes | None] = {place: None} if reader.tree(f"{source}:{place}") is not None else {}
        written = params.written(reader, run, source)
    if written.files:
        changes |= written.files
        told = ", ".join(
            f"{escape.line(key, 30)} {figures.number(value)}" for key, value in list(written.values.items())[:4]
        )
        return changes, f"Take the params of {name}: {escape.line(told, 80)}"
    return changes, f"Keep the code of {name} as it ran" if run.dirty else f"Name {name} as the evidence"


def _summary(run: Run) -> str:
    numbers = [(key, value) for key, value in sorted(run.metrics.items()) if compare.is_number(value)]
    told = ", ".join(
        f"{escape.line(key, 30)} {figures.number(value)}" for key, value in numbers if not key.startswith("_")
    )
    return f"{run.branch or run.id}: {escape.line(told, 400) or 'no metrics'}"
