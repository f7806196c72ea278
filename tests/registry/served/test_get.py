"""A model is brought from another repository, of which only what that takes is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mlgit
from mlgit.core import refs
from mlgit.dvc import cache
from mlgit.errors import GitError, MlgitError, NotFoundError, UsageError
from mlgit.formats import loading
from mlgit.git.repo import Move
from mlgit.registry import filing
from mlgit.registry.served import clone
from mlgit.registry.versions import aliasing, deprecating
from mlgit.store import registry as store
from tests import disks
from tests.registry.served.conftest import Team

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


def content(place: Path) -> dict[str, str]:
    return {path.relative_to(place).as_posix(): path.read_text() for path in place.rglob("*") if path.is_file()}


def test_what_production_serves_is_brought_outside_of_every_repository(team: Team, outside: Path):
    made = team.train("good")
    team.promote(made)

    got = mlgit.models.get("churn@production", repo=team.url, to="served")

    assert content(outside / "served") == {"weights": "weights of good", "deep/labels": "stay go"}
    assert (got.name, got.version, got.stage, got.path) == ("churn", "v1.0.0", "production", Path("served"))
    assert (got.digest, dict(got.sha256), got.run) == (made.hash, dict(made.sha256), made.run)
    assert (got.away, got.unsettled, got.deprecated) == ("", "", "")
    assert dict(got.metrics) == {"accuracy": 0.9}
    assert team.asked <= 10


def test_of_many_versions_and_runs_only_what_is_asked_for_comes(team: Team, outside: Path):
    made = [team.train(f"run{number}") for number in range(5)]
    for version in made:
        team.promote(version)
    team.promote(made[0], "staging")

    mlgit.models.get("churn@production", repo=team.url)

    there = clone.of(team.url).repo
    last = refs.version_tag("churn", made[-1].version)
    assert [ref for ref in there.refs("refs/") if "#production" not in ref] == ["refs/remotes/origin/main", last]
    assert there.git("rev-list", "--count", "refs/remotes/origin/main") == "1"


def test_a_second_get_brings_nothing_and_one_of_a_version_asks_nobody(team: Team, outside: Path):
    team.promote(team.train("good"))
    first = mlgit.models.get("churn@production", repo=team.url)
    assert team.asked
    team.fetched.clear()

    again = mlgit.models.get("churn@production", repo=team.url)
    by_stage = team.asked
    by_version = mlgit.models.get("churn@v1.0.0", repo=team.url, to="served")

    assert again == first
    assert by_stage == 3
    assert replace(by_version, path=first.path, stage="production") == first
    assert (team.asked, team.fetched) == (0, [])


def test_a_newer_version_takes_the_place_of_the_older_one_and_of_nothing_else(team: Team, outside: Path):
    team.promote(team.train("good"))
    mlgit.models.get("churn", repo=team.url, to="served")
    team.promote(team.train("better"))

    got = mlgit.models.get("churn", repo=team.url, to="served")

    assert (got.version, content(outside / "served")["weights"]) == ("v1.1.0", "weights of better")
    Path("served/weights").write_text("mine")
    with pytest.raises(UsageError, match="served is there already, with something else in it"):
        mlgit.models.get("churn@v1.0.0", repo=team.url, to="served")
    assert content(outside / "served")["weights"] == "mine"
    assert [path.name for path in outside.iterdir()] == ["served"]


def test_on_a_disk_of_its_own_a_newer_version_replaces_the_files_of_the_older_one(team: Team, outside: Path):
    team.promote(team.train("good"))
    volume = outside / "volume"
    volume.mkdir()
    with disks.bound(volume):
        mlgit.models.get("churn", repo=team.url, to=volume)
        team.promote(team.train("better", make=lambda place: (place / "weights").write_text("better")))
        (volume / "weights").write_text("better")  # whoever replaced them was killed

        mlgit.models.get("churn", repo=team.url, to=volume)
        newer = content(volume)
        (volume / "weights").write_text("mine")
        with pytest.raises(UsageError, match="something else in it"):
            mlgit.models.get("churn@v1.0.0", repo=team.url, to=volume)

    assert newer == {"weights": "better"}


def test_the_older_version_lies_there_until_the_newer_one_is_whole(
    team: Team, outside: Path, monkeypatch: pytest.MonkeyPatch
):
    team.promote(team.train("good"))
    mlgit.models.get("churn", repo=team.url, to="served")
    team.promote(team.train("better"))
    real, seen = cache.copy, list[str]()

    def copy(*args: Any, **how: Any) -> None:
        seen.append(Path("served/weights").read_text())
        real(*args, **how)

    monkeypatch.setattr(cache, "copy", copy)
    mlgit.models.get("churn", repo=team.url, to="served")

    assert set(seen) == {"weights of good"}
    assert content(outside / "served")["weights"] == "weights of better"


def test_what_is_merged_and_not_settled_is_told_and_not_served(team: Team, outside: Path):
    team.promote(team.train("good"))
    team.merge(team.train("refused"))
    team.publish()

    with pytest.warns(UserWarning, match="production is to serve churn v1.1.0, and does not"):
        got = mlgit.models.get("churn@production", repo=team.url)

    assert (got.version, got.unsettled) == ("v1.0.0", "v1.1.0")


def test_a_stage_that_went_back_serves_what_it_went_back_to(team: Team, outside: Path):
    first = team.train("first")
    for version in (first, team.train("second"), first):
        team.promote(version)

    assert mlgit.models.get("churn@production", repo=team.url).version == "v1.0.0"
    team.repo.git("rm", "-q", store.stage_path("churn", "production"))
    team.repo.git("commit", "-q", "-m", "nothing in production")
    team.settle()
    team.publish()
    with pytest.raises(NotFoundError, match="churn has nothing in production"):
        mlgit.models.get("churn@production", repo=team.url)
    assert mlgit.models.get("churn", repo=team.url).version == "v1.1.0"  # its latest


def test_where_nobody_answers_what_was_said_last_is_served_loudly(team: Team, outside: Path):
    team.promote(team.train("good"))
    mlgit.models.get("churn@production", repo=team.url)
    team.leave()

    with pytest.warns(UserWarning, match=r"is out of reach: .*churn v1\.0\.0 is what it said last"):
        got = mlgit.models.get("churn@production", repo=team.url, to="served")

    assert got.away
    assert content(outside / "served")["weights"] == "weights of good"
    with pytest.raises(GitError, match="could not be read"):
        mlgit.models.get("churn@staging", repo=team.url)
    with pytest.raises(GitError, match="could not be read"):
        mlgit.models.get("churn@v9.0.0", repo=team.url)


def test_offline_asks_nobody_and_says_so_where_nothing_is_known(team: Team, outside: Path):
    team.promote(team.train("good"))
    with pytest.raises(NotFoundError):
        mlgit.models.get("churn@production", repo=team.url, offline=True)
    mlgit.models.get("churn@production", repo=team.url)
    team.heard.clear()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = mlgit.models.get("churn@production", repo=team.url, offline=True)

    assert (got.version, got.away, team.asked) == ("v1.0.0", "it was not to be asked", 0)


def test_a_repository_that_refuses_us_is_no_reason_to_serve_what_it_said_before(team: Team, outside: Path):
    team.promote(team.train("good"))
    mlgit.models.get("churn@production", repo=team.url)
    team.far.rename(team.far.with_name("moved.git"))

    with pytest.raises(GitError, match=r"team\.git could not be read"):
        mlgit.models.get("churn@production", repo=team.url)


def test_the_model_of_a_project_in_a_monorepo_comes_from_its_own_store(team: Team, outside: Path):
    top = team.repo.work_tree
    assert top
    (top / "teams/churn/.dvc").mkdir(parents=True)
    (top / ".dvc/config").replace(top / "teams/churn/.dvc/config")
    (top / ".dvc/config").write_text("")
    team.repo.git("add", "-A")
    team.repo.git("commit", "-q", "-m", "a project below")
    team.promote(team.train("good", folder="teams/churn"))

    mlgit.models.get("churn@production", repo=team.url, to="served")

    assert content(outside / "served")["weights"] == "weights of good"


def test_a_tag_that_says_something_else_than_the_reviewed_file_is_refused(team: Team, outside: Path):
    made = team.train("good")
    team.promote(made)
    tag = refs.version_tag("churn", "v1.0.0")
    repo, other = team.repo, replace(made, sha256=dict(made.sha256) | {"weights": "0" * 64})
    before = repo.refs(tag)[tag]
    repo.move([Move(tag, before, None)], why="test")
    repo.tag(tag, repo.resolve(before) or "", store.message(other), when=made.registered)
    team.publish()

    with pytest.raises(UsageError, match=r"registry/churn/versions/v1\.0\.0\.yaml and the tag .* differ in sha256"):
        mlgit.models.get("churn@production", repo=team.url)


def test_a_cache_that_the_team_configured_is_left_alone(team: Team, outside: Path, tmp_path: Path):
    config = Path(str(team.repo.work_tree), ".dvc/config")
    config.write_text(f"{config.read_text()}\n[cache]\n    dir = {tmp_path / 'shared'}\n")
    team.repo.git("commit", "-q", "-a", "-m", "a cache of the team's")
    team.promote(team.train("good"))
    (tmp_path / "shared").rename(tmp_path / "gone")

    got = mlgit.models.get("churn@production", repo=team.url)

    assert content(got.path)["weights"] == "weights of good"
    assert not (tmp_path / "shared").exists()


def test_a_password_in_an_address_stays_out_of_the_cache_and_of_errors(team: Team, outside: Path):
    team.promote(team.train("good"))
    secret = team.url.replace("http://", "http://ada:s3cret@")

    mlgit.models.get("churn@production", repo=secret)

    held = [path for path in clone.folder().rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert held == []
    assert mlgit.models.get("churn@v1.0.0", repo=team.url).version == "v1.0.0"  # the same clone
    assert team.asked
    with pytest.raises(MlgitError) as caught:
        mlgit.models.get("other@production", repo=secret)
    assert "s3cret" not in str(caught.value)


def test_several_processes_get_it_for_the_first_time_at_once(team: Team, outside: Path):
    team.promote(team.train("good"))
    program = f"import mlgit; print(mlgit.models.get('churn@production', repo={team.url!r}).version)"
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate() for process in started] == [("v1.0.0\n", "")] * 4


def test_a_deprecated_version_comes_with_its_reason(team: Team, outside: Path):
    made = team.train("good")
    team.merge(made)
    team.settle()
    deprecating.deprecate(team.repo, "churn", made.version, why="leaks the label")
    team.publish()

    got = mlgit.models.get("churn@production", repo=team.url)

    assert got.deprecated == "churn v1.0.0 is deprecated by Ada: leaks the label"


def test_an_alias_and_latest_are_names_of_versions_here_too(team: Team, outside: Path):
    old, new = team.train("old"), team.train("new")
    edit = aliasing.edit(team.repo, "churn", version=old.version, given=("paper",), gone=(), base="main")
    filing.at_once(team.repo, "main", edit, "an alias")
    team.publish()

    by_alias = mlgit.models.get("churn@paper", repo=team.url)
    by_latest = mlgit.models.get("churn@latest", repo=team.url)
    offline = mlgit.models.get("churn@paper", repo=team.url, offline=True)

    assert (by_alias.version, by_latest.version, by_alias.stage) == (old.version, new.version, "")
    assert offline.version == old.version
    with pytest.raises(NotFoundError, match="churn has nothing in other"):
        mlgit.models.get("churn@other", repo=team.url)


def test_an_alias_that_moves_is_asked_for_anew_and_a_stage_of_its_name_goes_before_it(team: Team, outside: Path):
    old, new = team.train("old"), team.train("new")
    for made in (old, new):
        edit = aliasing.edit(team.repo, "churn", version=made.version, given=("paper",), gone=(), base="main")
        filing.at_once(team.repo, "main", edit, "an alias")
        team.publish()
        assert mlgit.models.get("churn@paper", repo=team.url).version == made.version

    team.promote(old, "paper")

    assert mlgit.models.get("churn@paper", repo=team.url).stage == "paper"


@pytest.mark.parametrize(
    "name", ["../x@production", "churn@-x", "churn@a*", "a b@production", "--upload-pack=x@v1.0.0"]
)
def test_names_that_could_be_more_than_names_are_refused(team: Team, outside: Path, name: str):
    with pytest.raises(MlgitError):
        mlgit.models.get(name, repo=team.url)

    assert team.asked == 0


@pytest.mark.parametrize("address", ["ext::sh -c id", "--upload-pack=id", ""])
def test_addresses_that_are_programs_are_refused(outside: Path, address: str):
    with pytest.raises(MlgitError):
        mlgit.models.get("churn@production", repo=address)


def test_the_command_takes_the_repository_from_its_option_or_the_environment(
    team: Team, outside: Path, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):
    team.promote(team.train("good"))

    got = json.loads(mlgit("model", "get", "churn@production", "-o", "one", "--repo", team.url, "--json").stdout)
    monkeypatch.setenv("MLGIT_REPO", team.url)
    by_env = mlgit("model", "get", "churn@production")
    team.leave()
    away = mlgit("model", "get", "churn@production")
    offline = mlgit("model", "get", "churn@production", "--offline")
    unsigned = mlgit("model", "get", "churn@production", "--offline", "--verify", check=False)

    assert (got["version"], got["stage"], got["path"], got["away"]) == ("v1.0.0", "production", "one", "")
    assert by_env.stdout == away.stdout == offline.stdout == "churn-v1.0.0\n"
    assert "Warning: " in away.stderr
    assert "out of reach" in away.stderr
    assert "Warning" not in by_env.stderr + offline.stderr
    assert unsigned.returncode == 1
    assert "churn v1.0.0 is not signed" in unsigned.stderr


def test_in_a_repository_it_is_that_one_which_is_asked(team: Team, monkeypatch: pytest.MonkeyPatch):
    team.promote(team.train("good"))
    monkeypatch.chdir(str(team.repo.work_tree))

    got = mlgit.models.get("churn@production")

    assert (got.version, got.path) == ("v1.0.0", Path("artifacts/churn-v1.0.0").absolute())
    assert team.asked == 0
    with pytest.raises(UsageError, match="never away"):
        mlgit.models.get("churn@production", offline=True)


def test_its_names_are_a_module_s(outside: Path):
    program = (
        "import mlgit.models as m; from mlgit.models import Model, get; import mlgit; print(mlgit.models.get is get)"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "True\n"


def test_who_polls_does_not_read_the_bytes_again_until_they_change(
    team: Team, outside: Path, monkeypatch: pytest.MonkeyPatch
):
    team.promote(team.train("good"))
    first = mlgit.models.get("churn@production", repo=team.url)
    read: list[object] = []
    real = loading.differing
    monkeypatch.setattr(loading, "differing", lambda *args: read.append(args) or real(*args))

    assert mlgit.models.get("churn@production", repo=team.url) == first
    assert read == []
    weights = first.path / "weights"
    weights.chmod(0o644)
    weights.write_text("weights of evil")
    with pytest.raises(UsageError, match="is there already, with something else in it"):
        mlgit.models.get("churn@production", repo=team.url)


def test_a_git_that_was_killed_in_the_cache_holds_nobody_up(team: Team, outside: Path):
    team.promote(team.train("good"))
    mlgit.models.get("churn@production", repo=team.url)
    git_dir = clone.of(team.url).repo.git_dir
    for left in ("shallow.lock", "packed-refs.lock", "refs/remotes/origin/main.lock"):
        (git_dir / left).write_text("")
    team.promote(team.train("better"))

    assert mlgit.models.get("churn@production", repo=team.url).version == "v1.1.0"


def test_a_signature_that_the_stage_asks_for_is_asked_for_of_who_takes_the_model_up(team: Team, outside: Path):
    made = team.train("good")
    team.promote(made)
    policy = "stages:\n  production:\n    gates:\n      - signed: true\n"
    team.repo.git("reset", "-q", "--hard", team.repo.commit("HEAD", {store.POLICY: policy.encode()}, "signatures"))
    team.publish()

    with pytest.raises(MlgitError, match=r"churn v1\.0\.0 is not signed"):
        mlgit.models.get("churn@production", repo=team.url)

    assert mlgit.models.get("churn@v1.0.0", repo=team.url).version == "v1.0.0"  # no stage is asked for


def test_in_a_clone_that_may_lack_tags_the_branch_counts_and_a_difference_is_told(
    team: Team, monkeypatch: pytest.MonkeyPatch
):
    team.promote(team.train("good"))
    team.merge(team.train("better"))
    monkeypatch.chdir(str(team.repo.work_tree))

    with pytest.warns(
        UserWarning, match=r"main asks for churn v1\.1\.0 in production.*by the tags here it serves v1\.0\.0"
    ):
        assert mlgit.models.get("churn@production").version == "v1.1.0"
