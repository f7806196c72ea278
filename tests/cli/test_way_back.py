from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.store import registry as store
from tests.conftest import make_repo

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def live(repo: Repo, mlgit: Mlgit, trained: Callable[[str, float], str], monkeypatch: pytest.MonkeyPatch) -> Mlgit:
    """digits v1.1.0 is in production, and v1.0.0 was before; #1 and #2 did that."""
    monkeypatch.chdir(repo.folder)
    for number, accuracy in enumerate((0.9, 0.92), 1):
        mlgit("model", "register", trained(f"run{number}", accuracy), "--name", "digits")
        mlgit("promote", f"digits@v1.{number - 1}.0", "production")
        mlgit("pr", "merge", str(number))
    return mlgit


def refused(live: Mlgit, *words: str) -> str:
    """What it says who refuses *words*."""
    done = live(*words, check=False)
    assert done.returncode
    return done.stderr


def served(repo: Repo) -> str | None:
    return ledger.of(store.tags(repo), "digits").stages.get("production")


def test_a_bad_version_is_rolled_back_held_and_followed_by_a_better_one(
    live: Mlgit, repo: Repo, trained: Callable[[str, float], str]
):
    asked = live("rollback", "digits", "production", "--reason", "it answers nonsense").stdout
    merged = live("pr", "merge", "3").stdout
    again = live("rollback", "digits", "production").stdout

    assert asked == "#3 Roll production back to digits v1.0.0\n"
    assert "production serves digits v1.0.0 again" in merged
    assert again.startswith("production of digits is held at v1.0.0, back from v1.1.0, by ")
    assert again.endswith(": it answers nonsense.\n")
    assert served(repo) == "v1.0.0"

    live("model", "register", trained("run3", 0.95), "--name", "digits")
    assert "--lift" in refused(live, "promote", "digits@v1.2.0", "production")
    live("promote", "digits@v1.2.0", "production", "--lift")
    live("pr", "merge", "4")

    assert served(repo) == "v1.2.0"


@pytest.mark.parametrize(
    ("words", "completed"),
    [("rollback digits production --to v", ["v1.0.0"]), ("rollback digits pro", ["production"]), ("hold other p", [])],
)
def test_a_stage_and_what_it_served_before_are_completed(live: Mlgit, words: str, completed: list[str]):
    typed = {"COMP_WORDS": f"mlgit {words}", "COMP_CWORD": str(len(words.split())), "_MLGIT_COMPLETE": "bash_complete"}

    done = live(env=os.environ | typed)

    assert done.stdout.replace("plain,", "").split() == completed


def test_a_rollback_can_be_looked_at_first_and_read_by_a_script(live: Mlgit, repo: Repo):
    told = json.loads(live("rollback", "digits", "production", "--to", "1.0.0", "-n", "--json").stdout)

    assert (told["version"], told["champion"], told["rolled_back_from"]) == ("v1.0.0", "v1.1.0", "v1.1.0")
    assert "instead: v1.1.0" in told["files"]["registry/digits/production.yaml"]
    assert FolderForge(repo).pulls() == []


def test_a_stage_is_held_and_let_go_by_pull_request_or_at_once(live: Mlgit, repo: Repo):
    assert live("hold", "digits", "production", "--reason", "the fair").stdout == "#3 Hold digits production\n"
    live("pr", "merge", "3")
    held = live("hold", "digits", "production").stdout
    lifted = live("hold", "digits", "production", "--lift", "--direct").stdout
    free = live("hold", "digits", "production", "--lift").stdout

    assert held.startswith("production of digits is held at v1.1.0, by ")
    assert lifted.startswith("Lift the hold of digits production: commit ")
    assert free == "production of digits serves v1.1.0, and is not held.\n"
    assert repo.git("show", "main:registry/digits/production.yaml") == "version: v1.1.0"
    assert served(repo) == "v1.1.0"


def test_those_who_hold_or_freeze_at_the_same_moment_find_one_pull_request(live: Mlgit, repo: Repo):
    words = [("hold", "digits", "production"), ("freeze", "digits")] * 3

    with ThreadPoolExecutor() as all_at_once:
        done = list(all_at_once.map(lambda one: live(*one, check=False), words))

    assert [one.returncode for one in done] == [0] * 6, [one.stderr for one in done]
    assert len(FolderForge(repo).pulls()) == 2


def test_a_pull_request_that_is_open_says_what_it_does_by_now(live: Mlgit, repo: Repo):
    for version, why in (("v1.0.0", "the fair"), ("v1.1.0", "the audit")):
        live("model", "alias", f"digits@{version}", "demo", "--pr")
        live("hold", "digits", "production", "--reason", why)

    held, alias = FolderForge(repo).pulls()
    assert alias.title == "digits: demo is v1.1.0"
    assert "the audit" in held.body


def test_what_serves_nothing_cannot_be_held(live: Mlgit):
    assert "staging serves no digits: there is nothing to hold" in refused(live, "hold", "digits", "staging")


