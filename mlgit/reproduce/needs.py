"""What of a recipe is here, or can be had; every input that is missing, by its name. Nothing is run or brought."""

from __future__ import annotations

import posixpath
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.core import drifted
from mlgit.dvc import cache
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git import bringing
from mlgit.git.repo import Repo
from mlgit.reproduce import environment, recipe
from mlgit.reproduce.environment import Plan
from mlgit.reproduce.recipe import Missing, Recipe
from mlgit.store import runs
from mlgit.tracking.command import pipeline


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a run needs to be made again."""

    plan: Plan
    missing: tuple[Missing, ...]
    """Without these it cannot be made again."""
    doubts: tuple[Missing, ...]
    """What was not taken along; whether it is needed, the run itself will tell."""


def look(repo: Repo, told: Recipe, *, wanted: str, is_scratch: bool, image: str = "") -> Needs:
    """What *told* needs, in the environment *wanted*, one of `environment.CHOICES`; *image*: a container's."""
    plan = environment.plan(told, wanted, has_lock=_has_lock(repo, told), image=image)
    missing = [
        *recipe.lacking(told),
        *_segments(repo, told),
        *_code(repo, told, plan),
        *_data(repo, told),
        *plan.missing,
    ]
    if is_scratch:
        why = "it ran outside of every repository, so nothing but its script was kept"
        missing.append(Missing(kind="code", name=told.run.name, why=why, fix="run it in a git repository"))
    return Needs(plan=plan, missing=tuple(missing), doubts=tuple(recipe.doubtful(told)))


def _segments(repo: Repo, told: Recipe) -> Iterator[Missing]:
    """What stands against making a resumed run again in one go, from its first step: its segments have to be alike."""
    here = told
    while here.earlier.get("how") == "resume":
        commit = repo.resolve(str(here.earlier.get("commit")))
        run = runs.read(repo, commit) if commit else None
        if run is None:
            why = "what it had recorded before it was resumed is not here"
            yield Missing(kind="run", name=told.run.name, why=why, fix="mlgit pull")
            return
        before = recipe.of(run, runs.surroundings(repo, run))
        if (other := recipe.other_segment(here, before)) is not None:
            yield other
            return
        here = before


def _has_lock(repo: Repo, told: Recipe) -> bool:
    """Whether the run's code has a `uv.lock` beside the command, or the run kept one that git ignores."""
    commit, inside = told.run.source, posixpath.normpath(posixpath.join(told.cwd, "uv.lock"))
    kept = runs.place_of(told.run, "lock/uv.lock")
    return bool(commit and repo.read(commit, inside)) or bool(told.run.commit and repo.read(told.run.commit, kept))


def _code(repo: Repo, told: Recipe, plan: Plan) -> Iterator[Missing]:
    """The code as it ran, and in it the program that the command names."""
    try:
        source = runs.source(repo, told.run)
    except NotFoundError as exc:
        yield Missing(kind="code", name=(told.run.source or "?")[:10], why="the commit is not here", fix=exc.fix)
        return
    found = bringing.files(repo, source)
    for path, commit in bringing.submodules(found).items():
        yield Missing(kind="code", name=path, why=f"it is a submodule, at {commit[:10]}", fix="no submodule is brought")
    if told.cwd != "." and not any(path.startswith(f"{told.cwd}/") for path in found):
        yield Missing(kind="file", name=told.cwd, why="it ran in this folder, which its code does not have")
        return
    program = told.script
    if (
        program
        and program not in found
        and not (plan.kind == "docker" and posixpath.isabs(program))
        and not _is_known(repo, program)
    ):
        why = "the command names it, and it is no file of the repository" + _why_not(repo, program)
        yield Missing(kind="command", name=program, why=why)
    elif not program and told.words and plan.kind != "docker" and not _runs_here(told.words):
        yield Missing(kind="command", name=told.words[0], why="there is no such program here", fix="install it")


def _runs_here(words: Sequence[str]) -> bool:
    """Whether what *words* call by a bare name is there: a program on the path, Python, or stages, which we run."""
    return recipe.is_python(words[0]) or pipeline.is_one(words) or bool(shutil.which(words[0]))


def _is_known(repo: Repo, program: str) -> bool:
    """Whether an absolute path leads to a program of this machine, or into the user's work tree: that is brought."""
    return posixpath.isabs(program) and (Path(program).is_file() or Path(program).is_relative_to(repo.folder))


def _why_not(repo: Repo, program: str) -> str:
    if posixpath.isabs(program) or program.startswith(".."):
        return ": it lay outside"
    return ": git ignores it here" if repo.work_tree and (repo.work_tree / program).exists() else ""


def contents(told: Recipe) -> Iterator[tuple[str, str, str]]:
    """(kind, name, hash) of all the bytes that it needs of DVC."""
    for path, content in told.run.data.items():
        yield "data", path, content
    for version in told.run.used:
        yield "artifact", version.asked or version.name, version.hash


def _data(repo: Repo, told: Recipe) -> Iterator[Missing]:
    """What neither the cache nor the DVC remote has."""
    wanted = list(contents(told))
    lost, trouble = _lost(repo, [content for *_, content in wanted], told.run.folder)
    for kind, name, content in wanted:
        if content in lost:
            why = f"{content} is neither in the cache nor {trouble}"
            fix = "mlgit sync where it was made, with a default DVC remote"
            if kind == "data" and drifted.was_never_added(told.about, name, content):
                why = f"it had changed since its pointer and was never added: {why}"
                place = shlex.quote(posixpath.join(told.run.folder, name))
                fix = f"mlgit data add {place} where that still lies as it did then; elsewhere mlgit sync after it, too"
            yield Missing(kind=kind, name=name, why=why, fix=fix)


def _lost(repo: Repo, wanted: Sequence[str], folder: str) -> tuple[set[str], str]:
    """(those of *wanted* that are nowhere, how that is said)."""
    try:
        return set(cache.lost(repo, wanted, folder=folder, asks=True)), "on the default DVC remote"
    except MlgitError as exc:
        away = {content for content in wanted if not cache.exists(repo, content, folder=folder)}
        return away, f"to be had: {said(exc)}"


def said(exc: MlgitError) -> str:
    """What *exc* says, as the end of a line that may go on."""
    return " ".join(f"{exc.what} {exc.why}".split()).removesuffix(".")
