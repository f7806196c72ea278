"""Make a run again, aside from the user's work tree, as a run of its own; and say how the two compare."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlgit.core import refs
from mlgit.core.condition import Operation, Predicate
from mlgit.core.run import Run, State
from mlgit.dvc.pipelines import stages
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.reproduce import aside, bringing, contained, environment, recipe, suspects, untouched, verdict
from mlgit.reproduce.aside import Aside
from mlgit.reproduce.needs import Needs
from mlgit.reproduce.recipe import Missing, Recipe
from mlgit.reproduce.suspects import Suspect
from mlgit.reproduce.verdict import Told, Tolerance, Verdict
from mlgit.store import place as places
from mlgit.store import runs
from mlgit.store.place import Place
from mlgit.store.telling import Account
from mlgit.tracking import pinned
from mlgit.tracking.command import pipeline
from mlgit.tracking.command import run as execution
from mlgit.tracking.notice import notify
from mlgit.tracking.wish import Wish

_LACKED = (
    ("file", re.compile(rb"FileNotFoundError: .*?: '([^'\n]+)'")),
    ("package", re.compile(rb"ModuleNotFoundError: No module named '([^'\n]+)'")),
    ("library", re.compile(rb"(?:ImportError|OSError): (lib[^:\s]+): cannot open shared object file")),
)
"""What a Python program says last that ended for want of something."""
_SAVED = "files"
"""Where a run's branch has what was saved with it."""
_SAID = ("name", "project", "group", "job_type", "notes", "tags")

Shim = Callable[[Sequence[str], Mapping[str, str]], Mapping[str, str]]
"""What a command needs in its environment, which is given, for `import wandb` to mean mlgit."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How a run is to be made again."""

    to: Path | None = None
    keep: bool = False
    tolerance: Tolerance | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it. `again` is the new run; None where it could not be made, or was interrupted."""

    verdict: Verdict
    ended_by: int | None = None
    """The signal by which somebody ended it before it was over."""
    again: Run | None = None
    folder: Path | None = None
    """Where the code still is."""
    missing: tuple[Missing, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    is_whole: bool = True
    """Whether the full history was at hand; else it was compared as far as the run's branch holds it."""
    skipped_then: tuple[str, ...] = ()
    """The stages of a pipeline that the first one skipped, and that have run now: what else these log is no matter."""
    skipped_now: tuple[str, ...] = ()
    """Those that have not run again, for they are frozen: what they made is taken as it was."""
    untouched: tuple[str, ...] = ()
    """What stages made then and did not make again, and is taken as it was brought."""
    saved: tuple[str, ...] = ()
    """The files saved with the run that only one of the two has, or of other bytes: no part of the verdict."""


def make(repo: Repo, told: Recipe, found: Needs, wanted: Wanted, *, shim: Shim) -> Outcome:
    """Make the run of *told* again, all that it needs being *found*. Raises `MlgitError` where git or the disk fails.

    The new run is recorded in *repo*, and says which one it makes again. The user's work tree, index and HEAD stay as
    they are.
    """
    if found.missing:
        return Outcome(verdict=Verdict(kind=verdict.Kind.CANNOT), missing=found.missing)
    source = runs.source(repo, told.run)
    with aside.at(repo, source, refs.slug(told.run.name, 40), wanted.to) as place:
        place.stays = wanted.keep
        if missing := bringing.data(repo, told, place.code):
            return Outcome(verdict=Verdict(kind=verdict.Kind.CANNOT), missing=missing)
        bringing.lock(repo, told, place.code)
        are_forced = pipeline.is_one(told.words)
        before = untouched.marks(place.code, are_forced=are_forced)
        if not are_forced:
            untouched.alone(place.code)
        ended = _run(repo, told, found, place, shim, _wish(told.run))
        idle = untouched.left(before, place.code)
        place.stays = wanted.keep or (wanted.to is not None and not ended.signal)
        folder = place.code if place.stays else None
    if ended.signal:
        return Outcome(verdict=Verdict(kind=verdict.Kind.CANNOT), ended_by=ended.signal, folder=folder)
    again = _same_of(repo, told, ended.run)
    return replace(_judged(repo, told, again, found, wanted), folder=folder, untouched=idle)


