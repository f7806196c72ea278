"""Jobs in a line, and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from mlgit.core import escape, figures

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.core.run import Run
    from mlgit.store.place import Place


def state(job: Posted, unsure: str = "") -> str:
    """How it stands, for a person; where that is only the last word, when that was."""
    import time

    if not job.job and not job.state.ended:
        return "not known"
    old = f", {figures.ago(job.seen, time.time())}" if unsure and job.seen else ""
    why = escape.line(job.why, 200)
    if why == f"{job.tasks} {job.state.value}":
        why = f"all {job.tasks}" if job.tasks != 1 else ""
    if job.tasks and not job.state.ended and not unsure and why:
        return why
    return f"{job.state.value}{old}{f': {why}' if why else ''}"


def command_line(job: Posted) -> str:
    """What it runs, as a person would type it, on one line."""
    words = (*(f"-p {shlex.quote(pair)}" for pair in job.params), shlex.join(job.command))
    return escape.line(" ".join(words), 2000)


def runs(place: Place, *jobs: Posted) -> dict[str, list[Run]]:
    """The runs that *jobs* have recorded so far, by the job's id."""
    from mlgit.index import query
    from mlgit.launch import asked

    ids = {job.id: asked.runs_of(job) for job in jobs}
    known = {run.id: run for run in query.of_ids(place.repo, list(dict.fromkeys(chain(*ids.values()))))}
    return {job: [known[one] for one in some if one in known] for job, some in ids.items()}


def document(job: Posted, found: Sequence[Run], unsure: str = "") -> dict[str, Any]:
    """It as JSON, with what the runs *found* of it say."""
    return job.document() | {
        "unsure": unsure or None,
        "runs": [{"id": run.id, "name": run.name, "state": run.state.value, "metrics": run.metrics} for run in found],
    }


def said(some: Sequence[Run]) -> str:
    """The figures of its run; of several, how many there are."""
    return figures.headlines(some[0]) if len(some) == 1 else f"{len(some)} runs" if some else ""
