"""What surrounds pull requests on GitHub: check runs, deployments, environments, people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlgit.errors import SilentError, UsageError
from mlgit.forge.base import Remark, Status, StatusState
from mlgit.forge.github import checks, deployments, people
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.deployments import DeploymentState, Environment
from mlgit.forge.github.people import Role
from mlgit.forge.github.rest import Rest
from mlgit.git.repo import Repo
from tests import github
from tests.conftest import need
from tests.github import NAME, GitHub


@pytest.fixture
def there(repo: Repo) -> Iterator[GitHub]:
    need("github", github.is_here())
    with github.serving(repo.git_dir) as found:
        yield found


@pytest.fixture
def rest(there: GitHub) -> Rest:
    return github.rest(there, "ada")


@pytest.fixture
def commit(repo: Repo) -> str:
    return str(repo.resolve("main"))


def of(commit: str, state: StatusState = StatusState.FAILURE, **more: str) -> Status:
    return Status(context="mlgit/gates", state=state, commit=commit, **more)


def remarks(count: int) -> list[Remark]:
    return [Remark(path="train.py", line=number + 1, message=f"line {number}") for number in range(count)]


def test_remarks_go_fifty_at_a_time(there: GitHub, rest: Rest, commit: str):
    run = checks.publish(rest, NAME, of(commit, description="2 fail"), remarks=remarks(120))

    assert [one["message"] for one in there.runs[run]["notes"]] == [f"line {n}" for n in range(120)]
    assert [one.split()[0] for one in there.asked] == ["POST", "PATCH", "PATCH"]
    assert (there.runs[run]["status"], there.runs[run]["conclusion"]) == ("completed", "failure")


def test_a_check_is_under_way_before_it_ends(there: GitHub, rest: Rest, commit: str):
    run = checks.publish(rest, NAME, of(commit, StatusState.PENDING, url="https://ci.example/1"))
    assert there.runs[run]["status"] == "in_progress"

    run = checks.publish(rest, NAME, of(commit, StatusState.SUCCESS), summary="## gates")

    assert (there.runs[run]["status"], there.runs[run]["output"]["summary"]) == ("completed", "## gates")


def test_remarks_are_not_brought_twice(there: GitHub, rest: Rest, commit: str):
    there.after["POST"] = lambda: there.answers.append((502, {}, None))

    with pytest.raises(SilentError):
        checks.publish(rest, NAME, of(commit), remarks=remarks(51))

    assert [one.split()[0] for one in there.asked] == ["POST", "PATCH"]


def test_a_commit_is_deployed_as_it_is_whatever_its_checks_say(there: GitHub, rest: Rest, commit: str):
    words = {"environment": "production", "payload": {"model": "churn", "version": "1.2.0"}}
    first = deployments.deploy(rest, NAME, commit, **words, is_production=True)
    second = deployments.deploy(rest, NAME, commit, **words)
    deployments.deploy(rest, NAME, commit, environment="staging")

    assert deployments.state(rest, NAME, first.id) is None
    deployments.set_state(rest, NAME, first.id, DeploymentState.IN_PROGRESS)
    deployments.set_state(rest, NAME, first.id, DeploymentState.SUCCESS, description="x" * 300, url="https://ci/1")

    assert deployments.state(rest, NAME, first.id) is DeploymentState.SUCCESS
    found = deployments.deployments(rest, NAME, environment="production")
    assert [(one.id, one.commit, one.payload["version"]) for one in found] == [
        (second.id, commit, "1.2.0"), (first.id, commit, "1.2.0"),
    ]  # fmt: skip
    with pytest.raises(RefusedError, match="No ref found"):
        deployments.deploy(rest, NAME, "0" * 40, environment="production")


def test_an_environment_says_who_has_to_approve(rest: Rest):
    assert deployments.environment(rest, NAME, "eu/production") is None

    made = deployments.set_environment(rest, NAME, "eu/production", reviewers=[7])

    assert made == deployments.environment(rest, NAME, "eu/production")
    assert made == Environment(name="eu/production", reviewers=("ada",))


def test_a_role_is_what_a_person_may_do(there: GitHub, rest: Rest):
    there.permissions |= {"ada": "admin", "grace": "maintain", "eve": "read"}

    found = {login: people.role(rest, NAME, login) for login in ("ada", "grace", "eve", "nobody", "../../user")}

    assert list(found.values()) == [Role.ADMIN, Role.MAINTAIN, Role.READ, Role.NONE, Role.NONE]
    assert Role.MAINTAIN.allows(Role.WRITE)
    assert not Role.READ.allows(Role.WRITE)


def test_a_team_has_members_and_one_that_cannot_be_seen_is_no_team_without_any(there: GitHub, rest: Rest):
    there.teams["ml"] = {"ada"}

    assert people.belongs(rest, "acme/ml", "ada")
    assert not people.belongs(rest, "acme/ml", "eve")
    with pytest.raises(UsageError, match="There is no team acme/mll, or this token may not see it"):
        people.belongs(rest, "acme/mll", "ada")
