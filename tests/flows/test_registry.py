"""A model's whole life in the registry: refused, mended, promoted, live, rolled back, held, lifted, promoted again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlgit.forge.base import ReviewVerdict
from mlgit.forge.github.forge import GitHubForge
from mlgit.git.merge import merged_tree
from mlgit.git.repo import Repo
from tests import acting, git_http, github, renderers
from tests.acting import Place
from tests.conftest import make_repo, need
from tests.github import NAME

Script = Callable[..., "subprocess.CompletedProcess[str]"]
SECRET = "open sesame"
EVIL = "a | b</td> @acme/ml #1 ${{ secrets.X }} $(touch pwned)`touch pwned`';touch pwned;\""
TRAIN = f"""
import sys, mlgit
level, seeds = float(sys.argv[1]), int(sys.argv[2])
for seed in range(seeds):
    run = mlgit.init(name=f"{{level}}-{{seed}}", config={{"level": level, "seed": seed, {EVIL!r}: 1}})
    run.log({{"accuracy": level + seed / 1000}})
    with open("net.bin", "w") as file:
        file.write(f"{{level}}")
    run.log_model("net.bin", name="net")
    run.finish()
"""
POLICY = """
stages:
  staging:
  production:
    after: staging
    gates:
      - {metric: accuracy, min: 0.8}
      - {better_than: champion, metric: accuracy, by: 0.002, over: seeds}
      - {card: [license]}
      - {approvals: 1}
"""
AUTOMATIONS = """
automations:
  - name: tell-serving
    on: [promoted, rolled_back]
    stages: production
    do: {webhook: ADDRESS, secret: SERVING_SECRET}
advance:
  - stage: production
"""


@dataclass
class Serving:
    """What hears of each change by webhook."""

    heard: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""

    def take(self, headers: dict[str, str], body: bytes) -> None:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        self.heard.append(json.loads(body))

    @property
    def told(self) -> list[tuple[str, str, str | None]]:
        return [(one["type"], one["data"]["version"], one["data"]["instead"]) for one in self.heard]


@pytest.fixture
def serving() -> Iterator[Serving]:
    found = Serving()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.address = f"http://127.0.0.1:{server.server_port}/hook"
        yield found
        server.shutdown()


@dataclass
class Team:
    """Ada, who trains and proposes, in her clone; Grace, who reviews; where pull requests live, they merge."""

    folder: Path
    mlgit: Script
    grace: str = "Grace"

    @property
    def where(self) -> str:
        return str(self.folder)

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def says(self, *words: str, code: int = 0) -> str:
        """What *words* print, errors too."""
        done = self.mlgit(*words, cwd=self.folder, check=False)
        assert done.returncode == code, f"{words} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return f"{done.stdout}{done.stderr}"

    def json(self, *words: str) -> Any:
        return json.loads(self.mlgit(*words, "--json", cwd=self.folder).stdout)

    def train(self, level: float, seeds: int) -> str:
        """A version of the first of as many runs, as `mlgit promote` calls it."""
        words = [sys.executable, "train.py", str(level), str(seeds)]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True)
        given = "--description", EVIL, "--set", "license=mit", "--json"
        made = self.mlgit("model", "register", f"{level}-0", *given, cwd=self.folder)
        version = f"churn@{json.loads(made.stdout)['version']}"
        self.says("promote", version, "staging", "--direct")
        return version

    def gates(self, number: int) -> str:
        """What the gates' status on a pull request is."""
        checks = self.json("pr", "show", str(number))["checks"]
        return next(str(one["state"]) for one in checks if one["context"] == "mlgit/gates")

    def merges(self, number: int) -> str:
        """Grace approves, and Ada merges; what follows is done, and told."""
        grace = {**os.environ, "GIT_COMMITTER_NAME": "Grace", "GIT_COMMITTER_EMAIL": "grace@example.com"}
        self.mlgit("pr", "review", str(number), "--approve", cwd=self.folder, env=grace)
        return self.says("pr", "merge", str(number))

    def comment(self, number: int, which: int = 0) -> str:
        return str(self.json("pr", "show", str(number))["comments"][which]["body"])

    def served(self, work: Path) -> str:
        """What a machine without a clone gets."""
        words = "model", "get", "churn@production", "--repo", self.where, "-o", str(work / "served")
        self.mlgit(*words, cwd=work)
        return (work / "served/net.bin").read_text()

    def nightly(self) -> str:
        return self.says("registry", "reconcile")


