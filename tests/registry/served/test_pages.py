"""The page of a stage: what the tags say, for machines without git; asked for again only where it has changed."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import mlgit
from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.registry.served import latest, posting
from mlgit.registry.versions import deprecating
from mlgit.store import registry as store
from tests.registry.served.conftest import Team

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Web:
    """A web server of what lies on the branch of pages, with ETags."""

    repo: Repo
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    broken: int = 0
    other: bytes | None = None
    stop: Callable[[], None] = lambda: None


@contextmanager
def serving(repo: Repo) -> Iterator[Web]:
    web = Web(repo)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

        def do_GET(self) -> None:
            content = web.other or repo.read("mlgit-registry", self.path.lstrip("/").partition("?")[0])
            tag = f'"{sha256(content or b"").hexdigest()}"'
            status = web.broken or (404 if content is None else 200)
            if status == 200 and self.headers.get("If-None-Match") == tag:
                status = 304
            web.statuses.append(status)
            self.send_response(status)
            self.send_header("ETag", tag)
            body = content if status == 200 and content else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"

    def stop() -> None:
        if thread.is_alive():
            server.shutdown()
            server.server_close()
            thread.join()

    web.stop = stop
    try:
        yield web
    finally:
        stop()


def page(repo: Repo, path: str = "churn/production.json") -> Any:
    text = repo.read(posting.BRANCH, path)
    return text and json.loads(text)


def test_a_page_says_what_a_stage_serves_since_when_and_where_the_bytes_are(team: Team):
    made = team.train("good")
    team.promote(made)

    posting.post(team.repo, "main")

    told = page(team.repo)
    assert (told["model"], told["stage"], told["version"]) == ("churn", "production", "v1.0.0")
    assert told["tag"] == "churn#production#1"
    assert told["digest"] == made.hash
    assert told["store"] == {"name": "store", "url": team.bytes_url}
    assert told["object"] == f"{team.bytes_url}/files/md5/{made.hash[:2]}/{made.hash[2:]}"
    assert told["record"]["sha256"] == dict(made.sha256)
    assert told["merged"] == team.repo.resolve("main")
    found = latest.read(team.repo.read(posting.BRANCH, "churn/production.json") or b"", source="page")
    assert found.version == made


def test_posting_twice_changes_nothing_and_a_stage_that_is_emptied_says_so(team: Team):
    team.promote(team.train("good"))
    first = posting.post(team.repo, "main")
    assert posting.post(team.repo, "main") is None
    team.repo.git("rm", "-q", store.stage_path("churn", "production"))
    team.repo.git("commit", "-q", "-m", "nothing in production")
    team.settle()

    second = posting.post(team.repo, "main", {"churn"})

    assert (page(team.repo)["version"], page(team.repo)["tag"]) == (None, "churn#production!#2")
    assert team.repo.git("rev-list", "mlgit-registry").split() == [second, first]


def test_who_knows_less_takes_nothing_back(team: Team):
    first, second = team.train("first"), team.train("second")
    team.promote(first)
    team.promote(second)
    posting.post(team.repo, "main")
    newest = page(team.repo)
    tag = f"refs/tags/{newest['tag']}"
    team.repo.move([Move(tag, team.repo.refs(tag)[tag], None)], why="test")

    assert posting.post(team.repo, "main") is None
    assert page(team.repo) == newest


def test_a_writer_that_is_overtaken_on_the_remote_comes_on_top(team: Team, monkeypatch: pytest.MonkeyPatch):
    team.promote(team.train("good"))
    far = Remote(repo=team.repo, name=str(team.far))
    real, other = Remote.push, [team.repo.commit(None, {"ranker/production.json": b"{}\n"}, "somebody else's")]

    def push(self: Remote, moves: Any, **how: Any) -> None:
        if other:
            real(self, [Move(posting.BRANCH, None, other.pop())])
        real(self, moves, **how)

    monkeypatch.setattr(Remote, "push", push)
    posting.post(team.repo, "main", remote=far)

    listed = ["git", "ls-tree", "-r", "--name-only", "mlgit-registry"]
    names = subprocess.run(listed, cwd=team.far, capture_output=True, text=True).stdout.split()
    assert names == ["churn/production.json", "ranker/production.json"]
    assert not posting.is_kept(team.repo)


def test_of_very_many_writers_at_once_each_comes_on_top_in_the_end(team: Team, monkeypatch: pytest.MonkeyPatch):
    team.promote(team.train("good"))
    others, waited = [f"other-{number}" for number in range(20)], list[float]()
    real, move = posting.post(team.repo, "main"), Repo.move

    def overtaken(self: Repo, moves: Any, **how: Any) -> None:
        if others and moves[0].ref == posting.BRANCH:
            tip = self.resolve(posting.BRANCH)
            made = self.commit(tip, {f"{others.pop()}/production.json": b"{}\n"}, "somebody else's")
            move(self, [Move(posting.BRANCH, tip, made)], why="test")
        move(self, moves, **how)

    team.promote(team.train("better"))
    monkeypatch.setattr(Repo, "move", overtaken)

    made = posting.post(team.repo, "main", wait=waited.append)

    assert made not in (None, real)
    assert page(team.repo)["version"] == "v1.1.0"
    assert (len(waited), max(waited) > 10 * waited[0]) == (20, True)


def test_a_deprecation_is_told_on_the_page(team: Team):
    team.promote(team.train("good"))
    posting.post(team.repo, "main")
    deprecating.deprecate(team.repo, "churn", "v1.0.0", why="leaks the label")

    posting.post(team.repo, "main")

    assert page(team.repo)["deprecated"] == "churn v1.0.0 is deprecated by Ada: leaks the label"


def test_a_model_is_brought_by_its_page_and_the_page_is_asked_for_only_if_it_changed(team: Team, outside: Path):
    made = team.train("good")
    team.promote(made)
    posting.post(team.repo, "main")
    with serving(team.repo) as web:
        address = f"{web.url}/churn/production.json"

        first = mlgit.models.get(address, to="served")
        team.fetched.clear()
        again = mlgit.models.get(address, to="served")
        unchanged = list(team.fetched)
        team.promote(team.train("better"))
        posting.post(team.repo, "main")
        newer = mlgit.models.get(address, to="served")

        assert web.statuses == [200, 304, 200]
        assert again == first
        assert unchanged == []
        assert (first.version, first.stage, dict(first.sha256)) == ("v1.0.0", "production", dict(made.sha256))
        assert (newer.version, Path("served/weights").read_text()) == ("v1.1.0", "weights of better")


def test_where_the_page_is_away_what_it_said_last_is_served_loudly(team: Team, outside: Path):
    team.promote(team.train("good"))
    posting.post(team.repo, "main")
    with serving(team.repo) as web:
        address = f"{web.url}/churn/production.json?token=s3cret"
        mlgit.models.get(address)
        web.broken = 503
        with pytest.warns(UserWarning, match=r"churn v1\.0\.0 is what it said last"):
            assert mlgit.models.get(address).away
        web.broken = 403
        with pytest.raises(MlgitError, match="403"):
            mlgit.models.get(address)
        web.broken = 404
        with pytest.raises(NotFoundError, match="There is no http"):
            mlgit.models.get(address)
        web.stop()

        with pytest.warns(UserWarning, match="is out of reach") as told:
            assert mlgit.models.get(address).version == "v1.0.0"
        assert "s3cret" not in str(told[0].message)
        assert mlgit.models.get(address, offline=True).version == "v1.0.0"
        with pytest.raises(MlgitError, match="could not be read"):
            mlgit.models.get(f"{web.url}/other/production.json")


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": 2}, {"record": {}}, {"record": None, "store": 3}, {"version": "v9.0.0"},
        {"store": {"name": "store", "url": "/etc"}}, {"store": {"name": "x", "url": "https://a\n[cache]\ndir=/"}},
        {"store": {"name": "x']", "url": "https://a"}}, {"store": {"name": "x", "url": "https://a", "command": "id"}},
        {"store": {"name": "x", "url": "s3://a", "endpointurl": "file:///"}},
    ],
)  # fmt: skip
def test_what_is_no_page_is_refused(team: Team, outside: Path, changed: dict[str, Any]):
    team.promote(team.train("good"))
    posting.post(team.repo, "main")
    with serving(team.repo) as web:
        web.other = json.dumps({**page(team.repo), **changed}).encode()

        with pytest.raises((ConfigError, NotFoundError)):
            mlgit.models.get(f"{web.url}/churn/production.json")


def test_bytes_that_are_not_those_of_the_page_never_appear(team: Team, outside: Path):
    team.promote(team.train("good"))
    posting.post(team.repo, "main")
    told = page(team.repo)
    told["record"]["sha256"]["weights"] = "0" * 64
    with serving(team.repo) as web:
        web.other = json.dumps(told).encode()

        with pytest.raises(MlgitError, match="weights has another sha256"):
            mlgit.models.get(f"{web.url}/churn/production.json", to="served")

    assert not Path("served").exists()


def test_a_page_has_no_keys_and_no_branch(outside: Path):
    with pytest.raises(UsageError, match="names its repository"):
        mlgit.models.get("http://127.0.0.1:9/churn/production.json", verify=True)


def test_settling_keeps_the_pages_of_who_has_them(team: Team, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(str(team.repo.work_tree))
    team.merge(team.train("good"))
    mlgit("registry", "reconcile")
    assert page(team.repo) is None
    mlgit("registry", "reconcile", "--pages")
    assert page(team.repo)["version"] == "v1.0.0"
    team.merge(team.train("better"))

    mlgit("registry", "reconcile")

    assert page(team.repo)["version"] == "v1.1.0"
