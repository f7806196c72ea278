"""Runners of one's own as GitHub knows them: registered just in time, for one job each; and the jobs that wait.

https://docs.github.com/rest/actions/self-hosted-runners
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from mlgit.errors import NotFoundError
from mlgit.forge.github.actions import Actions
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest
from mlgit.forge.github.workflow_runs import Job, job

SELF_HOSTED = "self-hosted"
"""The label that runners of one's own have by custom: a just-in-time one has what it is given, and no more."""
_UNDER_WAY = ("queued", "in_progress")
"""How runs stand that are of interest: of one that is under way, some jobs may wait."""
_RUNS = 50
"""So many of the latest workflow runs that wait, and of those under way, are looked into for jobs."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A runner as GitHub sees it."""

    id: int
    name: str
    labels: tuple[str, ...]
    is_online: bool
    is_busy: bool
    at: str
    """The title of its pool."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Where runners are registered: at *repository*, or at *organization*, in its runner group of that number.

    What asks GitHub raises `RefusedError`, `SilentError`, `UsageError`.
    """

    rest: Rest
    repository: str
    organization: str = ""
    group: int = 1

    @property
    def title(self) -> str:
        """What has these runners, for people."""
        return self.organization or self.repository

    @property
    def _path(self) -> str:
        of = f"orgs/{quote(self.organization, safe='')}" if self.organization else f"repos/{self.repository}"
        return f"{of}/actions"

    def is_public(self) -> bool:
        """Whether somebody who may not push here can have a job on these runners, by a pull request of a fork."""
        if not self.organization:
            return not self.rest.get(f"repos/{self.repository}", itemgetter("private"))
        group = f"{self._path}/runner-groups/{self.group}"
        return bool(self.rest.get(group, itemgetter("allows_public_repositories")))

    def registered(self) -> list[Registered]:
        """All that there are."""
        return self.rest.everything(f"{self._path}/runners", "runners", partial(_registered, self.title))

    def register(self, name: str, labels: Sequence[str]) -> str:
        """Make a runner of that *name* known, for one job; what its program has to be given, which is a secret."""
        content = {"name": name, "runner_group_id": self.group, "labels": list(labels), "work_folder": "_work"}
        try:
            return self.rest.post(f"{self._path}/runners/generate-jitconfig", content, _config)
        except RefusedError as exc:
            if exc.status != 404:
                raise
            right = "organization: Self-hosted runners" if self.organization else "repository: Administration"
            fix = (
                f"a token of somebody who administers it, with the right to write ({right}); a workflow's has it never"
            )
            raise NotFoundError(f"GitHub lets nobody with this token register runners of {self.title}.", why=exc.why,
                                fix=fix) from None  # fmt: skip

    def remove(self, one: Registered) -> bool:
        """Let GitHub forget *one*, so that it gets no job any more; False where it has one: then it stays."""
        try:
            self.rest.delete(f"{self._path}/runners/{one.id}")
        except RefusedError as exc:
            if exc.status == 422:
                return False
            if exc.status != 404:  # it has gone by itself
                raise
        return True

    def jobs(self) -> list[Job]:
        """The jobs of the repository's workflows that are under way or wait for nothing but a runner, eldest first.

        A run that stays as it was costs nothing of what may be asked in an hour (304).
        """
        actions = Actions(self.rest, self.repository)
        runs = dict.fromkeys(chain(*(actions.standing(status, most=_RUNS) for status in _UNDER_WAY)))
        told = chain(*(_of_run(actions, run) for run in runs))
        return sorted((one for one in told if not (one.state.ended or one.why)), key=lambda one: (one.created, one.id))


def _of_run(actions: Actions, run: int) -> list[Job]:
    try:
        return actions.jobs(run, job)
    except RefusedError as exc:
        if exc.status != 404:  # somebody has deleted the run meanwhile
            raise
        return []


def _config(told: Mapping[str, Any]) -> str:
    return str(told["encoded_jit_config"])


def _registered(at: str, told: Mapping[str, Any]) -> Registered:
    return Registered(
        id=told["id"], name=told["name"], labels=tuple(label["name"] for label in told["labels"]),
        is_online=told["status"] == "online", is_busy=told["busy"], at=at,
    )  # fmt: skip
