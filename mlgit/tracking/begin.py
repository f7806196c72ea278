"""Begin a run: find its repository and project, take its code, make its live folder. One way, whoever asks."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlgit.core import refs, secrets
from mlgit.core.run import Run
from mlgit.git import snapshot
from mlgit.git.repo import Repo
from mlgit.store import live, own, place, result, scratch, unfinished
from mlgit.store.place import Place
from mlgit.tracking import handed, names, provenance
from mlgit.tracking.notice import notify, say_once
from mlgit.tracking.options import RunOptions
from mlgit.tracking.wish import Wish

if TYPE_CHECKING:
    from mlgit.git.sifting import Group
    from mlgit.tracking.lives import Life


def place_for(folder: Path) -> Place:
    """Where a run that starts in *folder* belongs: its repository, or else the scratch repository of this user."""
    if found := place.find(folder):
        return found
    repo = scratch.repository()
    if not handed.found().run_id:  # `mlgit run` has said it
        say_once(f"no git repository here: runs go to {repo.folder}; `mlgit push --to URL` moves them to one later")
    return place.in_scratch(repo)


def begin(
    home: Place, wish: Wish, params: Mapping[str, Any], command: Sequence[str], folder: Path,
    more: Mapping[str, Any] = MappingProxyType({}), life: Life | None = None,
) -> tuple[live.Live, Run]:  # fmt: skip
    """Begin a run of *command* in *folder*: keep its code, make its live folder; return that and the run's record.

    *more* is added to `run.yaml`. *life* is the earlier run that this one resumes, rewinds or forks, if any.
    """
    options = home.settings.section("run", RunOptions)
    if home.is_scratch:
        taken = scratch.snapshot(home.repo, folder, command if wish.save_code else ())
    elif wish.save_code:
        taken = snapshot.take(home.repo, options.snapshot.limits)
    else:
        taken = snapshot.of_head(home.repo)
    run = Run(
        id=wish.id or names.run_id(),
        name=wish.name or names.run_name(),
        project=refs.component(wish.project, "project") if wish.project else home.settings.project,
        created=round(time.time(), 3),
        group=wish.group, job_type=wish.job_type, sweep=wish.sweep, notes=wish.notes, tags=tuple(wish.tags),
        reruns=wish.reruns, reproduces=wish.reproduces,
        given=tuple(wish.given),
        source=taken.commit,
        dirty=taken.dirty,
        folder=home.folder,
        params=secrets.redact_params(params),
    )  # fmt: skip
    if life:
        run = life.continued(run, wish)
        more = {**more, "earlier": life.before.document()}
    if secrets.hidden():
        run = result.without_secrets(run)  # whoever records it after a crash does not know them
    about = provenance.gather(command, folder, repo=home.repo, environment=options.environment) | dict(more)
    if taken.left_out:
        from mlgit.git import sifting

        groups = sifting.grouped(taken.left_out)
        about["left_out"] = [str(group) for group in groups]
        _tell_left_out(groups)
    opened = live.create(home.repo, run, about, fill=functools.partial(_note_branch, run, life))
    _tell_outer(home.repo, handed.found().run_id, run)
    result.hold(home.repo, run)
    if wish.resume == "auto":
        unfinished.mark(home.repo, run)
    return opened, run


_SAID: set[tuple[str, str]] = set()
"""(folder, reason) of what was reported as left out, so that a process that makes many runs says each once."""


def _tell_left_out(groups: Sequence[Group]) -> None:
    """Say what is not in a snapshot, each folder and reason once."""
    new = [group for group in groups if (group.folder, group.reason) not in _SAID]
    _SAID.update((group.folder, group.reason) for group in new)
    if new:
        notify(f"not in the run's snapshot: {'; '.join(map(str, new[:3]))}{'; …' if len(new) > 3 else ''}")


def _note_branch(run: Run, life: Life | None, folder: Path) -> None:
    """Say in the live *folder* which branch a run has that was there before."""
    if life and life.earlier.id == run.id:
        own.note(folder, life.earlier.ref, life.earlier.commit)


def _tell_outer(repo: Repo, outer: str, run: Run) -> None:
    """Let the `mlgit run` around this process, if there is one, know of *run* inside of its own."""
    if live.is_id(outer) and (folder := live.folder_of(repo, outer)).is_dir():
        with (folder / handed.INNER).open("a") as file:
            file.write(f"{run.id}\n")
