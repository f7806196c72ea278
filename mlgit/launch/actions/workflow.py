"""The workflow at GitHub whose runs are jobs, and the jobs of those their tasks: begun, listed, ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlgit.errors import MlgitError, NotFoundError
from mlgit.forge.github import dispatching
from mlgit.forge.github import workflow_runs as told
from mlgit.forge.github.actions import Actions
from mlgit.forge.github.workflow_runs import Job, WorkflowRun
from mlgit.launch.actions import pushed, workflow_runs

if TYPE_CHECKING:
    from mlgit.forge.github.answers import RefusedError
    from mlgit.launch.actions.request import Settings

_APPEARS = 60.0
"""Seconds in which GitHub shows a run that it has begun."""
_TO_HAVE_IT = "mlgit ci init --only launch, commit what it writes, and push that to the default branch"


@dataclass(frozen=True)
class Workflow:
    """The one that *settings* name. What asks GitHub raises `RefusedError`, `SilentError`, `UsageError`."""

    settings: Settings

    @cached_property
    def repository(self) -> str:
        """OWNER/NAME. Raises `UsageError` where nothing says it."""
        return self.settings.repository or pushed.repository(".")

    @cached_property
    def _actions(self) -> Actions:
        return Actions(self.settings.github(self.repository), self.repository)

    def find(self, key: str) -> str | None:
        """The run that *key* has started, however long ago."""
        runs = self._actions.runs(self.settings.workflow, told.run, event="workflow_dispatch")
        return workflow_runs.named(runs, key)

    def dispatch(self, path: str, content: Mapping[str, Any]) -> str | None:
        """Post *content* to *path*; the run that this begins, None from a server that does not tell."""
        return dispatching.post(self._actions.rest, path, content, lambda made: str(made["workflow_run_id"]))

    def appearing(self, key: str) -> str | None:
        """The run that *key* has just started, for which GitHub may take a moment; None if it started none."""
        until = time.monotonic() + _APPEARS
        while True:
            if known := workflow_runs.named(self._late(), key):
                return known
            if time.monotonic() > until:
                return None
            time.sleep(min(self.settings.poll_seconds, 2))

    def refusal(self, exc: RefusedError, name: str) -> MlgitError:
        """*exc*, met by the job *name* as it was dispatched, with what helps where the workflow is what lacks."""
        what = f"GitHub does not run the job {name!r}."
        if exc.status == 404:
            why = f"{self.repository} has no workflow {self.settings.workflow}, or does not show it to this token."
            return NotFoundError(what, why=f"{why}\n{exc.why}", fix=f"give the token access, or {_TO_HAVE_IT}")
        return MlgitError(what, why=f"{exc.what}\n{exc.why}", fix=_TO_HAVE_IT if exc.status == 422 else exc.fix)

    def known(self, wanted: Iterable[str]) -> dict[str, WorkflowRun]:
        """The runs of the numbers *wanted*, as far as there are such: late ones by one question, others by one each."""
        numbers = {number for number in wanted if number.isdecimal()}
        late = self._late() if len(numbers) > 1 else []
        found = {str(run.id): run for run in late if str(run.id) in numbers}
        for number in sorted(numbers - set(found)):
            if run := self._actions.run(number, told.run):
                found[number] = run
        return found

    def run(self, number: str, job: str) -> WorkflowRun:
        """The run *number*, by which the job *job* is asked after. Raises `NotFoundError`."""
        if number not in (found := self.known([number])):
            raise NotFoundError(f"There is no job {job} among the runs of {self.repository}.")
        return found[number]

    def tasks(self, number: str) -> dict[int, Job]:
        """The jobs of the run *number*, each by the number of the task that it does."""
        return workflow_runs.numbered(self._actions.jobs(number, told.job))

    def printed(self, job: int) -> list[str]:
        """The lines of *job*, which has ended; none where it never began. Raises `NotFoundError` for what is gone."""
        return workflow_runs.lines(self._actions.log(job))

    def cancel(self, number: str) -> None:
        """End the run *number*, if it has not ended meanwhile."""
        self._actions.cancel(number)

    def _late(self) -> list[WorkflowRun]:
        """The latest hundred runs."""
        return self._actions.late(self.settings.workflow, told.run, event="workflow_dispatch")
