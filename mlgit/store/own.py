"""What a live run has in git before it ends: what it goes on from, its branch, and which commits there are its own.

The file `branch` of the live folder: the ref's name, then each commit that this life of the run has put there or found
there when it began, a line each. It is written before the ref moves, so that a process that dies in between leaves no
branch that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mlgit import whole
from mlgit.core.run import EMPTY, Run
from mlgit.git.repo import Repo

How = Literal["resume", "rewind", "fork"]
_FILE = "branch"
_NEWEST = 20
"""Commits that are looked for below a branch's tip: the last one is noted before the branch moves to it, if it does."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """What a run goes on from."""

    how: How
    run: str
    """The id of the earlier one: of a fork another, else the same."""
    commit: str
    """Its result, as it was then."""
    step: int | None = None
    """The last step that stays; None: none was logged."""
    runtime: float = 0.0
    """Seconds for which it had run by then."""
    metrics: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Its metrics by then; not part of the document."""

    @property
    def next_step(self) -> int:
        """The step that the first `log()` belongs to."""
        return 0 if self.step is None else self.step + 1

    def document(self) -> dict[str, Any]:
        """It as `run.yaml` tells it."""
        step = {} if self.step is None else {"step": self.step}
        return {"how": self.how, "run": self.run, "commit": self.commit, **step, "runtime": round(self.runtime, 3)}


def before(provenance: Mapping[str, Any]) -> Before | None:
    """What the run of this *provenance* goes on from, or None for one that began by itself."""
    told = provenance.get("earlier")
    known = ("how", "run", "commit", "step", "runtime")
    return Before(**{name: told[name] for name in known if name in told}) if told else None


@dataclass(frozen=True, kw_only=True)
class Own:
    """A branch and the commits on it that are known."""

    ref: str
    commits: Sequence[str]


def of(folder: Path) -> Own | None:
    """The branch of the run in the live *folder*; None where it has none yet."""
    try:
        ref, *commits = (folder / _FILE).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return Own(ref=ref, commits=commits)


def note(folder: Path, ref: str, commit: str) -> None:
    """Remember *commit* as the run's own on *ref*."""
    known = of(folder)
    lines = [ref, *(known.commits if known and known.ref == ref else ()), commit]
    with whole.at(folder / _FILE) as scratch:
        scratch.write_text("".join(f"{line}\n" for line in lines))


def is_edit(repo: Repo, ours: Own, tip: str) -> bool:
    """Whether *tip* is ours, or no more than an edit (tags, notes, …) of what is ours."""
    if tip in ours.commits:
        return True
    from mlgit.core import merging
    from mlgit.store import runs

    newest = [*reversed(ours.commits)][:_NEWEST]  # a merge of two machines' edits has them on either side
    below = next((oid for oid in newest if repo.resolve(oid) and repo.is_ancestor(oid, tip)), None)
    if below is None:
        return False
    before, after = runs.read(repo, below), runs.read(repo, tip)
    return before is not None and after is not None and merging.life(before) == merging.life(after)


def apart(run: Run, ours: Own) -> Run:
    """*run* under an id of its own: another machine has gone on with it, and both are kept."""
    return replace(run, id=apart_id(run.id, ours.commits[-1]), parent=run.id)


def apart_id(run_id: str, commit: str) -> str:
    """The id of what one of two machines made of a run; the same whenever it is asked."""
    return f"{run_id[:50]}-{commit[:6]}"
