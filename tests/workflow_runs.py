"""Workflow runs, their jobs, logs and artifacts: a part of `tests.github`, with a state of its own.

Nothing runs here: a test says what has become of what. Answers are those of GitHub's own description.
"""

from __future__ import annotations

import io
import itertools
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.runners import made

STORED = "/stored/"
"""Where logs and artifacts lie, on another server than the one that is asked for them."""


@dataclass
class Actions:
    """Those of one repository."""

    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    logs: dict[int, str] = field(default_factory=dict)
    artifacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    workflows: set[str] = field(default_factory=lambda: {"mlgit-experiment.yml", "mlgit-report.yml"})
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(20_000_000_001))

    def begin(
        self, commit: str, *, workflow: str = "mlgit-experiment.yml", branch: str = "main", event: str = "push",
        title: str = "a commit", conclusion: str | None = None,
    ) -> int:  # fmt: skip
        """A run that goes on, or has ended; its number."""
        id = next(self._ids)
        self.runs[id] = {
            "id": id, "path": f".github/workflows/{workflow}", "head_sha": commit, "head_branch": branch,
            "event": event, "display_title": title, "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion, "run_attempt": 1, "created_at": _moment(), "run_started_at": _moment(),
            "updated_at": _moment(), "html_url": f"https://github.com/acme/churn/actions/runs/{id}",
        }  # fmt: skip
        return id

    def job(self, run: int, name: str, how: str = "success", *, steps: dict[str, str] | None = None,
            log: str | None = None) -> int:  # fmt: skip
        """A job of *run*: `queued`, `in_progress`, or ended with that conclusion, like each of its *steps*; its id."""
        id = next(self._ids)
        self.jobs[id] = {
            "id": id, "run_id": run, "name": name, "runner_name": "" if how == "queued" else f"runner-{name}",
            "html_url": f"{self.runs[run]['html_url']}/job/{id}", "run_attempt": 1,
            "steps": [{"name": step, "number": n, **_at(at)} for n, (step, at) in enumerate((steps or {}).items(), 1)],
            **_at(how),
        }  # fmt: skip
        if log is not None:
            self.logs[id] = log
        return id

    def end(self, run: int, conclusion: str = "success") -> None:
        """Have *run* end, with all that is not over yet."""
        for job in self.jobs.values():
            if job["run_id"] == run and job["status"] != "completed":
                job.update(_at(conclusion))
        self.runs[run].update(status="completed", conclusion=conclusion, updated_at=_moment())

    def hand_over(self, run: int, name: str, file: str, content: bytes) -> int:
        """An artifact of one *file*."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            written.writestr(file, content)
        id = next(self._ids)
        self.artifacts[id] = {"of": run, "id": id, "name": name, "content": archive.getvalue(), "expired": False}
        return id

    def answer(self, method: str, parts: list[str], query: dict[str, str]) -> tuple[int, Any] | None:
        """The status, and what is told, to one request; where it is, with 302; None where there is no such thing."""
        match (method, *parts):
            case "GET", "actions", "runs":
                some = [run for run in reversed(self.runs.values()) if run["head_sha"] == query["head_sha"]]
                return 200, _page("ReposOwnerRepoActionsRunsGetResponse200", "workflow_runs",
                                  [made("WorkflowRun", **run) for run in some], query)  # fmt: skip
            case "GET", "actions", "workflows", name, "runs" if name in self.workflows:
                asked = {"branch": "head_branch", "head_sha": "head_sha", "event": "event"}
                some = [
                    run for run in reversed(self.runs.values())
                    if run["path"].endswith(f"/{name}")
                    and all(run[asked[key]] == value for key, value in query.items() if key in asked)
                ]  # fmt: skip
                told = [made("WorkflowRun", **run) for run in some]
                return 200, _page("ReposOwnerRepoActionsWorkflowsWorkflowIdRunsGetResponse200", "workflow_runs", told,
                                  query)  # fmt: skip
            case "GET", "actions", "runs", number if int(number) in self.runs:
                return 200, made("WorkflowRun", **self.runs[int(number)])
            case "GET", "actions", "runs", number, "jobs" if int(number) in self.runs:
                told = [made("Job", **job) for job in self.jobs.values() if job["run_id"] == int(number)]
                return 200, _page("ReposOwnerRepoActionsRunsRunIdJobsGetResponse200", "jobs", told, query)
            case "GET", "actions", "runs", number, "artifacts" if int(number) in self.runs:
                some = [one for one in self.artifacts.values() if one["of"] == int(number)]
                told = [
                    made("Artifact", id=one["id"], name=one["name"], size_in_bytes=len(one["content"]),
                         expired=one["expired"])
                    for one in some if one["name"] == query.get("name", one["name"])
                ]  # fmt: skip
                return 200, _page("ReposOwnerRepoActionsRunsRunIdArtifactsGetResponse200", "artifacts", told, query)
            case "GET", "actions", "artifacts", number, "zip" if int(number) in self.artifacts:
                return 302, f"{STORED}artifacts/{number}"
            case "GET", "actions", "jobs", number, "logs" if int(number) in self.logs:
                is_over = self.jobs[int(number)]["status"] == "completed"
                return (302, f"{STORED}logs/{number}") if is_over else None
            case "POST", "actions", "runs", number, "cancel" if int(number) in self.runs:
                if self.runs[int(number)]["status"] == "completed":
                    return 409, "Cannot cancel a workflow run that is completed."
                self.end(int(number), "cancelled")
                return 202, {}
            case "POST", "actions", "runs", number, ("rerun" | "rerun-failed-jobs" as how) if int(number) in self.runs:
                return self._again(int(number), is_whole=how == "rerun")
        return None

    def _again(self, run: int, *, is_whole: bool) -> tuple[int, Any]:
        told = self.runs[run]
        if told["status"] != "completed":
            return 403, "This workflow is already running"
        if not any(job["run_id"] == run for job in self.jobs.values()):
            return 403, "This workflow run cannot be retried"
        for job in self.jobs.values():
            if job["run_id"] == run and (is_whole or job["conclusion"] not in ("success", "skipped")):
                job.update(_at("queued"))
        told.update(status="queued", conclusion=None, run_attempt=told["run_attempt"] + 1, run_started_at=_moment())
        return 201, {}

    def stored(self, path: str) -> bytes:
        """What lies at *path* of the other server."""
        kind, _, number = path.removeprefix(STORED).partition("/")
        if kind == "artifacts":
            return bytes(self.artifacts[int(number)]["content"])
        lines = self.logs[int(number)].splitlines(keepends=True)
        return "\ufeff".encode() + "".join(f"{_moment()[:-1]}.1234567Z {line}" for line in lines).encode()


def _at(how: str) -> dict[str, Any]:
    """A job's or a step's status, conclusion and times."""
    if how in ("queued", "in_progress", "waiting", "pending"):
        return {"status": how, "conclusion": None, "started_at": _moment(), "completed_at": None}
    return {"status": "completed", "conclusion": how, "started_at": _moment(), "completed_at": _moment()}


def _moment() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _page(model: str, within: str, all_: list[Any], query: dict[str, str]) -> Any:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    assert size <= 100
    return made(model, total_count=len(all_)) | {within: all_[size * (number - 1) : size * number]}
