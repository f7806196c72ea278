"""What CI does, looked at again and again until it ends, as often as GitHub allows."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import NotFoundError, SilentError, UsageError
from mlgit.forge.github.answers import TooMuchError

if TYPE_CHECKING:
    from mlgit.ci.underway import Underway
    from mlgit.forge.github.workflow_runs import WorkflowRun
    from mlgit.wiring.underway import Ci

_APPEARS = 60.0
"""Seconds within which GitHub begins what a push asks for."""
_SOON = 2.0
_LOOKS = 5
"""For the next part, which begins before the one before it has ended: GitHub may take a moment to show it."""
_LATER = 60.0
"""Seconds that are waited where GitHub answers no more, and does not say for how long."""
_PAGE = 100


def begun(ci: Ci, run: str | None) -> WorkflowRun:
    """The run that *run* names, as `Ci.find` does; where HEAD asks for one, that, once GitHub has begun it.

    Raises `UsageError` where it is not pushed.
    """
    head = ci.place.repo.resolve("HEAD")
    if run is not None or head is None or not ci.asks(head):
        return ci.find(run)
    until = time.monotonic() + _APPEARS
    is_told = False
    while not (found := ci.of_commit(head)):
        if not ci.is_pushed(head):
            raise UsageError(
                f"HEAD ({head[:10]}) asks CI for something, and is on no branch of origin.", fix="git push"
            )
        if time.monotonic() > until:
            fix = "mlgit ci check says whether GitHub is set up; mlgit ci ls lists what it does"
            raise NotFoundError(f"GitHub has begun nothing for HEAD ({head[:10]}), which asks for something.", fix=fix)
        if not is_told:
            output.note(f"waiting for GitHub to begin what {head[:10]} asks for")
            is_told = True
        time.sleep(_SOON)
    return found[0]


def following(ci: Ci, last: Underway) -> WorkflowRun | None:
    """The run by which *last*, which has ended, goes on, once GitHub shows it; None where none does."""
    for looked in range(_LOOKS if last.goes_on else 0):
        if looked:
            time.sleep(_SOON)
        if found := ci.after(last.run):
            return found
    return None


def looks(ci: Ci, run: WorkflowRun, interval: float) -> Iterator[Underway]:
    """How *run* stands, every *interval* seconds until it has ended; the last is how it ended.

    A look costs a request, and one for each hundred jobs, of which GitHub counts those alone that tell something new:
    never more than one a second. While GitHub does not answer, it is asked further; where it wants a pause, after that.
    """
    found = ci.look(run)
    yield found
    is_silent, pause = False, 0.0
    while not found.run.state.ended:
        time.sleep(max(interval, 2.0 + len(found.jobs) // _PAGE, pause))
        pause = 0.0
        try:
            found = ci.look(found.run, anew=True)
        except TooMuchError as exc:
            pause = _LATER if exc.seconds is None else exc.seconds
            output.note(f"{exc.what} It is asked again in {figures.duration(pause)}: Ctrl-C ends that.")
            continue
        except SilentError as exc:
            if not is_silent:
                output.note(f"{exc.what} It is asked further: Ctrl-C ends that.")
            is_silent = True
            continue
        is_silent = False
        yield found


@contextlib.contextmanager
def left_alone(run: WorkflowRun) -> Iterator[None]:
    """A block that Ctrl-C ends, and *run* not."""
    try:
        yield
    except KeyboardInterrupt:
        if not run.state.ended:
            output.note(f"it goes on: mlgit ci cancel {run.id} ends it")
        sys.exit(130)