def opened(text: str) -> int:
    """The number of the pull request that a command says it has opened."""
    found = re.search(r"#(\d+) (?:Promote|Roll|proposes)", text)
    assert found, text
    return int(found[1])


@dataclass
class OnGitHub(Team):
    """The same, where GitHub's jobs judge and settle."""

    place: Place = field(kw_only=True)
    grace: str = "grace"

    @property
    def where(self) -> str:
        return str(self.place.there.folder)

    @property
    def main(self) -> str:
        return acting.git(self.place.there.folder, "rev-parse", "main")

    def train(self, level: float, seeds: int) -> str:
        made = super().train(level, seeds)
        self.says("push")
        return made

    def gates(self, number: int, event: str = "pull_request") -> str:
        pull, there = self.place.there.pulls[number], self.place.there.folder
        repo = Repo.find(there)
        assert repo
        with repo.reader() as reader:
            tree = dict(reader.tree(merged_tree(repo, self.main, pull["sha"], "main")) or {})
        tried = repo.commit(None, tree, "try", parents=(self.main, pull["sha"]))
        repo.git("update-ref", f"refs/pull/{number}/merge", tried)
        whose = {"repo": {"full_name": NAME}}
        told = {
            "number": number, "head": whose | {"ref": pull["head"], "sha": pull["sha"]},
            "base": whose | {"ref": "main"},
        }  # fmt: skip
        acting.act(self.place, "report", event, {"pull_request": told}, f"refs/pull/{number}/merge")
        return super().gates(number)

    def merges(self, number: int) -> str:
        ada, grace = (GitHubForge(github.rest(self.place.there, who), NAME) for who in ("ada", "grace"))
        grace.review(number, ReviewVerdict.APPROVE, "")
        if number == 1:  # once is enough: each is a job
            assert self.gates(number, "pull_request_review") == "success"
        before = self.main
        after = ada.merge(number).merge_commit
        told = {"ref": "refs/heads/main", "before": before, "after": after}
        said = acting.act(self.place, "settle", "push", told, "main")
        self.git("pull", "-q", "--tags", "origin", "main")
        return said

    def nightly(self) -> str:
        said = acting.act(self.place, "settle", "schedule", {}, "main")
        self.git("fetch", "-q", "origin")
        return said


