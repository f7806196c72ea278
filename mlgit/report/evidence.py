"""Which run speaks for a commit; and the other way, a branch of code that a run speaks for.

A pull request carries code and never results: its run is found, not contained.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from mlgit.core import compare, escape, figures, refs, seeds
from mlgit.core.condition import And, Not, Operation, Or, Predicate
from mlgit.core.query import GIVEN, TREE
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError, NotFoundError, RefMovedError
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.index import query
from mlgit.report import params
from mlgit.store import records
from mlgit.store import runs as stored

TRAILER = "Mlgit-Evidence"
BRANCHES = "refs/heads/run/"
MOST_READ = 20
"""Runs of one code whose commands are looked at."""
_FINISHED = And((Predicate("state", Operation.EQUAL, (State.FINISHED.value,)), Predicate("reproduces", Operation.NULL)))
"""One that makes another again says nothing that this has not said."""
_BROKEN = (State.FAILED.value, State.CRASHED.value, State.PREEMPTED.value)
_IS_AS_CODE_SAYS = And((Predicate("sweep", Operation.NULL), Predicate(GIVEN, Operation.NULL)))
"""What `is_varied` says the other way round."""


@dataclass(frozen=True)
class Evidence:
    """The run that speaks for a commit, and how many first-parent steps back from it the run's code lies."""

    run: Run
    distance: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """The runs that may speak, as the index knows them: only those are read that are asked for."""

    repo: Repo
    project: str | None
    """Whose runs they are; None for all."""
    folder: str = ""
    """The project's: results that lie in it are no code."""

    @cached_property
    def _codes(self) -> frozenset[str]:
        """Every commit and every tree that is the code of a run that finished."""
        told = query.frame(self.repo, _FINISHED, keys=("source", TREE), project=self.project)
        return frozenset(code for column in told.values() for code in column.tolist())

    def named(self, run_id: str) -> Run | None:
        """The run of this id."""
        run = query.of_id(self.repo, run_id)
        return run if run and self.project in (None, run.project) else None

    def of_code(self, codes: Collection[str]) -> list[Run]:
        """The newest that finished, of those whose source commit or code tree is one of *codes*, varied ones last."""
        if self._codes.isdisjoint(codes):
            return []
        of_it = Or(tuple(Predicate(key, Operation.EQUAL, tuple(codes)) for key in ("source", TREE)))
        found: list[Run] = []
        for which in (_IS_AS_CODE_SAYS, Not(_IS_AS_CODE_SAYS)):
            wanted = And((_FINISHED, of_it, which))
            found += query.search(self.repo, wanted, ("-finished",), project=self.project, limit=MOST_READ).runs
        return found

    def broken(self, commit: str) -> Run | None:
        """The newest of those of the code of *commit* that came to no good end."""
        of_it = Predicate("source", Operation.EQUAL, (commit,))
        wanted = And((of_it, Predicate("state", Operation.EQUAL, _BROKEN)))
        found = query.search(self.repo, wanted, ("-created",), project=self.project, limit=1).runs
        return found[0] if found else None

    def repeating(self, run: Run, most: int) -> list[Run]:
        """The newest *most* that finished and ran the code of *run*: of a trial, those of its sweep; else no trials.

        Those are left out whose params are others, as far as the index can tell: but for seeds, they may be.
        """
        codes = tuple(code for code in (run.source, run.tree) if code)
        of_it = Or(tuple(Predicate(key, Operation.EQUAL, codes) for key in ("source", TREE)))
        among = Predicate("sweep", Operation.EQUAL, (run.sweep,)) if run.sweep else Predicate("sweep", Operation.NULL)
        wanted = And((_FINISHED, of_it, among, *_alike(run)))
        return query.search(self.repo, wanted, ("-finished",), project=run.project, limit=most).runs if codes else []

    def trials(self, run: Run) -> list[Run]:
        """Those of the sweep that *run* is a trial of, itself among them."""
        return query.runs(self.repo, project=self.project, sweep=run.sweep) if run.sweep else []


_TELLING = 20
"""Params of a run that are looked up in the index."""
_EXACT = 1 << 53
"""Up to here a float is every whole number."""


