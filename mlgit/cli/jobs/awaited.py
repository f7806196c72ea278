"""A job that somebody waits for."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.cli.jobs import shown

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.store.place import Place

_LOOK = 0.5
"""Seconds between two looks."""


def waited(place: Place, job: Posted, *, follow: bool, quiet: bool) -> Posted:
    """*job* once it has ended; its lines are printed meanwhile, if they are to be."""
    from mlgit.launch import asking

    try:
        if follow:
            for line in asking.logs(place, job, None, follow=True):
                output.say(line)
                sys.stdout.flush()
        while not (job := asking.look(place, [job]).jobs[0]).state.ended:
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        output.note(f"the job goes on: mlgit jobs cancel {job.id} ends it")
        sys.exit(130)
    if not quiet:
        output.note(f"{job.title}: {shown.state(job)}")
    return job
