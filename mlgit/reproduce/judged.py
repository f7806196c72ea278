"""How a run that was made again came out: what the two told, brought to one form, and the verdict on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgit.core.compare import flatten
from mlgit.core.run import Run, State
from mlgit.dvc.pipelines import stages
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.reproduce import suspects, verdict
from mlgit.reproduce.alike import Reading
from mlgit.reproduce.recipe import Missing, Recipe
from mlgit.reproduce.suspects import Suspect
from mlgit.reproduce.verdict import Told, Tolerance, Verdict
from mlgit.store import chronicle, runs
from mlgit.store.telling import Account

_LACKED = (
    ("file", re.compile(rb"FileNotFoundError: .*?: '([^'\n]+)'")),
    ("package", re.compile(rb"ModuleNotFoundError: No module named '([^'\n]+)'")),
    ("library", re.compile(rb"(?:ImportError|OSError): (lib[^:\s]+): cannot open shared object file")),
)
"""What a Python program says last that ended for want of something."""
_SAVED = "files"
"""Where a run's branch has what was saved with it."""


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


def judge(
    repo: Repo, told: Recipe, again: Run, *, code: Path, doubts: Sequence[Missing], tolerance: Tolerance | None
) -> Outcome:  # fmt: skip
    """What *again*, whose code was at *code*, is beside the run of *told*; *doubts*: what may have been missing.

    Raises `MlgitError` where it was not recorded as one run.
    """
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
    before, after = _told(first, _as_recorded(repo, first.run)), _told(second, second.run)
    after = Reading(first=told.run, again=again, code=str(code)).read(before, after)
    if skipped and first.provenance.get("history_from") != second.provenance.get("history_from"):
        before, after = verdict.without_history(before, after), verdict.without_history(after, before)
    result = verdict.compare(before, verdict.no_more_than(before, after) if skipped else after, tolerance)
    if lacked := _lacked(first, second):
        return Outcome(verdict=replace(result, kind=verdict.Kind.CANNOT), again=again, missing=(lacked, *doubts))
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


def _as_recorded(repo: Repo, run: Run) -> Run:
    """*run* as its process recorded it, whatever somebody made of its params, metrics and metadata since."""
    recorded = [one.run for one in chronicle.of(repo, run) if one.run and one.run.finished == run.finished]
    return recorded[-1] if recorded else run


def _told(account: Account, run: Run) -> Told:
    """What *account* says, and *run*, which is the same one."""
    code = account.provenance.get("exit_code")
    logged: dict[str, str] = {}
    metadata: dict[str, Any] = {}
    for version in run.logged:
        again = f" ({len(logged[version.name].split()) + 1})" if version.name in logged else ""
        metadata |= flatten(version.metadata, f"{version.name}{again}.")
        logged[version.name] = f"{logged[version.name]} {version.hash}" if again else version.hash
    return Told(
        end=f"{run.state.value}, exit code {code}" if code else run.state.value, params=flatten(run.params),
        metrics=run.scalars, series=account.series, objects=account.objects, artifacts=logged, metadata=metadata,
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
