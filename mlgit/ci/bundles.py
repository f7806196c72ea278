"""What the jobs of CI hand over: each run as a bundle of git's, and what has become of each trial.

A job's runner ran code that nobody has looked at. So whoever collects believes none of it: a bundle brings one run, of
the plan, on the plan's commit, or nothing.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.ci.plan import Plan, Trial
from mlgit.ci.shape import Shape
from mlgit.core import escape, figures, refs
from mlgit.core.run import Run, State
from mlgit.git import bundle as bundles
from mlgit.git.bundle import Bundle, BundleError, Limits, Quarantine
from mlgit.git.objects import Reader
from mlgit.git.repo import split_commit
from mlgit.store import runs

_NAME = re.compile(r"trial-([1-9][0-9]{0,8})\.(bundle|json)")
LIMITS = Limits()
_MOST_SAID = 1 << 16
_MOST_COMMIT = 1 << 20
"""Bytes: a record that is larger than 64 KB stands in a file, and not in the message."""
_AT_ONCE = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a job says has become of a trial; nobody has to believe it."""

    trial: int
    became: str
    """The state of its run, or `no run`."""
    run: str | None = None
    """The id of its run."""
    exit_code: int = 0
    seconds: float = 0.0
    commit: str | None = None
    """The end of its branch, as it lies in the bundle beside this."""


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A file of those that jobs have handed over."""

    trial: int
    path: Path


def path_of(folder: Path, trial: int, kind: str) -> Path:
    """Where the `bundle`, or the `json`, of *trial* lies in the *folder* of its job."""
    return folder / f"trial-{trial}.{kind}"


def say(folder: Path, said: Said) -> None:
    """Write what has become of a trial, whole and synced."""
    path = path_of(folder, said.trial, "json")
    with whole.at(path) as scratch:
        scratch.write_text(json.dumps(asdict(said)) + "\n")
        bundles.sync(scratch)
    bundles.sync(folder)


def said(path: Path) -> Said | None:
    """What the file at *path* says; None where it is not what `say` writes."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_SAID:
            return None
        told: Any = json.loads(path.read_bytes())
        found = Said(**told)
        texts, numbers = (found.became, found.run or "", found.commit or ""), (found.exit_code, found.seconds)
        is_sound = type(found.trial) is int and all(isinstance(text, str) and len(text) < 200 for text in texts)
        is_sound &= all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
        return found if is_sound else None
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return None


