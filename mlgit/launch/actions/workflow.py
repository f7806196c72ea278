"""The workflow at GitHub whose runs are jobs, and the jobs of those their tasks: begun, listed, ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlgit.errors import MlgitError, NotFoundError
from mlgit.forge.github.answers import RefusedError
from mlgit.launch.actions import pushed, workflow_runs

if TYPE_CHECKING:
    from mlgit.forge.github.rest import Rest
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
    def _github(self) -> Rest:
        return self.settings.github(self.repository)

    @property
    def _path(self) -> str:
        return f"repos/{self.repository}/actions"

    @property
    def _runs(self) -> str:
        return f"{self._path}/workflows/{self.settings.workflow}/runs"

    def find(self, key: str) -> str | None:
        """The run that *key* has started, however long ago."""
        runs = self._github.pages(self._runs, "workflow_runs", event="workflow_dispatch")
        return workflow_runs.named(runs, key)

    def dispatch(self, path: str, content: Mapping[str, Any]) -> str | None:
        """Post *content* to *path*; the run that this begins, None from a server that does not tell."""
        try:
            told = self._github.post(path, content)
        except RefusedError as exc:
            if exc.status != 422 or "return_run_details" not in exc.said:
                raise
            older = {name: value for name, value in content.items() if name != "return_run_details"}
            told = self._github.post(path, older)
        return str(told["workflow_run_id"]) if told else None

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

    def known(self, wanted: Iterable[str]) -> dict[str, Any]:
        """The runs of the numbers *wanted*, as far as there are such: late ones by one question, others by one each."""
        numbers = {number for number in wanted if number.isdecimal()}
        late = self._late() if len(numbers) > 1 else []
        found = {str(run["id"]): run for run in late if str(run["id"]) in numbers}
        for number in sorted(numbers - set(found)):
            try:
                found[number] = self._github.get(f"{self._path}/runs/{number}")
            except RefusedError as exc:
                if exc.status != 404:
                    raise
                self._github.get(
                    f"repos/{self.repository}"
                )  # which raises where it is the repository that is not there
        return found

    def run(self, number: str, job: str) -> Any:
        """The run *number*, by which the job *job* is asked after. Raises `NotFoundError`."""
        if number not in (found := self.known([number])):
            raise NotFoundError(f"There is no job {job} among the runs of {self.repository}.")
        return found[number]

    def tasks(self, number: str) -> dict[int, Mapping[str, Any]]:
        """The jobs of the run *number*, each by the number of the task that it does."""
        jobs = self._github.pages(f"{self._path}/runs/{number}/jobs", "jobs", filter="latest")
        return workflow_runs.numbered(jobs)

    def printed(self, job: int) -> list[str]:
        """The lines of *job*, which has ended; none where it never began. Raises `NotFoundError` for what is gone."""
        try:
            return workflow_runs.lines(self._github.text(f"{self._path}/jobs/{job}/logs"))
        except RefusedError as exc:
            if exc.status == 410:
                raise NotFoundError(f"GitHub has thrown away what the job {job} printed.", why=exc.why) from None
            if exc.status != 404:
                raise
            return []

    def cancel(self, number: str) -> None:
        """End the run *number*, if it has not ended meanwhile."""
        try:
            self._github.post(f"{self._path}/runs/{number}/cancel")
        except RefusedError as exc:
            if exc.status != 409:
                raise

    def _late(self) -> list[Any]:
        """The latest hundred runs."""
        found: list[Any] = self._github.get(self._runs, event="workflow_dispatch", per_page=100)["workflow_runs"]
        return found
