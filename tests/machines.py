"""Runners of one's own: GitHub's side of them, and a program that behaves towards mlgit as GitHub's own does.

The program gets what `generate-jitconfig` gave, by its variable; says that it is there; asks for a job; does it for as
long as the test wants, with its `_diag/Worker_` file; and ends. Told to end, it says goodbye.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runners import checked, made

PROGRAM = """\
#!/usr/bin/env bash
set -m  # GitHub's has its listener in a process group of its own, too, where it is told to hand signals on
trap 'kill -INT -$listener' INT TERM
[ -n "$RUNNER_MANUALLY_TRAP_SIG" ] || exit 9
"$(dirname "$(realpath "$0")")/bin/Runner.Listener" "$@" &
listener=$!
wait $listener
wait $listener
"""
LISTENER = """\
#!/usr/bin/env python3
import base64, json, os, pathlib, signal, sys, time, urllib.error, urllib.request
told = json.loads(base64.b64decode(os.environ.pop("ACTIONS_RUNNER_INPUT_JITCONFIG")))
home = pathlib.Path(__file__).resolve().parent.parent
(home / ".runner").write_text(told["name"])

def say(what):
    seen = {"words": sys.argv[1:], "home": str(home), "env": dict(os.environ)}
    asked = urllib.request.Request(told["url"] + "/_runner/" + told["name"] + "/" + what, json.dumps(seen).encode(),
                                   {"X-GitHub-Api-Version": "2022-11-28", "Authorization": told["secret"]})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)

def end(*_):
    say("offline")
    sys.exit(0)

signal.signal(signal.SIGINT, end)
print("Listening for Jobs", flush=True)
while True:
    said = say("poll")
    if said == "gone":
        sys.exit("The runner registration has been deleted from the server")
    if said == "job" and not list((home / "_diag").glob("Worker_*")):
        (home / "_diag").mkdir(exist_ok=True)
        (home / "_diag/Worker_1-utc.log").write_text("")
        say("begun")
    if said == "done":
        sys.exit(0)
    time.sleep(0.02)
"""


def unpack(folder: Path) -> Path:
    """The program in *folder*, as GitHub's archive would bring it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "_diag").mkdir()
    (folder / "_diag/Worker_of_another.log").write_text("left by somebody")
    for name, text in (("run.sh", PROGRAM), ("bin/Runner.Listener", LISTENER)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder / "run.sh"


@dataclass
class Machines:
    """The runners that are registered, by their numbers, and the jobs that wait for some."""

    there: dict[int, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each program said of itself: its words, its folder, its environment."""
    configs: list[str] = field(default_factory=list)
    """All secrets that were given."""
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Jobs of workflows, each a run by itself."""
    done: set[int] = field(default_factory=set)
    """The jobs that are to end."""
    allows_public: bool = False
    administers: bool = True
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(7))

    def queue(self, *labels: str, name: str = "train") -> int:
        """A job that waits; its number."""
        id = next(self._ids)
        self.jobs[id] = {"name": name, "labels": list(labels), "status": "queued", "runner": None}
        return id

    def add(self, name: str, *labels: str, at: str = "repos", **more: Any) -> int:
        """A runner that somebody else has registered; its number."""
        id = next(self._ids)
        self.there[id] = {"name": name, "labels": labels, "at": at, "online": True, "job": None, **more}
        return id

    def names(self) -> list[str]:
        return sorted(one["name"] for one in self.there.values())

    # What REST is asked

    def answer(self, at: str, method: str, parts: list[str], content: Any, address: str) -> tuple[int, Any] | str:
        """The status, and what is told, to a request below `actions/runners`; of a refusal the number and words."""
        match (method, *parts):
            case "POST", "generate-jitconfig":
                of = "OrgsOrg" if at == "orgs" else "ReposOwnerRepo"
                checked(f"{of}ActionsRunnersGenerateJitconfigPostBody", content)
                if not self.administers:
                    return "404 Not Found"
                if content["name"] in self.names():
                    return "409 Already exists"
                id = self.add(content["name"], *content["labels"], at=at, online=False)
                told = {"url": address, "name": content["name"], "secret": f"config-{id}"}
                config = base64.b64encode(json.dumps(told).encode()).decode()
                self.configs.append(config)
                return 201, made("OrgsOrgActionsRunnersGenerateJitconfigPostResponse201",
                                 runner=self._told(id), encoded_jit_config=config)  # fmt: skip
            case "DELETE", id if int(id) in self.there:
                if self.there[int(id)]["job"] is not None:
                    return f'422 Bad request - Runner "{self.there[int(id)]["name"]}" is still running a job"'
                del self.there[int(id)]
                return 204, None
        return "404 Not Found"

    def listed(self, at: str) -> list[Any]:
        return [self._told(id) for id, one in self.there.items() if one["at"] == at]

    def _told(self, id: int) -> Any:
        one = self.there[id]
        labels = [{"name": name, "type": "custom"} for name in one["labels"]]
        return made("Runner", id=id, name=one["name"], os="Linux", status="online" if one["online"] else "offline",
                    busy=one["job"] is not None, labels=labels, ephemeral=True)  # fmt: skip

    def runs(self, status: str) -> list[Any]:
        found = [id for id, job in self.jobs.items() if job["status"] == status]
        return [made("WorkflowRun", id=id, status=status, conclusion=None) for id in reversed(found)]

    def of_run(self, id: int) -> list[Any]:
        job = self.jobs[id]
        return [made("Job", id=id, run_id=id, name=job["name"], labels=job["labels"], status=job["status"],
                     conclusion=None, runner_name=job["runner"], created_at="2026-11-26T20:01:02Z",
                     html_url=f"https://github.com/job/{id}")]  # fmt: skip

    # What the program is told

    def talk(self, name: str, what: str, secret: str, said: Any) -> str:
        self.seen[name] = said
        id = next((id for id, one in self.there.items() if one["name"] == name), None)
        if id is None:
            return "gone"
        assert secret == f"config-{id}"
        one = self.there[id]
        one["online"] = what != "offline"
        if what == "offline":
            if one["job"] is not None:
                self.jobs[one["job"]]["status"] = "completed"
            return "bye"
        if one["job"] is None:
            waiting = {job: {*told["labels"]} for job, told in self.jobs.items() if told["status"] == "queued"}
            fitting = [job for job, labels in waiting.items() if labels and labels <= {*one["labels"]}]
            if fitting:
                one["job"] = fitting[0]
                self.jobs[fitting[0]].update(status="in_progress", runner=name)
        elif one["job"] in self.done and what == "poll":
            self.jobs[one["job"]]["status"] = "completed"
            del self.there[id]
            return "done"
        return "job" if one["job"] is not None else "wait"
