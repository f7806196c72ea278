"""What CI does on GitHub: which run of the workflow a word means, and how that stands."""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlgit import wiring
from mlgit.ci import plan as plans
from mlgit.ci.underway import PLAN, Underway, commit_of
from mlgit.ci.workflows import WORKFLOWS
from mlgit.core import refs
from mlgit.core.job import JobState
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.forge.github import said, workflow_runs
from mlgit.forge.github.actions import Actions
from mlgit.forge.github.answers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlgit.core.run import Run
    from mlgit.forge.github.workflow_runs import WorkflowRun
    from mlgit.store.place import Place

LATEST = "latest"
_DISPATCH = "workflow_dispatch"
_FILE, _RETRAIN = (WORKFLOWS[name].file for name in ("experiment", "retrain"))
_TRAINING = (_FILE, _RETRAIN)
"""The workflows that have a plan and trials."""
PLANNED = ("mlgit-plan", "plan.json")
"""The artifact in which the plan is handed on, and its file."""
_PAGE = re.compile(r"https?://[^\s]+/actions/runs/(\d+)(?:/.*)?")
_LOOKED_AT = 1000
"""Late runs among which those are sought that had something to do: of most pushes there is one that had not."""
_SEARCHED = 10
"""Late runs whose plans are read for one that makes what somebody names."""