def _alike(run: Run) -> list[Predicate]:
    """What holds of every run of the params of *run*, but for seeds."""
    told = {
        name: value
        for name, value in seeds.setting(run.params).items()
        if (compare.is_number(value) and abs(value) <= _EXACT) or (isinstance(value, str) and 0 < len(value) <= _SHORT)
    }
    return [Predicate(f"params.{name}", Operation.EQUAL, (value,)) for name, value in list(told.items())[:_TELLING]]


_SHORT = 100
"""Characters of a text that the index has as it is."""


def find(known: Known, commit: str, *, most: int = 10_000, like: Run | None = None) -> Evidence | None:
    """The evidence for *commit*, else for the nearest of its first-parent ancestors that has any, else None.

    At most *most* commits are looked at, *commit* the first. A commit's run is the one that its trailer
    `Mlgit-Evidence: <run id>` names; else a finished one whose source commit or code tree (all but `experiment/`) is
    the commit's: one of the command and job type of *like* before any other, then one without params from outside
    (`-p`, a sweep: it does not show what the code does by itself), then the newest; one of another script than *like*'s
    does not speak. A merge that holds just the code of a commit it merged has that commit's evidence.
    """
    witnesses = _Witnesses(known, like)
    ancestors = [commit] if most == 1 else [oid for oid, _ in known.repo.ancestors(commit, most=most)]
    with known.repo.reader() as reader:
        for distance, oid in enumerate(ancestors):
            if run := witnesses.of(reader, oid):
                return Evidence(run, distance)
    return None


def trailer(repo: Repo, commit: str, name: str) -> str:
    """What the message of *commit* says by that trailer; "" where it does not."""
    with repo.reader() as reader:
        found = reader.read(commit)
    return (message_trailer(split_commit(found[2])[2], name) if found else None) or ""


class _Witnesses:
    """Runs by what a commit can know of them."""

    def __init__(self, known: Known, like: Run | None) -> None:
        self._known, self._like = known, like
        self._words = _words(known.repo, like) if like else ()

    def of(self, reader: Reader, oid: str) -> Run | None:
        """The run that speaks for the commit *oid* itself."""
        found = reader.read(oid)
        if found is None or found[1] != "commit":
            return None
        headers, parents, message = split_commit(found[2])
        if run := self._named(message):
            return run
        first = self._first({found[0], headers["tree"], self._code_tree(reader, headers["tree"])})
        if first and not is_varied(first):
            return first
        return self._merged(reader, headers["tree"], parents[1:]) or first

    def _named(self, message: str) -> Run | None:
        run_id = message_trailer(message, TRAILER)
        return self._known.named(run_id.strip()) if run_id else None

    def _merged(self, reader: Reader, tree: str, others: Iterable[str]) -> Run | None:
        """The run of a commit that was merged, if the merge holds just that commit's code."""
        for found in filter(None, map(reader.read, others)):
            headers, _, message = split_commit(found[2])
            if headers.get("tree") == tree:
                return self._named(message) or self._first({found[0]})
        return None

    def _first(self, codes: Collection[str]) -> Run | None:
        """The run that shows best what one of *codes* does, one without params from outside if there is any."""
        fit = sorted(
            self._known.of_code(codes), key=lambda run: (is_varied(run), -(run.finished or run.created), run.id)
        )
        ranked = [(rank, run) for run in fit[:MOST_READ] if (rank := self._rank(run)) is not None]
        return min(ranked, key=lambda pair: pair[0])[1] if ranked else None

    def _rank(self, run: Run) -> int | None:
        """0 for a run of the command and job type of the other side's run, 1 for others, None for another script's."""
        if self._like is None:
            return 0
        words = _words(self._known.repo, run)
        mine, theirs = _script(self._words), _script(words)
        if mine and theirs and mine != theirs:
            return None
        return 0 if words == self._words and run.job_type == self._like.job_type else 1

    def _code_tree(self, reader: Reader, tree: str) -> str:
        """The id of *tree* without the results that somebody committed beside the code; nothing is written."""
        place = f"{self._known.folder}/{records.FOLDER}".lstrip("/")
        if reader.tree(f"{tree}:{place}") is None:
            return tree
        never_flushed = self._known.repo.writer()
        return never_flushed.edit(reader.tree(tree) or {}, {place: None}, lambda inner: reader.tree(inner) or {})


