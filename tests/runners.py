"""A stand-in for GitHub Actions whose runs are real: what is dispatched to it, `act` executes on this machine.

Its requests and answers are those of GitHub's own description, which `githubkit-schemas` brings as pydantic's models.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import types
import typing
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import yaml

TOKEN = "ghs_of_the_tests"
WORKFLOW = ".github/workflows/mlgit-launch.yml"
_ACT = Path(sys.executable).with_name("act")
_CHECKOUT = """
name: checkout
description: What of actions/checkout is used here, by git alone
inputs: {ref: {description: a commit, required: true}, persist-credentials: {description: "", required: true}}
runs:
  using: composite
  steps:
    - shell: sh
      env: {REF: "${{ inputs.ref }}"}
      run: |
        git init -q . && git remote add origin "$TESTS_REMOTE"
        git fetch -q --depth 1 origin "$REF" && git checkout -q FETCH_HEAD
"""


def is_here() -> bool:
    """Whether this machine has act, and GitHub's models."""
    return _ACT.exists() and find_spec("githubkit_schemas") is not None


@dataclass
class Run:
    """One run of the workflow."""

    number: int
    title: str
    inputs: dict[str, str]
    status: str = "queued"
    conclusion: str | None = None
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    logs: dict[int, list[str]] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    is_cancelled: bool = False


