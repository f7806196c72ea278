"""Promotions without a pull request: here, and on a remote where others commit at the same time."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mlgit.core.model import Stage
from mlgit.errors import GateFailedError, RefMovedError, RefusedError, UsageError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.registry import decision, filing, ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import direct, propose, sending
from mlgit.registry.moving.direct import Direct
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from tests.conftest import make_repo

POLICY = (
    b"stages: {production: {gates: [{metric: accuracy, min: 0.5}, {metric: accuracy, not_worse_than: champion}]}}\n"
)


def promote(repo: Repo, version: str, remote: Remote | None = None, before: object = None) -> Direct:
    """Promote it to production; *before* each look at what stands there, that is called once."""
    left = [before] if before else []

    def think(at: str) -> propose.Plan:
        made = propose.plan(repo, "digits", version, "production", base="main", sources=Sources(), at=at)
        if left:
            left.pop()()  # type: ignore[operator]
        return made

    wanted = Stage(model="digits", stage="production", version=version)
    return direct.promote(
        repo, wanted, base="main", think=think, title="Promote", sources=Sources(), remote=remote
    )  # fmt: skip


@pytest.fixture
def far(repo: Repo, tmp_path: Path) -> Remote:
    """A remote whose main has a policy, as this clone has."""
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), {store.POLICY: POLICY}, "policy"))
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.git_dir))
    repo.git("push", "-q", "origin", "main")
    return Remote(repo=repo, name="origin")


def serves(repo: Repo) -> str | None:
    return ledger.of(store.tags(repo), "digits").stages.get("production")


def test_a_stage_moves_at_once_and_its_tag_says_by_whom(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")

    made = promote(repo, "v1.0.0")

    assert repo.resolve("main") == made.commit
    assert [one.tag for one in made.stages] == ["digits#production#1"]
    assert repo.work_tree
    assert (repo.work_tree / "registry/digits/production.yaml").read_text() == "version: v1.0.0\n"
    (tag,) = [one for one in store.tags(repo) if "#" in one.name]
    told = decision.of_message(tag.message)
    assert told
    assert (told.origin.pull, told.origin.author) == (None, repo.identity.rpartition(" <")[0])
    with pytest.raises(UsageError, match="in production already"):
        promote(repo, "v1.0.0")


def test_commit_and_tags_are_on_the_remote_and_the_branch_here_follows(repo: Repo, far: Remote, trained):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")

    made = promote(repo, "v1.0.0", far)

    there = far.refs()
    assert there["refs/heads/main"] == made.commit == repo.resolve("main")
    assert {"refs/tags/digits@v1.0.0", "refs/tags/digits#production#1"} <= there.keys()


def test_a_gate_that_fails_leaves_all_as_it_was(repo: Repo, far: Remote, trained):
    registering.register(repo, trained("a", accuracy=0.4), model="digits")
    before = repo.resolve("main")

    with pytest.raises(GateFailedError, match=r"accuracy 0\.4"):
        promote(repo, "v1.0.0", far)

    assert far.refs("refs/heads/main") == {"refs/heads/main": before}
    assert serves(repo) is None


def test_who_is_overtaken_is_judged_against_what_serves_by_then(repo: Repo, far: Remote, trained):
    registering.register(repo, trained("a", accuracy=0.8), model="digits")
    registering.register(repo, trained("b", accuracy=0.9), model="digits")

    def meanwhile() -> None:
        promote(repo, "v1.1.0", far)

    with pytest.raises(GateFailedError, match=r"v1\.1\.0"):
        promote(repo, "v1.0.0", far, meanwhile)

    assert serves(repo) == "v1.1.0"


def test_a_commit_of_anothers_in_between_is_kept(repo: Repo, far: Remote, trained):
    registering.register(repo, trained("a", accuracy=0.8), model="digits")

    def meanwhile() -> None:
        filing.at_once(repo, "main", lambda _reader, _tip: {"README": b"x"}, "another", remote=far)

    promote(repo, "v1.0.0", far, meanwhile)

    assert repo.git("log", "--format=%s", "main", "-2").split("\n") == ["Promote", "another"]
    assert serves(repo) == "v1.0.0"


def test_a_protected_branch_names_the_way_by_a_pull_request(repo: Repo, far: Remote, tmp_path: Path, trained):
    registering.register(repo, trained("a", accuracy=0.8), model="digits")
    hook = tmp_path / "far.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\ngrep -q refs/heads/main && echo 'changes must be made through a pull request' && exit 1; exit 0\n"
    )
    hook.chmod(0o755)

    with pytest.raises(RefusedError, match="through a pull request") as caught:
        promote(repo, "v1.0.0", far)

    assert "go by a pull request" in caught.value.fix
    assert serves(repo) is None
    assert repo.resolve("main") == far.refs("refs/heads/main")["refs/heads/main"]


def test_a_version_that_another_clone_registered_before_says_how_to_get_the_next_number(
    repo: Repo, far: Remote, tmp_path: Path, trained
):
    run = trained("a", accuracy=0.8)
    registering.register(repo, run, model="digits")
    other = make_repo(tmp_path / "other")
    other.git("tag", "-a", "-m", "another's", "digits@v1.0.0")
    other.git("push", "-q", str(tmp_path / "far.git"), "digits@v1.0.0")

    with pytest.raises(RefMovedError, match=r"another digits@v1\.0\.0") as caught:
        promote(repo, "v1.0.0", far)
    for line in caught.value.fix.partition(", then")[0].split(" && "):
        repo.git(*shlex.split(line)[1:])

    assert registering.register(repo, run, model="digits").version == "v1.1.0"


def test_what_was_committed_and_not_tagged_is_tagged_by_the_next_try(repo: Repo, far: Remote, trained):
    registering.register(repo, trained("a", accuracy=0.8), model="digits")
    first = promote(repo, "v1.0.0", far)
    repo.git("push", "-q", "origin", ":refs/tags/digits#production#1")
    repo.git("tag", "-d", "digits#production#1")

    again = promote(repo, "v1.0.0", far)

    assert (again.commit, [one.tag for one in again.stages]) == (None, ["digits#production#1"])
    assert far.refs("refs/tags/digits#*")
    assert repo.resolve("main") == first.commit


def test_tags_that_were_made_and_not_sent_are_sent_when_it_is_done_again(
    repo: Repo, far: Remote, trained, monkeypatch: pytest.MonkeyPatch
):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")
    with monkeypatch.context() as patched:
        patched.setattr(sending, "send", _killed)
        with pytest.raises(KeyboardInterrupt):
            promote(repo, "v1.0.0", far)
    assert serves(repo) == "v1.0.0"
    assert "refs/tags/digits#production#1" not in far.refs()

    made = promote(repo, "v1.0.0", far)

    assert [(one.version, one.tag) for one in made.stages] == [("v1.0.0", "digits#production#1")]
    assert "refs/tags/digits#production#1" in far.refs()
    with pytest.raises(UsageError, match="in production already"):
        promote(repo, "v1.0.0", far)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