def is_varied(run: Run) -> bool:
    """Whether its params came from outside, so that the code alone does not make it again."""
    return bool(run.given) or run.sweep is not None


def _words(repo: Repo, run: Run) -> tuple[str, ...]:
    try:
        return words_of(run, stored.provenance(repo, run) if run.commit else {})
    except MlgitError:
        return ()


def words_of(run: Run, about: Mapping[str, Any]) -> tuple[str, ...]:
    """The command of *run* without what its params and its machine put into it; nothing where it is not known.

    *about*: what its `run.yaml` says.
    """
    words = about.get("command", ())
    values = {str(value) for value in compare.flatten(run.params).values()}
    said = [str(word) for word in words] if isinstance(words, list) else []
    if said and PurePosixPath(said[0]).name == "env":  # a sweep's command begins so
        said = said[1:]
    kept = [word for word in said[1:] if word not in values and word.partition("=")[2] not in values - {""}]
    return tuple(re.sub(r"^python[0-9.]+$", "python", PurePosixPath(word).name) for word in said[:1]) + tuple(kept)


def _script(words: Sequence[str]) -> str:
    """The script or module that a command runs; nothing where there is none to be seen."""
    pairs = zip(("", *words), words, strict=False)
    found = (word for before, word in pairs if before == "-m" or word.endswith((".py", ".sh", ".R", ".jl", ".ipynb")))
    return PurePosixPath(next(found, "")).name


def branch(repo: Repo, run: Run, *, searched: Collection[str] = ()) -> str:
    """The branch `run/<slug>-<id6>` whose tip is the code of *run*, and names it as its evidence; made where it lacks.

    The tip is one commit on what the run's code was based on. It holds the code as it ran, uncommitted changes too,
    never `experiment/`; and the run's params in its params file (see `report.params`), those that its sweep *searched*
    too. Asked again, it answers with the
    same branch, also where somebody has built on it.

    Raises `NotFoundError` where the run's code is not in the repository, `MlgitError` where a branch of that name holds
    something else, or where params that the run was given cannot be written down.
    """
    name = branch_name(run)
    ref = f"refs/heads/{name}"
    if run.source is None or (source := repo.resolve(run.source)) is None:
        raise NotFoundError(
            f"The code of {run.name} is not in this repository.",
            why=f"Its source commit {run.source or '(none)'} is missing.",
            fix=f"git fetch origin {run.branch or run.id}",
        )
    if _names(repo, ref, source, run.id):
        return name
    changes, subject = _changes(repo, run, source, searched)
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


def branch_name(run: Run) -> str:
    """What the branch of the code of *run* is called, made or not."""
    own = run.ref or refs.run_ref(run.project, run.name, run.id)
    return f"{BRANCHES}{own.rpartition('/')[2]}".removeprefix("refs/heads/")


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


def _changes(repo: Repo, run: Run, source: str, searched: Collection[str]) -> tuple[dict[str, bytes | None], str]:
    """What the branch's commit changes in the code as it ran, and its subject."""
    place = f"{run.folder}/{records.FOLDER}" if run.folder else records.FOLDER
    name = escape.line(run.name, 60) or run.id
    with repo.reader() as reader:
        changes: dict[str, bytes | None] = {place: None} if reader.tree(f"{source}:{place}") is not None else {}
        written = params.written(reader, run, source, searched=searched)
    if written.files:
        changes |= written.files
        told = ", ".join(
            f"{escape.line(key, 30)} {figures.number(value)}" for key, value in list(written.values.items())[:4]
        )
        return changes, f"Take the params of {name}: {escape.line(told, 80)}"
    return changes, f"Keep the code of {name} as it ran" if run.dirty else f"Name {name} as the evidence"


def _summary(run: Run) -> str:
    numbers = [(key, value) for key, value in sorted(run.scalars.items()) if compare.is_number(value)]
    told = ", ".join(
        f"{escape.line(key, 30)} {figures.number(value)}" for key, value in numbers if not key.startswith("_")
    )
    return f"{run.branch or run.id}: {escape.line(told, 400) or 'no metrics'}"
