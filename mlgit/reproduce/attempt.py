"""Make a run again, aside from the user's work tree, as a run of its own; and say how the two compare."""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlgit.core import refs
from mlgit.core.condition import Operation, Predicate
from mlgit.core.reproduction import Reproduction
from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.reproduce import aside, bringing, contained, environment, judged, recipe, untouched, verdict
from mlgit.reproduce.aside import Aside
from mlgit.reproduce.judged import Outcome
from mlgit.reproduce.needs import Needs
from mlgit.reproduce.recipe import Recipe
from mlgit.reproduce.verdict import Tolerance, Verdict
from mlgit.store import place as places
from mlgit.store import reproductions, runs
from mlgit.store.place import Place
from mlgit.tracking import pinned
from mlgit.tracking.command import pipeline
from mlgit.tracking.command import run as execution
from mlgit.tracking.handed import inner
from mlgit.tracking.notice import notify
from mlgit.tracking.wish import Wish

_FEW = 20
"""Differences that a verdict keeps."""
_SAID = ("name", "project", "group", "job_type", "notes", "tags")

Shim = Callable[[Sequence[str], Mapping[str, str]], Mapping[str, str]]
"""What a command needs in its environment, which is given, for `import wandb` to mean mlgit."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How a run is to be made again."""

    to: Path | None = None
    keep: bool = False
    tolerance: Tolerance | None = None


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
    result = judged.judge(repo, told, again, code=place.code, doubts=found.doubts, tolerance=wanted.tolerance)
    return replace(result, again=_kept(repo, told.run, result), folder=folder, untouched=idle)


def _kept(repo: Repo, first: Run, result: Outcome) -> Run | None:
    """The run that makes *first* again, with the verdict on it: so that others, and gates, can go by it."""
    found = result.verdict
    if result.again is None or found.kind is verdict.Kind.CANNOT:
        return result.again
    told = Reproduction(
        of=first.id, verdict=found.kind.value, by=repo.identity, relative=found.tolerance.relative,
        absolute=found.tolerance.absolute, same=found.same,
        differences=tuple(f"{one.kind} {one.name} differs" for one in found.differences[:_FEW] if not one.allowed),
    )  # fmt: skip
    return reproductions.keep(repo, result.again, told)


def anew(repo: Repo, told: Recipe, found: Needs, name: str | None, *, shim: Shim) -> execution.Ended:
    """A new run, called *name*, by the recipe *told*, which may have other params by now; its needs are *found*.

    Raises `MlgitError` where git or the disk fails.
    """
    run = told.run
    wish = Wish(name=name, project=run.project, group=run.group, job_type=run.job_type, reruns=run.id)
    with aside.at(repo, runs.source(repo, run), refs.slug(run.name, 40), None) as place:
        if missing := bringing.data(repo, told, place.code):
            raise MlgitError(f"{missing[0].name} cannot be had.", why=missing[0].why, fix=missing[0].fix)
        bringing.lock(repo, told, place.code)
        return _run(repo, told, found, place, shim, wish)


def here(place: Place, told: Recipe, name: str | None, *, shim: Shim) -> execution.Ended:
    """The same with the code, the data and the environment that are here now, in the work tree of *place*."""
    run, top = told.run, place.repo.folder
    wish = Wish(name=name, project=run.project, group=run.group, job_type=run.job_type, reruns=run.id)
    extra = dict(shim(told.words, os.environ)) if told.takes_wandb else {}
    command = execution.Command(
        words=told.words, params=told.params, inner=inner(told.run.params), metrics=told.metrics, env=extra,
        takes_wandb=told.takes_wandb, said=("name",) if name else (),
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
        words=words, params=told.params, inner=inner(told.run.params), metrics=told.metrics, env=extra | pins,
        base=base, about=about, takes_wandb=told.takes_wandb, said=_SAID,
        through=contained.through(boxes, python) if boxes else None,
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