def test_a_freeze_is_written_listed_and_taken_back(live: Mlgit, repo: Repo):
    live("freeze", "digits", "prod*", "--until", "2999-12-27", "--reason", "nobody is here", "--direct")
    again = live("freeze", "digits", "prod*", "--until", "2999-12-27", "--reason", "nobody is here").stdout
    live("freeze", "--direct")
    listed = json.loads(live("freeze", "--ls", "--json").stdout)

    assert "is frozen until 2999-12-27T00:00:00Z by" in again
    assert [(one["models"], one["stages"], one["until"]) for one in listed] == [
        ("digits", "prod*", "2999-12-27T00:00:00Z"), ("*", "*", None),
    ]  # fmt: skip
    assert "mlgit unfreeze 'digits' 'prod*'" in refused(live, "unfreeze", "digits", "production")
    assert "No model is called 'digts' so far" in live("freeze", "digts", "--direct").stderr
    live("unfreeze", "digts", "--direct")
    live("unfreeze", "--direct")
    live("unfreeze", "digits", "prod*")
    live("pr", "merge", "3")
    assert repo.git("ls-tree", "--name-only", "main", "registry/freezes.yaml") == ""


@pytest.mark.parametrize(("until", "message"), [("1999-01-01", "is over already"), ("soon", "is no moment")])
def test_a_freeze_ends_at_a_moment_to_come(live: Mlgit, until: str, message: str):
    assert message in refused(live, "freeze", "--until", until)


def test_an_emergency_needs_a_reason_and_a_person(live: Mlgit, repo: Repo, monkeypatch: pytest.MonkeyPatch):
    promote = "promote", "digits@v1.0.0", "production"
    assert "An emergency has a reason" in refused(live, *promote, "--emergency")
    assert "--reason says why it is an emergency" in refused(live, *promote, "--reason", "x")
    told = live("promote", "digits@v1.0.0", "production", "--emergency", "--reason", "v1.1.0 crashes")
    merged = live("pr", "merge", "3").stdout
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    by_ci = refused(live, "promote", "digits@v1.1.0", "production", "--emergency", "--reason", "x")

    assert "A job of CI declares no emergency" in by_ci
    assert "EMERGENCY: v1.1.0 crashes" in told.stderr
    assert told.stdout == "#3 EMERGENCY: promote digits v1.0.0 to production\n"
    assert "EMERGENCY: production serves digits v1.0.0" in merged
    assert served(repo) == "v1.0.0"


def test_a_rollback_at_once_is_on_the_remote_with_its_tag_and_done_when_asked_again(
    live: Mlgit, repo: Repo, tmp_path: Path
):
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    repo.git("push", "-q", "--tags", "origin", "main")

    done = live("rollback", "digits", "production", "--direct", "--reason", "it burns").stdout
    again = json.loads(live("rollback", "digits", "production", "--direct", "--json").stdout)

    assert "production serves digits v1.0.0 again (tag digits#production#3)" in done
    assert (again["version"], again["hold"]["why"], again["stages"]) == ("v1.0.0", "it burns", [])
    assert far.resolve("refs/tags/digits#production#3")
    assert far.resolve("main") == repo.resolve("main")


def test_a_rollback_that_died_before_its_tag_is_finished_by_the_next(live: Mlgit, repo: Repo):
    live("rollback", "digits", "production", "--direct")
    repo.git("tag", "-d", "digits#production#3")

    again = live("rollback", "digits", "production", "--direct").stdout

    assert "production serves digits v1.0.0 again (tag digits#production#3)" in again
    assert served(repo) == "v1.0.0"


def test_holds_and_emergencies_are_seen_where_versions_are_listed(live: Mlgit, repo: Repo):
    live("promote", "digits@v1.0.0", "production", "--emergency", "--reason", "v1.1.0 crashes", "--direct")
    live("rollback", "digits", "production", "--to", "v1.1.0", "--direct")
    back = live("model", "show", "digits@production").stdout
    live("promote", "digits@v1.0.0", "production", "--emergency", "--reason", "it still does", "--direct", "--lift")
    live("hold", "digits", "production", "--reason", "the fair", "--direct")

    listed = live("model", "ls", "digits").stdout
    shown = live("model", "show", "digits@production")
    card = live("model", "card", "digits@v1.0.0").stdout
    (row,) = [one for one in json.loads(live("model", "ls", "--json").stdout) if one["stages"]]

    assert "assigned production by Ada (digits#production#4), back from v1.0.0" in back
    assert "production EMERGENCY held" in listed
    assert "assigned production by Ada (digits#production#3) in an EMERGENCY: v1.1.0 crashes" in shown.stdout
    assert "It came to production in an EMERGENCY, by Ada: it still does." in shown.stderr
    assert "> **Emergency:** it came to production past its gates, by Ada: v1.1.0 crashes" in card
    assert card.count("**Emergency:**") == 2
    assert "Emergency" not in live("model", "card", "digits@v1.1.0").stdout
    assert row["stages"] == ["production"]
    assert (row["held"]["production"]["why"], row["emergencies"]["production"]["why"]) == ("the fair", "it still does")


def test_two_clones_that_go_back_at_the_same_moment_both_find_it_done_once(live: Mlgit, repo: Repo, tmp_path: Path):
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    repo.git("push", "-q", "--all", "origin")
    repo.git("push", "-q", "--tags", "origin")
    shutil.copytree(repo.folder, tmp_path / "other", symlinks=True)

    with ThreadPoolExecutor() as both:
        asked = [
            both.submit(live, "rollback", "digits", "production", "--direct", cwd=folder, check=False)
            for folder in (repo.folder, tmp_path / "other")
        ]

    done = [one.result() for one in asked]
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    stages = ledger.of(store.tags(far), "digits")
    assert stages.stages == {"production": "v1.0.0"}
    assert [event.tag.name for event in stages.history if event.stage][2:] == ["digits#production#3"]
