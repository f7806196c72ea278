"""Which run a script's `init()` means: the one around it, one that others share, an earlier one, or a new one."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core import escape
from mlgit.public.notebook import is_notebook
from mlgit.store import live, place, recover, telling
from mlgit.store.place import Place
from mlgit.tracking import begin, handed, installed, pinned, provenance
from mlgit.tracking.console import capture
from mlgit.tracking.machine import watcher
from mlgit.tracking.notice import notify
from mlgit.tracking.options import RunOptions
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.together import ranks
from mlgit.tracking.wish import Wish

if TYPE_CHECKING:
    from mlgit.tracking.lives import Life
    from mlgit.tracking.together.ranks import Rank

_has_joined = False
"""Whether this process has taken part in the run of the `mlgit run` around it."""


def run_of(wish: Wish, params: Mapping[str, Any], given: Mapping[str, Any]) -> ActiveRun:
    """The run that *wish* means, begun now or taken part in; *params* are its script's, *given* a sweep's, which stand.

    Raises `UsageError` for names and choices that cannot be, `ConfigError` for a wrong mlgit.yaml, `GitError` where git
    refuses.
    """
    global _has_joined
    handed.hide_secrets()
    wish = pinned.anew(wish)
    folder = _where(wish)
    home = begin.place_for(folder)
    rank = _rank()
    outer = "" if given else handed.found().run_id  # a trial is a run of its own
    if live.is_id(outer) and _is_meant(home, outer, wish, rank):
        _has_joined = True
        return _join(home, outer, wish, params, rank)
    if wish.mode == "shared":
        from mlgit.tracking.together import sharing

        if shared := sharing.find(home, wish):
            shared.config.update(params)
            return shared
        wish = sharing.alone(wish)
    passed: Mapping[str, Any] = {}
    inner: Collection[str] = ()
    if outer:
        from mlgit.tracking.together import joining

        wish, passed, inner = joining.take_over(home, outer, wish)
    if rank and not rank.owns and not wish.group:
        if found := ranks.find(home.repo, wish.join_seconds):
            return _join(home, found, wish, params, rank)
        notify(f"rank 0 has begun no run within {wish.join_seconds:.0f} s: rank {rank.number} records its own")
    begun = _begin(home, wish, folder=folder, params=params, passed=passed, inner=inner, given=given)
    if rank and rank.owns:
        begun.at_end.append(ranks.announce(home.repo, begun.id))
    if wish.mode == "shared" or (rank and rank.owns):
        begun.at_end.append(functools.partial(ranks.wait_for_others, live.folder_of(home.repo, begun.id)))
    return begun


def _begin(
    home: Place, wish: Wish, *, folder: Path, params: Mapping[str, Any], passed: Mapping[str, Any],
    inner: Collection[str], given: Mapping[str, Any],
) -> ActiveRun:  # fmt: skip
    """A run that begins now. What the params file states, `mlgit run` has *passed* on or a sweep has *given* stands."""
    with _stated(home) as stated:
        stated = _over(handed.merged(stated, passed, inner), given)
        life = _life(home, wish)
        command = _command()
        opened, record = begin.begin(home, wish, stated or params, command, folder, _place_among(1), life)
    if life:
        record = replace(record, metrics=life.before.metrics)
    begun = ActiveRun(
        Journal(home, opened, record), fixed=handed.names_of(stated), wish=wish, before=life.before if life else None
    )
    if stated:
        begun.config.update(params, allow_val_change=True)
    notify(f"run {escape.line(record.name, 60)} of {record.project}{life.words if life else ''}")
    begun.after_end.append(_checkpoints(home, opened, wish))  # before the console is taken, which it would hold open
    _record_by_itself(home, opened, begun, wish)
    return begun


_count = 0
"""How many runs this process has begun, or taken part in."""


def _place_among(more: int) -> dict[str, int]:
    """`nth`, where a run is not the first of its process, which has *more* by now: its command makes the others too."""
    global _count
    _count += more
    return {"nth": _count} if _count > 1 else {}


def _command() -> list[str]:
    """How a person would run this program again."""
    if is_notebook():
        from mlgit.tracking import notebook

        return notebook.command()
    return provenance.command_line()


def _where(wish: Wish) -> Path:
    """The folder that it runs in: the current one, unless only *dir* or the `mlgit run` around is in a repository."""
    here = place.here()
    others = [folder for folder in map(Path, filter(None, (wish.folder, handed.found().home))) if folder != here]
    if not others or place.find(here):
        return here
    return next((folder for folder in others if folder.is_dir() and place.find(folder)), here)


def _is_meant(home: Place, run_id: str, wish: Wish, rank: Rank | None) -> bool:
    """Whether what *wish* asks for is the run of `mlgit run`: no other run by its id, no run beside one of many.

    Ranks are meant too, unless they are of a group, in which each has a run of its own. Programs one after the other
    are all of one run; behind W&B's name, where each has its own, only the first. The program that has taken part may
    ask for it again.
    """
    if _has_joined:
        return run_id == wish.id and wish.resume in ("allow", "must")
    folder = live.folder_of(home.repo, run_id)
    if not folder.exists() or wish.id not in (None, run_id) or wish.fork_from or wish.resume_from:
        return False
    if rank is not None:
        return rank.owns or not wish.group
    from mlgit.tracking.together import sharing

    if "wandb" in sys.modules and sharing.had_part(folder) and telling.read(folder).left is not None:
        return False
    return sharing.is_first(folder)


def _rank() -> Rank | None:
    """Which of several processes that train together this one is; None where it is alone."""
    return ranks.of_process() if "RANK" in os.environ or "torch" in sys.modules else None


def _checkpoints(home: Place, opened: live.Live, wish: Wish) -> Callable[[], None]:
    """What ends the checkpoints of the run; nothing is loaded where none are asked for."""
    wanted = home.settings.section("run", RunOptions).under(wish)
    if not (wanted.checkpoint_seconds or wanted.push):
        return _nothing
    from mlgit.tracking import checkpoints

    return checkpoints.start(home, opened, wish)


def _nothing() -> None:
    """Nothing is to be ended."""


def _record_by_itself(home: Place, opened: live.Live, begun: ActiveRun, wish: Wish) -> None:
    """Keep, until the run ends, what nobody logs: the console, what the machine is doing, the seeds."""
    wanted = home.settings.section("run", RunOptions).under(wish)
    begun.at_end.append(capture.attach(opened, wanted.console))
    begun.at_end.append(
        watcher.watch(
            opened, begun.counts_from, seconds=wanted.system_seconds or 0, disk_paths=wanted.disk_paths, warn=notify
        )
    )
    begun.at_end.append(
        functools.partial(
            provenance.say_rest, opened, {"seeds": provenance.seeds(), **installed.interpreter()}, home.repo.work_tree
        )
    )
    _follow_cells(home, begun, wish)


def _follow_cells(home: Place, run: ActiveRun, wish: Wish) -> None:
    """Keep the cells that a notebook executes with *run*, as far as its code is wanted."""
    if is_notebook() and wish.save_code:
        from mlgit.tracking import cells

        limits = home.settings.section("run", RunOptions).snapshot.limits
        run.at_end.append(cells.follow(Path(run.dir), limits.file_bytes))


@contextlib.contextmanager
def _stated(home: Place) -> Iterator[dict[str, Any]]:
    """What the project's params file states, with nobody else's `-p` in it; nothing where there is no such file."""
    name = home.settings.section("run", RunOptions).params
    if name is None:
        recover.recover_all(home.repo, notify)
        yield {}
        return

    from mlgit.tracking import files  # a project without the file needs no reader

    path = home.settings.folder / name
    with files.held(path, alone=False, notify=notify):
        recover.recover_all(home.repo, notify)  # one that was killed may have borrowed the file
        yield files.read_params(path)


def _over(stated: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """*stated* with what was *given*, mappings in it put into one another."""
    result = dict(stated)
    for key, value in given.items():
        before = result.get(key)
        result[key] = _over(before, value) if isinstance(before, dict) and isinstance(value, Mapping) else value
    return result


def _life(home: Place, wish: Wish) -> Life | None:
    """What the run that *wish* asks for goes on from; None for one that begins by itself."""
    if not (wish.id or wish.resume or wish.fork_from or wish.resume_from):
        return None
    from mlgit.tracking import lives

    return lives.life(home, wish)


def _join(home: Place, run_id: str, wish: Wish, params: Mapping[str, Any], rank: Rank | None) -> ActiveRun:
    _place_among(1)
    from mlgit.tracking.together import joining

    outer = handed.found()
    joined = joining.join(home, run_id, wish, params, rank, outer)
    _follow_cells(home, joined, wish)
    return joined
