"""Take part in a run that another process has begun: `mlgit run`, or the first of several that train together."""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mlgit.core import escape, refs
from mlgit.core.compare import flatten
from mlgit.store import live, own, telling
from mlgit.store.place import Place
from mlgit.tracking import handed, provenance
from mlgit.tracking.handed import Handed
from mlgit.tracking.notice import notify
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.together.ranks import Rank, RankRun
from mlgit.tracking.wish import Wish

_FILED = ("name", "project", "group", "job_type", "notes", "tags")
_OF_RANK = re.compile(r"rank[0-9]+/")


def join(
    home: Place, run_id: str, wish: Wish, params: Mapping[str, Any], rank: Rank | None, outer: Handed
) -> ActiveRun:
    """The run *run_id*, in the hands of this process: it logs and sets, and its end is not the run's.

    What *outer* names stands against the script's own. Steps begin after the last one that was logged. A rank other
    than 0 sets no name, and of the params only those that nobody has set.
    """
    opened = live.Live(live.folder_of(home.repo, run_id))
    follows = rank is not None and rank.number > 0
    asked = {key: value for key in _FILED if not follows and (value := getattr(wish, key)) and key not in outer.fields}
    if "project" in asked:
        asked["project"] = refs.component(asked["project"], "project")
    account = telling.read(opened.folder)
    first, again = account.run, account.left is not None
    if asked:
        opened.event(set=asked)
        account = replace(account, run=telling.renamed(account.run, asked))
    if "wandb" in sys.modules and not again:
        notify(f"run {escape.line(account.run.name, 60)} of {account.run.project}")
    elif (first.name, first.project) != (account.run.name, account.run.project):
        notify(f"its script calls it {escape.line(account.run.name, 60)} of {account.run.project}")
    if again:
        opened.event(left=None, went={})
    before = own.before(account.provenance)
    if before:
        from mlgit.store import resume

        account = resume.whole(home.repo, account)
    journal = Journal(home, opened, account.run)
    if rank is not None and rank.number > 0:
        following = RankRun(
            journal, rank.prefix, fixed=outer.fixed, wish=wish, before=before, step=_next_step(account, rank.prefix)
        )
        following.config.setdefaults(params)
        return following
    active = ActiveRun(journal, owns=False, fixed=outer.fixed, wish=wish, before=before, step=_next_step(account, ""))
    active.is_taken_up_again, active.is_command = again, outer.is_command
    active.config.update(params, allow_val_change=True)
    active.at_end.append(functools.partial(_leave, opened))
    rest = functools.partial(
        provenance.say_rest, opened, account.provenance, home.repo.work_tree
    )  # `mlgit run` cannot know it
    active.at_end.append(rest)
    return active


def take_over(home: Place, run_id: str, wish: Wish) -> tuple[Wish, Mapping[str, Any], Collection[str]]:
    """(*wish*, the params that stand, which of them in mappings) of a script that begins a run inside of *run_id*.

    What `mlgit run` was told of its run is meant for the script's: the fields of its first one, the params of each.
    """
    folder = live.folder_of(home.repo, run_id)
    if not live.is_id(run_id) or not folder.exists():
        return wish, {}, ()
    (folder / handed.TAKEN).touch()
    run = telling.read(folder).run
    params = flatten(run.params)
    names = set(handed.found().fields) & set(_FILED) - ({"name"} if (folder / handed.INNER).exists() else set())
    fields = {name: getattr(run, name) for name in names}
    stand = {name: params[name] for name in run.given if name in params}
    return replace(wish, **fields, given=run.given), stand, handed.inner(run.params)


def _leave(opened: live.Live) -> None:
    """The script is done with the run, while the command around it may go on for long."""
    opened.event(left=time.time())


def _next_step(account: telling.Account, prefix: str) -> int:
    """The step after the last that was logged under *prefix*, or, without one, under no rank's."""
    steps = [
        one.steps[-1]
        for name, one in account.series.items()
        if len(one) and (name.startswith(prefix) if prefix else not _OF_RANK.match(name))
    ]
    return max(steps, default=-1) + 1
