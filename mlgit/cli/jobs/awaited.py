"""A job that somebody waits for, or whose lines somebody reads as they come."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.cli.jobs import shown
from mlgit.core.job import JobState

if TYPE_CHECKING:
    from mlgit.core.posted import Posted
    from mlgit.store.place import Place

_LOOK = 0.5
"""Seconds between two looks."""


def end(place: Place, job: Posted, *, wait: bool, follow: bool = False, as_json: bool) -> None:
    """End a command that has launched *job*: wait for it, and print it, as far as that is asked for.

    Exits with 1 where it was waited for and did not succeed.
    """
    if wait or follow:
        job = _waited(place, job, follow=follow)
        if not as_json:
            output.note(f"{job.title}: {shown.state(job)}")
    if as_json:
        output.as_json(shown.document(job, shown.runs(place, job)[job.id]))
    if (wait or follow) and job.state is not JobState.SUCCEEDED:
        sys.exit(1)


def _waited(place: Place, job: Posted, *, follow: bool) -> Posted:
    """*job* once it has ended; its lines are printed meanwhile, if they are to be."""
    from mlgit.launch import asking

    if follow:
        lines(place, job, None, follow=True)
    with _left_alone(job):
        while not (job := asking.look(place, [job]).jobs[0]).state.ended:
            time.sleep(_LOOK)
    return job


def lines(place: Place, job: Posted, task: int | None, *, follow: bool) -> None:
    """Print what *job* printed, of an array one *task*'s; with *follow*, as it comes, until it has ended."""
    from mlgit.launch import asking

    with _left_alone(job):
        for line in asking.logs(place, job, task, follow=follow):
            output.say(line)
            if follow:
                sys.stdout.flush()


@contextlib.contextmanager
def _left_alone(job: Posted) -> Iterator[None]:
    """A block that Ctrl-C ends, and *job* not."""
    try:
        yield
    except KeyboardInterrupt:
        output.note(f"the job goes on: mlgit jobs cancel {job.id} ends it")
        sys.exit(130)