def anew(repo: Repo, told: Recipe, found: Needs, name: str | None, *, shim: Shim) -> execution.Ended:
    """A new run, called *name*, by the recipe *told*, which may have other params by now; its needs are *found*.

    Raises `MlgitError` where git or the disk fails.
    """
    run = told.run
    wish = Wish(name=name, project=run.project, group=run.group, job_type=run.job_type, parent=run.id)
    with aside.at(repo, runs.source(repo, run), refs.slug(run.name, 40), None) as place:
        if missing := bringing.data(repo, told, place.code):
            raise MlgitError(f"{missing[0].name} cannot be had.", why=missing[0].why, fix=missing[0].fix)
        bringing.lock(repo, told, place.code)
        return _run(repo, told, found, place, shim, wish)


def here(place: Place, told: Recipe, name: str | None, *, shim: Shim) -> execution.Ended:
    """The same with the code, the data and the environment that are here now, in the work tree of *place*."""
    run, top = told.run, place.repo.folder
    wish = Wish(name=name, project=run.project, group=run.group, job_type=run.job_type, parent=run.id)
    extra = dict(shim(told.words, os.environ)) if told.takes_wandb else {}
    command = execution.Command(
        words=told.words, params=told.params, metrics=told.metrics, env=extra, takes_wandb=told.takes_wandb,
        said=("name",) if name else (),
    )  # fmt: skip
    return execution.run(place, wish, command, top / told.cwd)


def _run(repo: Repo, told: Recipe, found: Needs, place: Aside, shim: Shim, wish: Wish) -> execution.Ended:
    """The program, once more, as a run of its own."""
    if found.plan.kind in _MAKES:
        notify(_MAKES[found.plan.kind])
    boxes = contained.of(repo, told, found.plan, place) if found.plan.kind == "docker" else None
    call = boxes.call if boxes else environment.here
    python = environment.make(found.plan, told, code=place.code, folder=place.environment, call=call)
    home = places.find(place.code / told.run.folder)
    if home is None:
        raise MlgitError(f"{place.code} is no worktree of the repository any more.", fix="try again")
    base = environment.variables(told, python, user=repo.work_tree, code=place.code)
    words = tuple(_word(word, repo, place.code) for word in told.words)
    if boxes:
        base = contained.variables(boxes, told, base, repo, place.code)
    if recipe.is_python(words[0]):  # whatever the path to it was then
        name = posixpath.basename(words[0])
        is_there = os.path.lexists(python.with_name(name))  # in a container what it links to is not here
        words = (name if is_there or (not boxes and shutil.which(name, path=base["PATH"])) else str(python), *words[1:])
    if wish.reproduces:  # results that a cache held would prove nothing
        words = tuple(pipeline.forced(words))
    extra = dict(shim(words, base)) if told.takes_wandb else {}
    pins = pinned.variables(told.run.used, reproduces=wish.reproduces, sweep=told.called_by)
    about = environment.surroundings(found.plan, told, python, base, call)
    if boxes:
        about |= {"image": boxes.name}
    command = execution.Command(
        words=words, params=told.params, metrics=told.metrics, env=extra | pins, base=base, about=about,
        takes_wandb=told.takes_wandb, said=_SAID, through=contained.through(boxes, python) if boxes else None,
    )  # fmt: skip
    return execution.run(home, wish, command, place.code / told.cwd)


_MAKES = {
    "uv": "uv makes an environment of what the run had installed",
    "docker": "uv makes an environment of what the run had installed, in a container",
}


def _word(word: str, repo: Repo, code: Path) -> str:
    """A word of the command; a path into the user's work tree leads into *code*."""
    top = str(repo.work_tree) if repo.work_tree else ""
    return f"{code}{word[len(top) :]}" if top and f"{word}{os.sep}".startswith(f"{top}{os.sep}") else word


def _wish(run: Run) -> Wish:
    """In no group, where a seed would count twice, and without the tags that somebody chose for the first one."""
    return Wish(
        name=f"{run.name}-again", project=run.project, job_type=run.job_type, reproduces=run.id,
        notes=f"{run.name} ({run.id}), made again",
    )  # fmt: skip