def handed(folders: Iterable[Path]) -> Iterator[tuple[str, Handed]]:
    """(`bundle` or `json`, file) of what lies in *folders*, and in the folders right below them: one a job."""
    for folder in folders:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
        for place in (folder, *below):
            for path in sorted(place.iterdir()):
                if found := _NAME.fullmatch(path.name):
                    yield found[2], Handed(trial=int(found[1]), path=path)


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A run that may enter the repository."""

    handed: Handed
    ref: str
    tip: str
    run: Run


def judged(
    quarantine: Quarantine, plan: Plan, files: Sequence[Handed], *, limits: Limits = LIMITS
) -> tuple[list[Sound], dict[Handed, str]]:  # fmt: skip
    """(the bundles of *files* that hold a run of *plan*, the others → why); all is still in *quarantine*."""
    planned = {trial.number: trial for trial in plan.trials}
    sound, wrong, taken = list[Sound](), dict[Handed, str](), list[tuple[Handed, str, str, frozenset[str]]]()

    def take(file: Handed) -> tuple[str, str, frozenset[str]] | BundleError:
        try:
            found = bundles.read(file.path)
            ref, tip = _one_run(found, plan, planned.get(file.trial))
            return ref, tip, quarantine.take(found, limits, above=plan.commit)
        except BundleError as exc:
            return exc

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for file, found in zip(files, pool.map(take, files), strict=True):
            if isinstance(found, BundleError):
                wrong[file] = f"{found.what} {found.why}".strip()
            else:
                taken.append((file, *found))
    with quarantine.apart.reader() as reader:
        shape = Shape(reader, plan.commit)
        for file, *_, commits in taken:
            if (most := max(filter(None, reader.sizes(sorted(commits))), default=0)) > _MOST_COMMIT:
                wrong[file] = f"It holds a commit of {figures.size(most)}."
        taken = [one for one in taken if one[0] not in wrong]
        told = {(run.ref, run.commit): run for run in _runs(reader, taken)}
        for file, ref, tip, commits in taken:
            try:
                run = next((run for (where, commit), run in told.items() if where == ref and commit in commits), None)
                _check(reader, shape, plan, planned[file.trial], run, tip, commits)
            except BundleError as exc:
                wrong[file] = exc.what
            else:
                assert run
                sound.append(Sound(handed=file, ref=ref, tip=tip, run=run))
    return sound, wrong


def _runs(reader: Reader, taken: Iterable[tuple[Handed, str, str, frozenset[str]]]) -> list[Run]:
    return list(runs.read_all(reader, [(ref, tip) for _, ref, tip, _ in taken]))


def _one_run(bundle: Bundle, plan: Plan, trial: Trial | None) -> tuple[str, str]:
    """The branch of *bundle*, by its head alone, and its end. Raises `BundleError` where it is not of *trial*'s run."""
    if trial is None:
        raise BundleError("The plan has no such trial.")
    if len(bundle.refs) != 1:
        raise BundleError(f"It brings {len(bundle.refs)} refs, and a trial has one branch.")
    ((ref, tip),) = bundle.refs.items()
    name = ref.removeprefix(f"{refs.RUNS}{plan.project}/")
    if name == ref or not refs.is_component(name):
        raise BundleError(f"It moves {ref[:120]!r}, and may only bring a run of the project {plan.project}.")
    if not refs.is_of(ref, plan.project, trial.id):
        raise BundleError(f"It brings {name}, which is not the branch of the run {trial.id}.")
    if bundle.needs != {plan.commit}:
        raise BundleError(f"It does not begin at {plan.commit[:10]}, the commit of the plan.")
    return ref, tip


def _check(
    reader: Reader, shape: Shape, plan: Plan, trial: Trial, run: Run | None, tip: str, commits: frozenset[str]
) -> None:  # fmt: skip
    """Raise `BundleError` unless *tip* is the end of the *run* of *trial*, and all *commits* are above the plan's."""
    if run is None:
        raise BundleError("Its branch tells of no run.")
    expected = {"id": trial.id, "project": plan.project, "sweep": plan.sweep, "folder": _folder(plan)}
    for what, value in expected.items():
        if (other := getattr(run, what)) != value:
            raise BundleError(f"Its run has the {what} {str(other)[:60]!r}, and the plan says {value!r}.")
    parents = {oid: _parents(reader, oid) for oid in commits}
    strange = [one for some in parents.values() for one in some if one not in commits and one != plan.commit]
    if strange or not all(parents.values()):
        raise BundleError("Its history is not on top of the plan's commit.")
    if run.source != plan.commit and parents.get(run.source or "") != [plan.commit]:
        code = escape.line(run.source or "nothing", 40)
        raise BundleError(f"Its code is {code}, and neither the plan's commit nor right on top of it.")
    for commit in sorted(commits):
        shape.check(commit)
    shape.only_files(f"{tip}:{runs.place_of(run, '').rstrip('/')}")


def _folder(plan: Plan) -> str:
    return "" if plan.folder == "." else plan.folder


def _parents(reader: Reader, commit: str) -> list[str]:
    found = reader.read(commit)
    return split_commit(found[2])[1] if found and found[1] == "commit" else []


def counting(found: Iterable[Sound]) -> list[Sound]:
    """Of each trial the one that counts, by number: of several, of jobs begun again, a finished one, or the newest."""
    best = dict[int, Sound]()
    for one in sorted(found, key=lambda one: (one.run.state is State.FINISHED, one.run.finished or 0.0, one.tip)):
        best[one.handed.trial] = one
    return [best[number] for number in sorted(best)]