@dataclass(frozen=True, kw_only=True)
class Ci:
    """What GitHub's Actions do for the repository of *place*."""

    place: Place
    actions: Actions
    _plans: dict[tuple[int, int], plans.Plan | None] = field(default_factory=dict, repr=False)
    """What each attempt has planned; None where that is nothing that this mlgit reads."""

    def listed(self, *, workflow: str = _FILE, branch: str | None = None, most: int) -> list[WorkflowRun]:
        """The late runs of *workflow* (a file's name), newest first: *most* of those that had something to do."""
        asked = {"branch": branch} if branch else {}
        found: list[WorkflowRun] = []
        for one in itertools.islice(self._runs(workflow, **asked), _LOOKED_AT):
            if not one.is_skipped:
                found.append(one)
            if len(found) >= most:
                break
        return found

    def find(self, text: str | None = None) -> WorkflowRun:
        """The run that *text* names; without one, that of the commit that we are at, else the last of the branch.

        A number of GitHub's or its page, `latest`, a branch, a commit, or an mlgit run or a sweep that CI makes. Of
        several the newest. Raises `NotFoundError`, `UsageError`.
        """
        if text is None:
            return self._here()
        for way in (self._numbered, self._late, self._of_branch, self._of_commit, self._of_branch_there, self._making):
            if found := way(text):
                return found
        what = f"CI does nothing that {text[:120]!r} names."
        fix = "mlgit ci ls lists what it does; a commit that asks for nothing starts nothing"
        raise NotFoundError(what, fix=fix)

    def of_commit(self, commit: str) -> list[WorkflowRun]:
        """The runs that train *commit*, newest first: what began with it as the head, and dispatches about it."""
        begun = self.actions.of_commit(commit, workflow_runs.run)
        pushed = [one for one in begun if one.workflow in _TRAINING and not one.is_skipped]
        try:
            dispatched = self._dispatched()
        except NotFoundError:  # it has only other workflows of ours
            if not pushed:
                raise
            dispatched = []
        found = {one.id: one for one in (*pushed, *dispatched) if commit_of(one) == commit}
        return sorted(found.values(), key=lambda one: (-one.created, -one.id))

    def after(self, run: WorkflowRun) -> WorkflowRun | None:
        """The run by which what *run* does goes on: the first dispatch about its commit since it began."""
        commit, begun = commit_of(run), (run.created, run.id)
        later = [one for one in self.of_commit(commit) if (one.created, one.id) > begun and one.event == _DISPATCH]
        return later[-1] if later else None

    def asks(self, commit: str) -> bool:
        """Whether *commit* asks CI for something, as far as that can be read."""
        from mlgit.ci import code
        from mlgit.wiring import ci

        try:
            return bool(ci.asked(code.of(self.place, commit)))
        except MlgitError:
            return False

    def is_pushed(self, commit: str) -> bool:
        """Whether a branch of origin holds *commit*, as far as this clone knows."""
        return bool(self.place.repo.git("for-each-ref", "--count=1", f"--contains={commit}", "refs/remotes/origin/"))

    def look(self, run: WorkflowRun, *, anew: bool = False) -> Underway:
        """How *run* stands, asked for *anew* or as it was found, with its jobs and, once there is one, its plan."""
        if anew:
            known = self.actions.run(run.id, workflow_runs.run)
            if known is None:
                raise NotFoundError(f"GitHub has no run {run.id} any more.")
            run = known
        jobs = tuple(self.actions.jobs(run.id, workflow_runs.job))
        has_plan = any(job.name == PLAN and job.state is JobState.SUCCEEDED for job in jobs)
        return Underway(run=run, jobs=jobs, plan=self._plan(run) if has_plan and run.workflow in _TRAINING else None)

    def made(self, underway: Underway) -> dict[str, Run]:
        """The runs of its trials that are here by now, by their ids."""
        from mlgit.index import query

        ids = [trial.id for trial in underway.plan.trials] if underway.plan else []
        return {run.id: run for run in query.of_ids(self.place.repo, ids)} if ids else {}

    def _here(self) -> WorkflowRun:
        head = self.place.repo.resolve("HEAD")
        if head and (found := self.of_commit(head)):
            return found[0]
        branch = (self.place.repo.head() or "").removeprefix("refs/heads/")
        if branch and (last := self._of_branch(branch)):
            return last
        what = f"CI does nothing for {branch or (head or 'HEAD')[:10]}."
        fix = "mlgit commit --run NAME=VALUE --push asks for something; mlgit ci ls lists what CI does for others"
        raise NotFoundError(what, fix=fix)

    def _numbered(self, text: str) -> WorkflowRun | None:
        page = _PAGE.fullmatch(text)
        if not page and not (text.isascii() and text.isdecimal()):
            return None
        return self.actions.run(page[1] if page else text, workflow_runs.run)

    def _late(self, text: str) -> WorkflowRun | None:
        return next(iter(self.listed(most=1)), None) if text == LATEST else None

    def _of_branch(self, text: str) -> WorkflowRun | None:
        if _is_runs(text) or text == "HEAD":
            return None  # a run's, which starts nothing; a commit
        known = self.place.repo.refs("refs/heads/", "refs/remotes/origin/")
        name = text.removeprefix("origin/") if f"refs/remotes/{text}" in known else text
        if f"refs/heads/{name}" not in known and f"refs/remotes/origin/{name}" not in known:
            return None
        return next(iter(self.listed(branch=name, most=1)), None)

    def _of_branch_there(self, text: str) -> WorkflowRun | None:
        """That of a branch that only GitHub has."""
        may_be = said.is_branch(text) and ":" not in text and not _is_runs(text)
        return next(iter(self.listed(branch=text, most=1)), None) if may_be else None

    def _of_commit(self, text: str) -> WorkflowRun | None:
        commit = None if _is_runs(text) else self.place.repo.resolve(text)
        return next(iter(self.of_commit(commit)), None) if commit else None

    def _making(self, text: str) -> WorkflowRun | None:
        """The run of the workflow that makes the mlgit run, or the sweep, *text*: by its commit, where that is here."""
        run = self._known(text)
        some = self.of_commit(run.source) if run and run.source else self.listed(most=_SEARCHED)
        for one in some:
            plan = self._plan(one)
            if plan is None:
                continue
            named = {name for trial in plan.trials for name in (trial.id, trial.name)}
            if (run.id if run else text) in named or text in (plan.sweep, plan.sweep_name, plan.path):
                return one
        return None

    def _known(self, text: str) -> Run | None:
        from mlgit.index import query
        from mlgit.sweeps import record

        try:
            return query.find(self.place.repo, text, project=self.place.meant)
        except MlgitError:  # none, or several
            pass
        try:
            sweep = record.find(self.place.repo, self.place.meant, text)
        except MlgitError:
            return None
        return next(iter(query.runs(self.place.repo, sweep=sweep.id)), None)

    def _plan(self, run: WorkflowRun) -> plans.Plan | None:
        """Its plan; None where there is none, none any more, or none that this mlgit reads."""
        key = run.id, run.attempt
        if key in self._plans:
            return self._plans[key]
        content = self.actions.file(run.id, *PLANNED)
        if content is None:
            return None
        self._plans[key] = None
        with contextlib.suppress(UsageError):
            self._plans[key] = plans.read(content, source=f"the plan of {run.id}")
        return self._plans[key]

    def _dispatched(self) -> list[WorkflowRun]:
        with _named(_FILE, self.actions.repository):
            found = self.actions.late(_FILE, workflow_runs.run, event=_DISPATCH)
        return [one for one in found if not one.is_skipped]

    def _runs(self, workflow: str, **asked: Any) -> Iterator[WorkflowRun]:
        with _named(workflow, self.actions.repository):
            yield from self.actions.runs(workflow, workflow_runs.run, **asked)


def ci(place: Place) -> Ci:
    """That of *place*. Raises `UsageError` where its pull requests do not live on GitHub."""
    forge = wiring.github(place)
    return Ci(place=place, actions=Actions(forge.rest, forge.name))


def _is_runs(text: str) -> bool:
    """Whether *text* is the branch of a run."""
    return f"refs/heads/{text}".startswith(refs.RUNS)


@contextlib.contextmanager
def _named(workflow: str, repository: str) -> Iterator[None]:
    """A block in which GitHub's 404 means that there is no such workflow."""
    try:
        yield
    except RefusedError as exc:
        if exc.status != 404:
            raise
        what = f"{repository} has no workflow {workflow}, or does not show it to this token."
        fix = "mlgit ci init, and merge what it writes into the default branch"
        raise NotFoundError(what, why=exc.why, fix=fix) from None