def _same_of(repo: Repo, told: Recipe, around: Run) -> Run:
    """Of the runs that the program made, the first of which is *around*, the one that stands where *told*'s stood."""
    if told.called_by or not isinstance(nth := told.about.get("nth"), int):  # of a sweep's trials it is the only one
        return around
    again = Predicate("reproduces", Operation.EQUAL, (told.run.id,))
    for run in query.search(repo, again, ("-created",), project=told.run.project).runs:
        if run.created >= around.created and runs.provenance(repo, run).get("nth") == nth:
            return run
    raise MlgitError(
        f"{told.run.name} was run number {nth} of its process, and this time there were not so many.",
        fix="mlgit ls has those that there were",
    )  # fmt: skip


def _judged(repo: Repo, told: Recipe, again: Run, found: Needs, wanted: Wanted) -> Outcome:
    if not again.commit:
        raise MlgitError(
            "What the program did was not recorded as one run, so there is nothing to compare.",
            why="It began runs of its own, or git refused.", fix="mlgit ls has them; mlgit recover tries again",
        )  # fmt: skip
    first, second = (runs.account(repo, run, fetch=True) for run in (told.run, again))
    if not first.is_full:  # what its branch holds was thinned by a rule that takes the same rows again
        second = replace(second, series=runs.history(repo, again), objects=runs.objects(repo, again))
    idle = _skipped(second)
    skipped = tuple(name for name in _skipped(first) if name not in idle)
    before, after = _told(first), _told(second)
    if skipped and first.provenance.get("history_from") != second.provenance.get("history_from"):
        before, after = verdict.without_history(before, after), verdict.without_history(after, before)
    result = verdict.compare(before, verdict.no_more_than(before, after) if skipped else after, wanted.tolerance)
    if lacked := _lacked(first, second):
        return Outcome(verdict=replace(result, kind=verdict.Kind.CANNOT), again=again, missing=(lacked, *found.doubts))
    kinds = (verdict.Kind.DIFFERS, verdict.Kind.WITHIN)
    around = suspects.find(told.about, runs.surroundings(repo, again), told.run.params) if result.kind in kinds else ()
    return Outcome(
        verdict=result, again=again, suspects=tuple(around), is_whole=first.is_full,
        skipped_then=skipped, skipped_now=idle, saved=_saved_otherwise(repo, first.run, second.run),
    )  # fmt: skip


def _saved_otherwise(repo: Repo, one: Run, other: Run) -> tuple[str, ...]:
    """The files saved with the runs that are not the same; of folders that DVC holds, the folder."""
    held = {run.held.get(_SAVED) for run in (one, other)}
    if held != {None}:
        return (f"{_SAVED}/",) if len(held) > 1 else ()
    before, after = (dict(runs.texts(repo, run, _SAVED)) for run in (one, other))
    return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def _skipped(account: Account) -> tuple[str, ...]:
    """The stages of a pipeline that did not run, because their results were there."""
    told = account.provenance.get("stages")
    pairs = told.items() if isinstance(told, Mapping) else ()
    idle = (stages.UNCHANGED, stages.RESTORED)
    return tuple(str(name) for name, one in pairs if isinstance(one, Mapping) and one.get("did") in idle)


def _told(account: Account) -> Told:
    run = account.run
    code = account.provenance.get("exit_code")
    logged: dict[str, str] = {}
    for version in run.logged:
        logged[version.name] = f"{logged[version.name]} {version.hash}" if version.name in logged else version.hash
    return Told(
        end=f"{run.state.value}, exit code {code}" if code else run.state.value, metrics=run.scalars,
        series=account.series, objects=account.objects, artifacts=logged,
    )  # fmt: skip


def _lacked(first: Account, second: Account) -> Missing | None:
    """What the program could not find that ended well the first time, by its own last words."""
    if second.run.state is State.FINISHED or first.run.state is not State.FINISHED:
        return None
    for kind, pattern in _LACKED:
        if said := pattern.findall(second.output):
            name = said[-1].decode(errors="replace")
            return Missing(kind=kind, name=name, why="the program did not find it, and ended", fix=_FIXES[kind])
    return None


_FIXES = {
    "file": "git add it, mlgit data add it, or log it as an artifact; then run it anew",
    "package": "--env uv makes an environment of what the run had installed",
    "library": "install it; in a container: --image names an image that has it",
}
