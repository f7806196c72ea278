"""A page of docs/, played word by word against GitHub as the tests have it: its files, its commands, its jobs.

In the page `https://github.com/acme/churn` is what it says; git is told to ask for it by http through a proxy, which is
the server of the tests. What GitHub does meanwhile, an invisible line of the page names: `<!-- GitHub: push -->`.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import git_http, github
from tests.conftest import make_repo
from tests.github import NAME, GitHub

BIN = Path(sys.executable).parent
_STEP = re.compile(
    r"^```(?:python|yaml)\n# (?P<file>[\w./-]+)\n(?P<content>.*?)^```$|^```bash\n(?P<bash>.*?)^```$"
    r"|^<!-- GitHub: (?P<event>\w+) -->$",
    re.DOTALL | re.MULTILINE,
)
COLUMNS = 100


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A command, and what a terminal showed of it."""

    command: str
    text: str


@dataclass
class Stage:
    """Where a page is played."""

    there: GitHub
    work: Path
    env: dict[str, str]
    folder: Path
    shown: list[Shown] = field(default_factory=list)
    """All commands until now."""

    def play(self, page: Path) -> Iterator[str]:
        """Do what *page* says; what GitHub is to do is left to who asks: `push`, `dispatch`."""
        for step in _STEP.finditer(page.read_text()):
            if name := step["file"]:
                (self.folder / name).parent.mkdir(exist_ok=True)
                (self.folder / name).write_text(step["content"])
            elif step["event"]:
                yield step["event"]
            else:
                self.shown += self._run(step["bash"])

    def _run(self, block: str) -> list[Shown]:
        """Each line on a terminal, in one shell; where that ends, the next block begins."""
        lines = block.replace("\\\n", "").splitlines()
        marked = "".join(f"printf '\\036%s\\037' {shlex.quote(line)}; {line}\n" for line in lines)
        ours, theirs = pty.openpty()
        words = ["bash", "-euc", f"{marked}pwd > {shlex.quote(str(self.work / 'pwd'))}"]
        with subprocess.Popen(words, cwd=self.folder, env=self.env, stdin=theirs, stdout=theirs, stderr=theirs) as done:
            os.close(theirs)
            heard = b""
            with suppress(OSError):  # nobody is at the other end any more
                while part := os.read(ours, 1 << 16):
                    heard += part
        os.close(ours)
        text = heard.decode().replace("\r\n", "\n")
        assert done.returncode == 0, f"{block}\n{text}"
        self.folder = Path((self.work / "pwd").read_text().strip())
        return [Shown(command=command, text=told) for command, told in re.findall(r"\x1e(.*?)\x1f([^\x1e]*)", text)]

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def mlgit(self, *words: str) -> None:
        subprocess.run([BIN / "mlgit", *words], cwd=self.folder, env=self.env, capture_output=True, check=True)

    def event(self, name: str) -> tuple[str, dict[str, Any]]:
        """What GitHub tells a job that starts by *name*: the branch, and the event's document."""
        repository = {"default_branch": "main", "full_name": NAME}
        if name == "dispatch":
            _, branch, inputs = self.there.dispatched[-1]
            return branch, {"inputs": inputs, "repository": repository}
        branch = self.git("branch", "--show-current")
        told = {"ref": f"refs/heads/{branch}", "head_commit": {"message": self.git("log", "-1", "--format=%B")}}
        return branch, told | {"repository": repository}

    def checkout(self, rev: str, name: str) -> Path:
        """What actions/checkout leaves: one commit, and no branch."""
        folder = self.work / name
        make_repo(folder, commit=False)
        for words in (("remote", "add", "origin", f"https://github.com/{NAME}"),
                      ("fetch", "-q", "--depth=1", "origin", rev), ("checkout", "-q", "FETCH_HEAD")):  # fmt: skip
            subprocess.run(["git", *words], cwd=folder, env=self.env, check=True)
        return folder


@contextmanager
def stage(work: Path) -> Iterator[Stage]:
    """An empty repository on GitHub, ada's home with her token in the environment, and an empty folder."""
    remote, home, folder = work / "srv" / NAME, work / "home", work / "projects"
    make_repo(remote, commit=False, bare=True)
    for name, value in (("http.receivepack", "true"), ("uploadpack.allowAnySHA1InWant", "true")):
        subprocess.run(["git", "config", name, value], cwd=remote, check=True)
    for new in (home, folder):
        new.mkdir()
    with github.serving(remote) as there, git_http.serving(work / "srv") as served:
        (home / ".gitconfig").write_text(
            f'[url "http://github.com/"]\n\tinsteadOf = https://github.com/\n'
            f'[http "http://github.com/"]\n\tproxy = {served}\n'
            "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n"
        )
        told = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "GIT_EDITOR": "true", "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "50", "DVC_NO_ANALYTICS": "1", "TZ": "UTC",
            **{name: value for name, value in os.environ.items() if name.endswith("_DATE")},
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": there.address, "GH_TOKEN": "token-of-ada",
        }  # fmt: skip
        yield Stage(there=there, work=work, env=told, folder=folder)


def act_out(stage: Stage, event: str) -> None:
    """Do what the workflow mlgit-experiment does for *event*, by the commands that its jobs call."""
    branch, told = stage.event(event)
    number = len([*stage.work.glob("job-*")])
    given = told.get("inputs", {})
    (stage.work / "event.json").write_text(json.dumps(told))
    job = stage.env | {
        "GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": branch, "GITHUB_EVENT_PATH": str(stage.work / "event.json"),
    }  # fmt: skip
    plan, handed = stage.work / f"plan-{number}.json", stage.work / f"handed-{number}"
    folder = stage.checkout(given.get("commit") or stage.git("rev-parse", "HEAD"), f"job-{number}")

    def mlgit(*words: str) -> None:
        done = subprocess.run([BIN / "mlgit", *words], cwd=folder, env=job, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"

    mlgit("ci", "plan", "-o", str(plan), *(["--run", given["run"]] if given.get("run") else []))
    jobs = range(len(json.loads(plan.read_text())["jobs"]))
    with ThreadPoolExecutor(4) as side_by_side:  # in one clone, which runs do not mind
        list(side_by_side.map(lambda job: mlgit(
            "ci", "trial", "--plan", str(plan), "--job", str(job), "--to", str(handed / str(job))
        ), jobs))  # fmt: skip
    mlgit("ci", "collect", "--plan", str(plan), str(handed))
    mlgit("ci", "report")