@pytest.fixture(params=["folder", "github"])
def team(
    request: pytest.FixtureRequest, tmp_path: Path, mlgit: Script, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Team]:
    monkeypatch.setenv("SERVING_SECRET", SECRET)
    folder = make_repo(tmp_path / "clone").folder
    files = {
        "train.py": TRAIN, ".gitignore": "net.bin\n.dvc/tmp\n.dvc/cache\n", "registry/policy.yaml": POLICY,
        "registry/automations.yaml": AUTOMATIONS.replace("ADDRESS", serving.address),
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    if request.param == "folder":
        (folder / "mlgit.yaml").write_text("project: churn\n")
        acting.git(folder, "add", ".")
        acting.git(folder, "commit", "-qm", "code")
        yield Team(folder, mlgit)
        return
    need("github", github.is_here())
    remote = make_repo(tmp_path / "srv/far.git", commit=False, bare=True)
    remote.git("config", "http.receivepack", "true")
    remote.git("config", "uploadpack.allowAnySHA1InWant", "true")
    only = "x-access-token:token-of-ada"
    with github.serving(remote.git_dir) as there, git_http.serving(tmp_path / "srv", only=only) as served:
        monkeypatch.setenv("GITHUB_API_URL", there.address)
        monkeypatch.setenv("GH_TOKEN", "token-of-ada")
        there.permissions["grace"] = "write"
        forge = {"kind": "github", "repository": NAME, "api": there.address}
        settings = {"project": "churn", "forge": forge}
        (folder / ".dvc").mkdir()
        (folder / ".dvc/config").write_text(
            f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
        )
        (folder / "mlgit.yaml").write_text(json.dumps(settings))
        words = "--only", "report,settle", "--python", "", "--install", "", "--secret", "SERVING_SECRET"
        mlgit("ci", "init", *words, cwd=folder)
        acting.git(folder, "add", ".")
        acting.git(folder, "commit", "-qm", "code")
        acting.git(folder, "remote", "add", "origin", str(remote.git_dir))
        acting.git(folder, "push", "-q", "-u", "origin", "main")
        secrets = {"SERVING_SECRET": SECRET}
        place = Place(there, f"{served}/far.git", folder, tmp_path, settings, secrets)
        yield OnGitHub(folder, mlgit, place=place)


def test_a_model_is_refused_mended_promoted_rolled_back_held_and_promoted_again(
    team: Team, serving: Serving, tmp_path: Path
):
    # The first is not good enough.
    weak = team.train(0.7, 1)
    refused = team.says("promote", weak, "production", code=4)
    assert "accuracy 0.7, the gate asks at least 0.8" in refused

    # A better one is proposed, with what its gates say; it waits for Grace, and serves.
    good = team.train(0.9, 3)
    number = opened(team.says("promote", good, "production"))
    page = renderers.check(team.comment(number), hidden=r"[a-z0-9 ]+")
    assert [row[0].split()[-1] for row in page.tables[0][1:]] == ["passed"] * 4 + ["waits"]
    assert team.gates(number) == "pending"
    waits = team.says("pr", "merge", str(number), code=4)
    assert "have #1 approved as it stands, by others than" in waits
    assert not serving.heard
    live = team.merges(number)
    assert "production serves churn v1.1.0 (tag churn#production#" in live
    assert serving.told == [("model.promoted", "v1.1.0", None)]
    assert f"**production** serves `churn v1.1.0`, approved by {team.grace}" in team.comment(number, -1)

    # Whoever serves it needs no clone.
    assert team.served(tmp_path) == "0.9"

    # The next one proposes itself, and is surely better.
    team.train(0.95, 3)
    team.merges(opened(team.nightly()))
    assert serving.told[1:] == [("model.promoted", "v1.2.0", "v1.1.0")]
    assert team.served(tmp_path) == "0.95"

    # It is nonsense: back, and held.
    back = team.merges(opened(team.says("rollback", "churn", "production", "--reason", "it answers nonsense")))
    assert "production serves churn v1.1.0 again" in back
    assert serving.told[2:] == [("model.rolled_back", "v1.1.0", "v1.2.0")]
    assert team.served(tmp_path) == "0.9"

    # No automation moves it, nor does who did not read the hold.
    best = team.train(0.97, 3)
    assert "churn for production: held by Ada since" in (quiet := team.nightly())
    assert "#4" not in quiet
    assert "it answers nonsense" in team.says("promote", best, "production", code=2)

    # Lifted, and forward.
    team.merges(opened(team.says("promote", best, "production", "--lift")))
    assert serving.told[3:] == [("model.promoted", "v1.3.0", "v1.1.0")]
    assert team.served(tmp_path) == "0.97"

    # GitHub's page of deployments tells it, too.
    if isinstance(team, OnGitHub):
        deployed = [one["environment"] for one in team.place.there.deployments.values()]
        assert deployed.count("churn/production") == 4

    # Git alone tells all of it.
    told = team.json("registry", "log", "--stage", "production")
    assert [(one["what"], one["version"], one["approvers"]) for one in told] == [
        ("hold lifted", "v1.3.0", []),
        ("promoted", "v1.3.0", [team.grace]),
        ("held", "v1.1.0", []),
        ("rolled back", "v1.1.0", [team.grace]),
        ("promoted", "v1.2.0", [team.grace]),
        ("promoted", "v1.1.0", [team.grace]),
    ]  # fmt: skip
    then = team.json("registry", "log", "--stage", "production", "--at", told[4]["when"])
    assert [one["version"] for one in then] == ["v1.2.0"]
    assert team.says("registry", "verify") == "2 stages: all as recorded.\n"
    team.says("registry", "observe", "eu-west", "churn@production", "--version", "v1.3.0")
    status = {one["stage"]: one["state"] for one in team.json("registry", "status")}
    assert status == {"production": "Synced", "staging": "Unknown"}
    assert not [*tmp_path.rglob("pwned")]