@dataclass
class GitHub:
    """What one repository's Actions know; *answers* are given instead, one by one, to whoever asks next."""

    folder: Path
    remote: Path
    runs: dict[int, Run] = field(default_factory=dict)
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    knows_details: bool = True
    """Whether it answers to a dispatch with the run's number, as since 2026."""
    address: str = ""

    def dispatch(self, content: dict[str, Any]) -> tuple[int, Any]:
        """Begin a run, as `POST …/dispatches` does."""
        if unknown := set(content) - {"ref", "inputs"} - ({"return_run_details"} if self.knows_details else set()):
            return 422, {"message": f'Invalid request.\n\n"{unknown.pop()}" is not a permitted key.'}
        told = checked("ReposOwnerRepoActionsWorkflowsWorkflowIdDispatchesPostBody", content)
        text = subprocess.run(["git", "show", f"refs/heads/{told['ref']}:{WORKFLOW}"], cwd=self.remote, text=True,
                              capture_output=True)  # fmt: skip
        if text.returncode:
            return 422, {"message": f"No ref found for: {told['ref']}"}
        workflow = yaml.safe_load(text.stdout)
        if unknown := set(told["inputs"]) - set(workflow[True]["workflow_dispatch"]["inputs"]):
            return 422, {"message": f"Unexpected inputs provided: {sorted(unknown)}"}
        if len(told["inputs"]) > 25 or sum(map(len, told["inputs"].values())) > 65_535:
            return 422, {"message": "inputs are too large."}
        job = json.loads(told["inputs"]["job"])
        title = workflow["run-name"].replace("${{ fromJSON(inputs.job).name }}", job["name"])
        title = title.replace("${{ inputs.key }}", told["inputs"]["key"])
        assert "${{" not in workflow["run-name"].replace("${{ fromJSON(inputs.job).name }}", "").replace(
            "${{ inputs.key }}", "")  # fmt: skip
        run = Run(1000 + len(self.runs), title, told["inputs"])
        self.runs[run.number] = run
        threading.Thread(target=self._execute, args=(run, text.stdout), daemon=True).start()
        if not content.get("return_run_details"):
            return 204, None
        url = f"{self.address}/repos/acme/churn/actions/runs/{run.number}"
        return 200, made("WorkflowDispatchResponse", workflow_run_id=run.number, run_url=url, html_url=url)

    def _execute(self, run: Run, workflow: str) -> None:
        here = self.folder / str(run.number)
        (here / "repo/.github/workflows").mkdir(parents=True)
        (here / "repo" / WORKFLOW).write_text(workflow)
        (here / "event.json").write_text(json.dumps({"inputs": run.inputs}))
        (here / "checkout").mkdir()
        (here / "checkout/action.yml").write_text(_CHECKOUT)
        (checkout,) = set(re.findall(r"actions/checkout@\w+", workflow))
        secrets = [name for name in re.findall(r"^[^#\n]*\$\{\{ secrets\.(\w+)", workflow, re.M) if name in os.environ]
        words = [_ACT, "workflow_dispatch", "-W", WORKFLOW, "-e", here / "event.json", "--json", "--no-cache-server",
                 *itertools.chain(*(("-P", f"{one}=-self-hosted") for one in ("ubuntu-latest", "gpu", "self-hosted"))),
                 *itertools.chain(*(("-s", name) for name in secrets)), "-s", f"GITHUB_TOKEN={TOKEN}",
                 "--env", f"TESTS_REMOTE={self.remote}", "--action-cache-path", here / "cache",
                 "--local-repository", f"{checkout}={here / 'checkout'}"]  # fmt: skip
        for folder in ("repo", "checkout"):
            for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "start"]):
                subprocess.run(["git", *command], cwd=here / folder, check=True)
        env = {name: value for name, value in os.environ.items() if name not in ("GITHUB_TOKEN", "GH_TOKEN")}
        env["HOME"] = str(here)
        run.process = subprocess.Popen(words, cwd=here / "repo", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True, env=env)  # fmt: skip
        run.status = "in_progress"
        script = "".join(f"{line}\n" for line in workflow.splitlines())
        assert run.process.stdout
        with run.process.stdout as lines:
            for line in lines:
                self._hear(run, json.loads(line), script)
        code = run.process.wait()
        for job in run.jobs.values():
            if job["status"] != "completed":
                job.update(status="completed", conclusion="cancelled", completed_at=_NOW)
        run.conclusion = "cancelled" if run.is_cancelled else "failure" if code else "success"
        run.status = "completed"
        shutil.rmtree(here, ignore_errors=True)

    def _hear(self, run: Run, told: dict[str, Any], script: str) -> None:
        """Put down what act tells: of a job, of its steps, or what one printed."""
        if "matrix" not in told:
            return
        number = told["matrix"]["task"]
        job = run.jobs.setdefault(number, {"name": f"task {number}", "status": "in_progress", "conclusion": None,
                                           "completed_at": None, "steps": []})  # fmt: skip
        log = run.logs.setdefault(number, ["##[group]Run import json", *script.splitlines(), "##[endgroup]"])
        if told.get("raw_output"):
            log.append(told["msg"])
        if "jobResult" in told:
            failed = any(step["conclusion"] == "failure" for step in job["steps"])  # act tells one result for a matrix
            ended = "cancelled" if run.is_cancelled else "failure" if failed else "success"
            job.update(status="completed", conclusion=ended, completed_at=_NOW)
        if told.get("stage") != "Main" or len(told.get("stepID", ())) != 1:
            return
        steps = {step["number"]: step for step in job["steps"]}
        at = len(steps) if steps and job["steps"][-1]["status"] == "in_progress" else len(steps) + 1
        if told["msg"].lstrip().startswith("⭐ Run Main"):
            job["steps"].append({"name": told["step"], "number": at, "status": "in_progress", "conclusion": None})
        elif "stepResult" in told and at in steps:
            steps[at].update(status="completed", conclusion=told["stepResult"])

    def cancel(self, run: Run) -> tuple[int, Any]:
        """End a run as GitHub's runner does: the step's process is told, then all is killed."""
        if run.status == "completed":
            return 409, {"message": "Cannot cancel a workflow run that is completed."}
        run.is_cancelled = True
        threading.Thread(target=self._end, args=(run,), daemon=True).start()
        return 202, {}

    def _end(self, run: Run) -> None:
        while run.process is None:
            threading.Event().wait(0.01)
        with contextlib.suppress(psutil.NoSuchProcess):
            act = psutil.Process(run.process.pid)
            steps = act.children()
            for step in steps:
                step.send_signal(signal.SIGINT)
            act.send_signal(signal.SIGINT)
            psutil.wait_procs(steps, 7.5)
            for one in act.children(recursive=True):
                one.kill()

    def answer(self, method: str, path: str, query: dict[str, str], content: Any) -> tuple[int, Any]:
        """The status, and what is told, to one request."""
        parts = path.removeprefix("/repos/acme/churn").strip("/").split("/")
        if not path.startswith("/repos/acme/churn"):
            return _MISSING
        match (method, *parts):
            case "GET", "":
                return 200, made("FullRepository")
            case "POST", "actions", "workflows", "mlgit-launch.yml", "dispatches":
                return self.dispatch(content)
            case "GET", "actions", "workflows", "mlgit-launch.yml", "runs":
                runs = [self._told(run) for run in reversed(dict(self.runs).values())]  # others add to it
                return 200, _page("workflow_runs", runs, query)
            case "GET", "actions", "runs", number if number.isdecimal() and int(number) in self.runs:
                return 200, self._told(self.runs[int(number)])
            case "POST", "actions", "runs", number, "cancel" if int(number) in self.runs:
                return self.cancel(self.runs[int(number)])
            case "GET", "actions", "runs", number, "jobs" if int(number) in self.runs:
                run = self.runs[int(number)]
                jobs = [made("Job", **job, id=1000 * run.number + one, run_id=run.number)
                        for one, job in sorted(dict(run.jobs).items())]  # fmt: skip
                return 200, _page("jobs", jobs, query)
            case "GET", "actions", "jobs", number, "logs":
                run = self.runs[int(number) // 1000]
                if run.jobs[int(number) % 1000]["status"] != "completed":
                    return _MISSING
                return 302, f"{self.address}/stored/{number}"
        return _MISSING

    def log(self, number: int) -> str:
        """What a job printed, as GitHub keeps it: each line with its time."""
        printed = "".join(line if line.endswith("\n") else f"{line}\n" for line in
                          self.runs[number // 1000].logs[number % 1000])  # fmt: skip
        return "\ufeff" + "".join(f"2026-11-26T20:01:02.1234567Z {line}\n" for line in printed.splitlines())

    @staticmethod
    def _told(run: Run) -> Any:
        return made("WorkflowRun", id=run.number, status=run.status, conclusion=run.conclusion,
                    display_title=run.title, event="workflow_dispatch")  # fmt: skip


_NOW = "2026-11-26T20:01:02Z"
_MISSING = 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}


def _page(within: str, all_: list[Any], query: dict[str, str]) -> Any:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return {"total_count": len(all_), within: all_[size * (number - 1) : size * number]}


@functools.cache
def _model(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module("githubkit_schemas.v2022_11_28.models"), name)


def checked(name: str, told: Any) -> Any:
    """*told*, which is what GitHub's description calls *name*."""
    _model(name).model_validate(told)
    return told


def made(name: str, /, **given: Any) -> Any:
    """What GitHub's description calls *name*: what is *given*, and something for all else that has to be in it."""
    return checked(name, _filled(_model(name), given))


def _filled(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if not fields:
        return given
    return {name: _something(field.annotation, given.get(name)) if name not in given or isinstance(given[name], dict)
            else given[name] for name, field in fields.items() if name in given or field.is_required()}  # fmt: skip


def _something(kind: Any, given: dict[str, Any] | None = None) -> Any:
    if (origin := typing.get_origin(kind)) in (typing.Union, types.UnionType):
        kinds = typing.get_args(kind)
        if given is not None:
            return _something(next((one for one in kinds if hasattr(one, "model_fields")), dict), given)
        return None if type(None) in kinds else _something(kinds[0])
    if origin is typing.Annotated:
        return _something(typing.get_args(kind)[0], given)
    if origin is typing.Literal:
        return typing.get_args(kind)[0]
    if origin is list:
        return []
    if hasattr(kind, "model_fields"):
        return _filled(kind, given or {})
    if given is not None:
        return given
    return {str: "x", int: 1, bool: False, float: 1.0, datetime.datetime: _NOW}[kind]


@contextlib.contextmanager
def serving(folder: Path, remote: Path) -> Iterator[GitHub]:
    """GitHub on loopback, whose repository acme/churn is the bare one at *remote*."""
    github = GitHub(folder, remote)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            github.asked.append(f"{self.command} {url.path}")
            headers: dict[str, str] = {}
            if url.path.startswith("/stored/"):  # another host's, which the token is not for
                assert "Authorization" not in self.headers or self.headers["Host"] in github.address
                self._send(200, headers, github.log(int(url.path.rpartition("/")[2])).encode())
                return
            if github.answers:
                status, headers, told = github.answers.pop(0)
            elif self.headers.get("Authorization") != f"token {TOKEN}":
                status, told = 401, {"message": "Bad credentials"}
            else:
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                status, told = github.answer(self.command, url.path, query, json.loads(body or "null"))
            if status == 302:
                headers, told = {"Location": told}, None
            self._send(status, headers, b"" if told is None else json.dumps(told).encode())

        do_GET = do_POST = _answer

        def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        github.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield github
        finally:
            for run in github.runs.values():
                if run.status != "completed":
                    github.cancel(run)
            server.shutdown()
            thread.join()
