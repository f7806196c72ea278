"""GitHub's bad days, and what a report costs there. What it does like every forge: tests/contracts/test_forge.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.core import refs
from mlgit.errors import MlgitError, NotFoundError, RefMovedError, SilentError, UsageError
from mlgit.forge import base, rules
from mlgit.forge.base import PullState, Remark, ReviewVerdict, Status, StatusState
from mlgit.forge.github import account, checks, deployments, people, readiness, rights
from mlgit.forge.github.answers import RefusedError, reason
from mlgit.forge.github.clone import Clone
from mlgit.forge.github.forge import GitHubForge
from mlgit.forge.github.rest import Rest, Token
from mlgit.forge.sticky import upsert
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from tests import github
from tests.conftest import make_repo, need
from tests.github import HALF, NAME, GitHub

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
MOVED = {"message": "Moved"}
BOT = "github-actions[bot]"
REMARKS = [Remark(path="params.yaml", line=1, message="lr: 0.1 → 0.2"),
           Remark(path="registry/policy.yaml", line=7, message="accuracy ≥ 0.95: 0.9", is_failure=True)]  # fmt: skip


@dataclass
class Place:
    """A repository that GitHub has, with a pull request from `a` into `main`."""

    there: GitHub
    repo: Repo
    number: int = 0
    waited: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def forge(self, me: str = "ada") -> GitHubForge:
        return GitHubForge(github.rest(self.there, me, sleep=self.waited.append, say=self.said.append), NAME)

    def branch(self, name: str, files: dict[str, bytes]) -> str:
        ref = f"refs/heads/{name}"
        commit = self.repo.commit(self.repo.resolve(ref) or self.repo.resolve("main"), files, "work")
        self.repo.git("update-ref", ref, commit)
        return commit

    def calls(self, what: Callable[[], object]) -> list[str]:
        """What GitHub was asked while *what* was done."""
        before = len(self.there.asked)
        what()
        return [one.replace(f"/repos/{NAME}", "") for one in self.there.asked[before:]]


@pytest.fixture
def place(repo: Repo) -> Iterator[Place]:
    need("github", github.is_here())
    with github.serving(repo.git_dir) as there:
        found = Place(there, repo)
        found.branch("a", {"train.py": b"lr = 0.1\n"})
        found.number = found.forge().open(head="a", base="main", title="t").number
        yield found


def report(forge: GitHubForge, number: int, text: str, *pictures: bytes) -> base.Comment:
    """What a report does on a forge."""
    pull = forge.get(number)
    links = "".join(f"\n![]({forge.image(one, 'x.png')})" for one in pictures)
    status = Status(context="mlgit/report", state=StatusState.SUCCESS, description=text, commit=pull.head_commit)
    return upsert(forge, number, "mlgit:report", text + links, status=status)


@pytest.mark.parametrize("me", ["ada", BOT])
def test_a_report_costs_six_requests_and_two_when_nothing_changed(place: Place, me: str):
    place.there.bots.add(BOT)
    very_first = place.calls(lambda: report(place.forge(me), place.number, "no branch of pictures yet", PNG))
    number = place.forge().open(head=_another(place), base="main", title="t").number
    pictures = [PNG + bytes([one]) for one in range(3)]

    first = place.calls(lambda: report(place.forge(me), number, "accuracy 0.9", *pictures))
    again = place.calls(lambda: report(place.forge(me), number, "accuracy 0.9", *pictures))
    changed = place.calls(lambda: report(place.forge(me), number, "accuracy 0.95", *pictures, b"new"))

    assert (len(very_first), len(first)) == (9, 6), (very_first, first)
    assert again == [f"GET /pulls/{number}", "POST /graphql"]
    assert len(changed) == 5, changed
    assert place.repo.git("rev-list", "--count", "--first-parent", refs.ASSETS) == "4"


def _another(place: Place) -> str:
    place.branch("b", {"b": b""})
    return "b"


def test_a_head_that_moved_gets_its_status_though_the_report_reads_the_same(place: Place):
    report(place.forge(), place.number, "accuracy 0.9")
    commit = place.branch("a", {"more.py": b""})

    report(place.forge(), place.number, "accuracy 0.9")

    assert [one.context for one in place.forge().statuses(commit)] == ["mlgit/report"]


def test_a_workflows_token_makes_a_check_with_remarks_beside_the_lines(place: Place):
    place.there.bots.add(BOT)
    forge, commit = place.forge(BOT), place.forge().get(1).head_commit
    status = Status(context="mlgit/report", state=StatusState.FAILURE, description="worse", commit=commit)

    link = forge.image(PNG, "x.png")
    upsert(forge, 1, "mlgit:report", f"### worse\n![]({link})", status=status, remarks=REMARKS)

    (run,) = place.there.runs.values()
    told = [(one["path"], one["start_line"], one["annotation_level"], one["message"]) for one in run["notes"]]
    assert told == [
        ("params.yaml", 1, "notice", "lr: 0.1 → 0.2"),
        ("registry/policy.yaml", 7, "failure", "accuracy ≥ 0.95: 0.9"),
    ]  # fmt: skip
    assert (run["conclusion"], run["output"]["title"]) == ("failure", "worse")
    assert f"](http://127.0.0.1:{place.there.address.rpartition(':')[2]}/{NAME}/blob/" in run["output"]["summary"]
    assert place.there.statuses == []
    assert [(one.context, one.state) for one in forge.statuses(commit)] == [("mlgit/report", StatusState.FAILURE)]


def test_a_check_whose_page_is_too_small_for_a_report_leads_to_all_of_it(place: Place):
    place.there.bots.add(BOT)
    forge, commit = place.forge(BOT), place.forge().get(1).head_commit
    status = Status(context="mlgit/report", state=StatusState.SUCCESS, description="better", commit=commit)
    shown = f"![]({forge.image(PNG, 'x.png')})\n\n" * 40
    text = f"verdict\n\n{shown}" + "".join(f"## section {one}\n\n{'word ' * 300}\n\n" for one in range(60))

    comment = upsert(forge, 1, "mlgit:report", text, status=status)

    (run,) = place.there.runs.values()
    summary = run["output"]["summary"]
    path = comment.body.rpartition("(../blob/")[2].partition(")")[0]
    assert len(summary) <= 65_535
    assert summary.rstrip().endswith(
        f"(http://127.0.0.1:{place.there.address.rpartition(':')[2]}/{NAME}/blob/{path}).*"
    )
    page = place.repo.read(refs.ASSETS, path.partition("/")[2])
    assert "## section 59\n" in (page or b"").decode()


def test_of_a_status_and_a_check_of_one_name_the_one_counts_that_did_not_pass(place: Place):
    place.there.bots.add(BOT)
    commit = place.forge().get(1).head_commit
    for by_hand, by_job in ((StatusState.SUCCESS, StatusState.FAILURE), (StatusState.FAILURE, StatusState.SUCCESS)):
        place.forge().set_status(Status(context="mlgit/report", state=by_hand, commit=commit))
        place.forge(BOT).set_status(Status(context="mlgit/report", state=by_job, commit=commit))

        assert [one.state for one in place.forge().statuses(commit)] == [StatusState.FAILURE]


def test_a_workflows_token_that_may_make_no_checks_sets_a_status(place: Place):
    place.there.bots.add(BOT)
    place.there.without_checks.add(BOT)
    forge, commit = place.forge(BOT), place.forge().get(1).head_commit
    status = Status(context="mlgit/report", state=StatusState.SUCCESS, description="better", commit=commit)

    first = place.calls(lambda: forge.set_status(status, remarks=REMARKS))
    second = place.calls(lambda: forge.set_status(status))

    assert first[-2:] == ["POST /check-runs", f"POST /statuses/{commit}"]
    assert second == [f"POST /statuses/{commit}"]
    assert forge.capabilities.writable


def test_no_more_answers_are_remembered_than_there_is_room_for(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mlgit.forge.github.rest._REMEMBERED", 1)
    rest = github.rest(place.there, "ada")
    first, second = f"repos/{NAME}", f"repos/{NAME}/pulls"
    for path in (first, first, second, first):
        rest.get(path)

    assert place.there.answered[-4:] == [200, 304, 200, 200]


def test_two_reports_at_once_make_one_comment(place: Place):
    gate = threading.Barrier(2)

    class Meeting(GitHubForge):
        """One that reads the comments at the same moment as the other, the first time."""

        met = False

        def comments(self, number: int) -> list[base.Comment]:
            found = super().comments(number)
            if not self.met:
                self.met = True
                gate.wait(60)
            return found

    both = [Meeting(github.rest(place.there, "ada"), NAME) for _ in range(2)]
    threads = [
        threading.Thread(target=report, args=(forge, place.number, text))
        for forge, text in zip(both, ("one", "other"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (only,) = place.there.comments.values()
    assert only["body"].endswith(("one", "other"))


def test_a_comment_that_is_deleted_under_our_hands_is_written_again(place: Place):
    first = report(place.forge(), place.number, "one")
    place.there.after[f"POST /repos/{NAME}/statuses"] = place.there.comments.clear

    second = report(place.forge(), place.number, "two")

    assert second.id != first.id
    assert [one["body"].endswith("two") for one in place.there.comments.values()] == [True]


def test_a_comment_that_somebody_edited_says_again_what_is_so(place: Place):
    first = report(place.forge(), place.number, "accuracy 0.9")
    place.there.comments[first.id]["body"] = first.body.replace("0.9", "1.0")

    assert report(place.forge(), place.number, "accuracy 0.9").id == first.id
    assert place.there.comments[first.id]["body"] == first.body


def test_a_minimised_comment_is_not_revived(place: Place):
    first = report(place.forge(), place.number, "one")
    place.there.comments[first.id]["is_minimised"] = True

    second = report(place.forge(), place.number, "two")

    assert second.id != first.id
    assert place.there.comments[first.id]["body"] == first.body


def test_a_comment_of_a_bot_is_that_bots(place: Place):
    place.there.bots |= {"github-actions[bot]", "mallory[bot]"}
    forged = place.there.say("mallory[bot]", place.number, "<!-- mlgit:report -->\naccuracy 1.0")

    ours = report(place.forge("github-actions[bot]"), place.number, "accuracy 0.9")

    assert report(place.forge("github-actions[bot]"), place.number, "accuracy 0.91").id == ours.id != forged
    assert {one.author for one in place.forge().comments(place.number)} == {"github-actions[bot]", "mallory[bot]"}


def test_a_hundred_comments_before_ours_hide_nothing(place: Place):
    for one in range(230):
        place.there.say("grace", place.number, str(one))
    ours = report(place.forge(), place.number, "accuracy 0.9")

    assert report(place.forge(), place.number, "accuracy 0.91").id == ours.id
    assert len(place.forge().comments(place.number)) == 231


def test_a_list_that_changes_while_it_is_read_is_read_until_it_stands_still(place: Place):
    for one in range(150):
        place.there.pulls[one + 2] = place.there.pulls[1] | {"number": one + 2, "state": "closed"}
    place.there.after["GET"] = lambda: place.there.pulls.pop(151)

    found = place.forge().pulls(state=None)

    assert [pull.number for pull in found] == list(range(150, 0, -1))


def test_a_list_that_names_its_first_page_as_the_next_ends(place: Place):
    for number in ("1", "9" * 5000):
        again = {"Link": f'<{place.there.address}/repos/{NAME}/pulls?page={number}>; rel="next"'}
        place.there.answers.append((200, again, []))

        assert place.calls(lambda: place.forge().pulls()) == ["GET /pulls"]


def test_a_server_that_is_not_there_is_said_in_few_words():
    nowhere = Rest("http://127.0.0.1:9", credential=Token("x", "a test"), tries=1)

    with pytest.raises(SilentError) as raised:
        nowhere.get("user")

    assert "user: Failed to establish a new connection: " in str(raised.value)


def test_what_lies_between_us_and_github_is_said_without_the_names_of_objects(monkeypatch: pytest.MonkeyPatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://ada:secret@127.0.0.1:9")
    proxied = Rest("https://ghe.example.com/api/v3", credential=Token("x", "a test"), tries=1)

    with pytest.raises(SilentError) as raised:
        proxied.get("user")

    assert "user: Unable to connect to proxy: Failed to establish a new connection: " in str(raised.value)
    assert "secret" not in str(raised.value)
    gone = OSError(RuntimeError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer")))
    assert reason(gone) == "Connection aborted: [Errno 104] Connection reset by peer"


@pytest.mark.parametrize("answer", [(200, {}, {}), (200, {}, []), (302, {"Location": "http://[nowhere"}, {})])
def test_what_is_no_answer_of_githubs_is_said(place: Place, answer: Any):
    forge = place.forge()
    place.there.answers += [answer] * 5

    with pytest.raises(SilentError):
        forge.comments(place.number)


SAID = Status(context="mlgit/report", state=StatusState.SUCCESS, commit="0" * 40)
ACTS: dict[str, Callable[[GitHubForge], object]] = {
    "pulls/1": lambda forge: forge.get(1),
    "pulls": lambda forge: forge.pulls(),
    "pulls/1/reviews": lambda forge: forge.reviews(1),
    "status": lambda forge: forge.statuses("0" * 40),
    "issues/1/comments": lambda forge: forge.comment(1, "hello"),
    "issues/comments/7": lambda forge: forge.edit_comment(1, 7, "hello"),
    "graphql": lambda forge: forge.comments(1),
    "/graphql": lambda forge: forge.me,
    "reviews": lambda forge: forge.review(1, ReviewVerdict.APPROVE),
    "rate_limit": lambda forge: account.look(forge.rest, NAME, me="ada", source="a test"),
    "deployments": lambda forge: deployments.deployments(forge.rest, NAME, environment="production"),
    "production": lambda forge: deployments.environment(forge.rest, NAME, "production"),
    "permission": lambda forge: people.role(forge.rest, NAME, "ada"),
    "check-runs": lambda forge: checks.publish(forge.rest, NAME, SAID),
    "churn": lambda forge: readiness.look(forge.rest, NAME, workflows=(), secrets=(), runners=()),
}


@pytest.mark.parametrize("told", [b"null", [None], "no", {"data": None, "statuses": [1], "id": None, "head": 1}])
@pytest.mark.parametrize("at", ACTS)
def test_an_answer_of_another_shape_is_said_with_its_address(place: Place, at: str, told: Any):
    forge = place.forge()
    place.there.answers += [(200, {}, told)] * 5

    with pytest.raises(SilentError, match=f"{at}: .* in what came"):
        ACTS[at](forge)


@pytest.mark.parametrize("told", [{"errors": "no"}, {"errors": [None]}, {"errors": [], "data": []}])
def test_graphqls_errors_of_another_shape_are_said_too(place: Place, told: Any):
    forge = place.forge()
    place.there.answers += [(200, {}, told)] * 5

    with pytest.raises(SilentError, match=r"graphql: .* in what came"):
        forge.comments(1)


def test_a_pull_request_of_a_fork_is_read_and_reported_on_and_its_branch_is_its_owners(place: Place, tmp_path: Path):
    commit = place.repo.commit(place.repo.resolve("main"), {"train.py": b"lr = 0.2\n"}, "An idea")
    place.repo.git("update-ref", "refs/pull/2/head", commit)
    place.there.pulls[2] = place.there.pulls[1] | {"number": 2, "head": "a", "sha": commit, "fork": "eve"}
    here = make_repo(tmp_path / "clone", commit=False)
    here.git("remote", "add", "origin", str(place.repo.folder))
    here = replace(here)  # that knows of it
    forge = GitHubForge(github.rest(place.there, "ada"), NAME, Clone(here, Remote(repo=here, name="origin")))

    pull = forge.get(2)
    report(forge, 2, "accuracy 0.9")
    forge.share(pull.head)

    assert (pull.head, pull.head_commit) == ("eve:a", commit)
    assert here.resolve(f"{commit}^{{commit}}") == commit
    assert [one.number for one in forge.pulls(head="eve:a")] == [2]
    assert [one.number for one in forge.pulls(head="a")] == [1]
    assert [one.context for one in forge.statuses(commit)] == ["mlgit/report"]
    place.there.pulls[2]["fork"] = ""
    assert forge.get(2).head == "a"


def test_a_redirect_to_another_server_takes_no_token_along(place: Place):
    elsewhere = place.there.address.replace("127.0.0.1", "localhost")
    place.there.answers.append((302, {"Location": f"{elsewhere}/repos/{NAME}/pulls/1"}, MOVED))

    with pytest.raises(RefusedError, match="Bad credentials"):
        place.forge().get(1)


def test_what_a_server_calls_a_commit_moves_no_branch_here(repo: Repo):
    repo.git("remote", "add", "origin", str(repo.folder))

    Clone(repo, Remote(repo=repo, name="origin")).fetch("+refs/heads/main:refs/heads/theirs", f"{'0' * 40}\n+x:y", None)

    assert list(repo.refs("refs/heads/")) == ["refs/heads/main"]


def test_an_enterprise_server_answers_below_its_own_addresses(place: Place):
    for one in range(120):
        place.there.pulls[one + 2] = place.there.pulls[1] | {"number": one + 2, "state": "closed"}
    forge = GitHubForge(replace(github.rest(place.there, "ada"), api=f"{place.there.address}/api/v3"), NAME)

    forge.comment(place.number, f"![]({forge.image(PNG, 'x.png')})")

    assert len(forge.pulls(state=None)) == 121
    assert [one.author for one in forge.comments(place.number)] == ["ada"]


def test_what_has_not_changed_is_told_from_memory(place: Place):
    forge = place.forge()
    first = forge.get(place.number)
    place.there.answered.clear()

    again = forge.get(place.number)
    place.branch("a", {"more.py": b""})
    after = forge.get(place.number)

    assert (first == again, first == after, place.there.answered) == (True, False, [304, 200])


@pytest.mark.parametrize(
    ("answers", "waited"),
    [
        ([(502, {}, b"<html>Bad gateway")], [0.5]),
        ([(HALF, {}, b'{"number": 1,')], [0.5]),
        ([(200, {}, b'{"number": 1,')], [0.5]),
        ([(429, {"retry-after": "7"}, {"message": "secondary rate limit"})], [7]),
        ([(429, {}, {"message": "slow down"})], [60]),
        ([(403, {}, {"message": "You have exceeded a secondary rate limit."})], [60]),
        ([(403, {"retry-after": "9"}, {"message": "abuse"}), (503, {}, None)], [9, 1]),
        ([(429, {"retry-after": "soon", "x-ratelimit-reset": "later"}, {"message": "slow down"})], [60]),
    ],
)  # fmt: skip
def test_what_passes_is_asked_again_and_a_long_wait_is_said(place: Place, answers: list[Any], waited: list[float]):
    place.there.answers += answers

    assert place.forge().get(place.number).number == place.number
    assert place.waited == waited
    assert len(place.said) == len([one for one in waited if one >= 2])


def test_a_renamed_repository_is_followed(place: Place):
    place.there.answers.append((301, {"Location": f"{place.there.address}/moved/repos/{NAME}/pulls/1"}, MOVED))
    assert place.forge().get(place.number).number == place.number
    place.there.answers.append(
        (307, {"Location": f"{place.there.address}/moved/repos/{NAME}/issues/1/comments"}, MOVED)
    )
    assert place.forge().comment(place.number, "still here").author == "ada"


def test_a_write_that_may_have_been_done_is_not_done_twice(place: Place):
    place.there.answers.append((502, {}, None))

    with pytest.raises(SilentError):
        place.forge().comment(place.number, "once")

    assert place.waited == []
    assert [one for one in place.there.asked if one.endswith("/comments")] == [f"POST /repos/{NAME}/issues/1/comments"]


def test_two_writes_are_a_second_apart(place: Place):
    forge = place.forge()
    place.waited.clear()

    forge.comment(place.number, "one")
    forge.comments(place.number)
    forge.comment(place.number, "two")

    (pause,) = place.waited
    assert 0 < pause <= 1


@pytest.mark.parametrize(
    ("status", "headers", "said", "expected"),
    [
        (401, {}, "Bad credentials", "does not know the token"),
        (403, {"x-accepted-github-permissions": "issues=write; pull_requests=write"},
         "Resource not accessible by integration", "right to issues: write, or pull_requests: write"),
        (403, {}, "GitHub Actions is not permitted to create or approve pull requests.",
         "Allow GitHub Actions to create"),
        (404, {}, "Not Found", "no pull request #1"),
        (409, {}, "Conflict", "409 Conflict"),
        (422, {}, "Validation Failed", "Validation Failed"),
        (429, {"retry-after": "900"}, "slow down", "wait until"),
        (429, {"retry-after": "9" * 400}, "slow down", "wait until another day"),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 5000}, "slow down", "until another day"),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"}, "API rate limit exceeded",
         "too much was asked"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_with_what_mends_it(
    place: Place, status: int, headers: dict[str, str], said: str, expected: str
):
    place.there.answers.append((status, headers, {"message": said}))

    with pytest.raises(MlgitError) as raised:
        place.forge().comment(place.number, "hello")

    assert expected in str(raised.value)
    assert "token-of-ada" not in str(raised.value)
    assert place.waited == []


def test_a_pull_request_that_gets_no_labels_is_said_to_be_open(place: Place):
    place.branch("b", {"b": b""})
    place.there.after["POST"] = lambda: place.there.answers.append((403, {}, {"message": "Must have triage rights"}))

    with pytest.raises(MlgitError, match="#2 is there, without the label model") as told:
        place.forge().open(head="b", base="main", title="t", labels=("model",))

    assert "Must have triage rights" in str(told.value)
    assert place.forge().get(2).state is PullState.OPEN


def test_a_token_that_may_only_read_says_so_once_it_was_refused(place: Place):
    place.there.read_only.add("fork")
    forge = place.forge("fork")
    assert forge.capabilities.writable

    with pytest.raises(RefusedError, match="issues: write"):
        forge.comment(place.number, "hello")

    assert not forge.capabilities.writable
    assert forge.get(place.number).number == place.number


@pytest.mark.parametrize(
    ("environ", "event", "expected"),
    [
        ({}, {"head": "eve/churn", "base": NAME}, True),
        ({}, {"head": None, "base": NAME}, True),
        ({}, {"head": NAME, "base": NAME}, False),
        ({"GITHUB_ACTOR": "dependabot[bot]"}, {"head": NAME, "base": NAME}, True),
        ({"GITHUB_EVENT_NAME": "push"}, {"head": "eve/churn", "base": NAME}, False),
        ({"GITHUB_ACTIONS": ""}, {"head": "eve/churn", "base": NAME}, False),
        ({"GITHUB_EVENT_PATH": "/nowhere"}, {"head": "eve/churn", "base": NAME}, False),
    ],
)  # fmt: skip
def test_a_job_for_a_fork_is_known_to_write_nothing(
    tmp_path: Path, environ: dict[str, str], event: dict[str, str | None], expected: bool
):
    sides = {side: {"repo": name and {"full_name": name}} for side, name in event.items()}
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": sides}))
    usual = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request"}

    assert rights.is_read_only(usual | {"GITHUB_EVENT_PATH": str(tmp_path / "event.json")} | environ) is expected


@pytest.mark.parametrize(
    ("errors", "expected", "waited"),
    [
        ([{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 7."}], None, [60]),
        ([{"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": "exceeded for ID 7."}], None, [60]),
        ([{"message": "Something went wrong while executing your query."}], None, [0.5]),
        ([{"message": "Field 'fullDatabaseId' doesn't exist on type 'IssueComment'"}], "fullDatabaseId", []),
    ],
)  # fmt: skip
def test_graphql_refuses_without_any_data(place: Place, errors: list[Any], expected: str | None, waited: list[float]):
    forge = place.forge()
    place.there.answers.append((200, {}, {"errors": errors}))

    if expected:
        with pytest.raises(RefusedError, match=expected):
            forge.comments(place.number)
    else:
        assert forge.comments(place.number) == []
    assert place.waited == waited


def test_graphql_refuses_with_the_status_of_a_success(place: Place):
    place.there.read_only.add("fork")
    place.branch("d", {"d": b""})
    number = place.forge().open(head="d", base="main", title="t", draft=True).number

    with pytest.raises(RefusedError, match="does not let this token"):
        place.forge("fork").ready(number)
    with pytest.raises(NotFoundError):
        place.forge().comments(999)


def test_pictures_of_two_reports_at_once_are_both_kept(place: Place):
    one, other = place.forge(), place.forge()
    one.comment(place.number, one.image(b"first", "x.png"))  # knows the tip
    other.comment(place.number, other.image(b"second", "x.png"))
    one.comment(place.number, one.image(b"third", "x.png"))

    links = [one.image(each, "x.png") for each in (b"first", b"second", b"third")]
    assert [place.forge().picture(link) for link in links] == [b"first", b"second", b"third"]
    assert links[0] == f"../blob/mlgit-assets/{rules.asset(b'first', '.png')}?raw=true"


def test_what_is_too_long_for_a_comment_leads_to_a_page_with_all_of_it(place: Place):
    forge = place.forge()
    link = forge.image(PNG, "x.png")
    text = f"verdict\n\n![]({link})\n" + "".join(f"\n## section {one}\n\n{'word ' * 2000}\n" for one in range(20))

    comment = report(forge, place.number, text)

    assert len(comment.body) <= 65_536
    assert "## section 5\n" in comment.body
    assert comment.body.rstrip().endswith(".md).*")
    path = comment.body.rpartition("(../blob/mlgit-assets/")[2].partition(")")[0]
    page = place.repo.read(refs.ASSETS, path)
    assert page is not None
    assert page.decode() == text.replace("../blob/mlgit-assets/", "../").replace("?raw=true", "")
    again = place.calls(lambda: report(place.forge(), place.number, text))
    assert len(again) == 2 or "PATCH" not in str(again)


def test_what_was_merged_is_here_as_after_a_pull(place: Place, tmp_path: Path):
    here = tmp_path / "clone"
    place.repo.git("clone", "-q", str(place.repo.git_dir), str(here))
    repo = Repo.find(here)
    assert repo
    forge = GitHubForge(place.forge().rest, NAME, Clone(repo, Remote(repo=repo, name="origin")))

    merged = forge.merge(place.number)

    assert repo.git("status", "--short", "--branch") == "## main...origin/main"
    assert repo.resolve("origin/main") == repo.resolve("main") == merged.merge_commit


def test_a_merge_over_what_has_just_come_is_refused(place: Place):
    before = place.repo.resolve("main")
    place.there.after[f"GET /repos/{NAME}/pulls/1"] = lambda: place.branch("a", {"sneaked-in.py": b""})

    with pytest.raises(RefMovedError):
        place.forge().merge(place.number)

    assert place.repo.resolve("main") == before


def test_checks_of_ci_stand_beside_the_statuses(place: Place):
    commit = place.forge().get(1).head_commit
    at = f"repos/{NAME}/check-runs"
    for name, more in (("test", {"status": "in_progress"}), ("lint", {"status": "completed", "conclusion": "failure"})):
        place.forge().rest.post(at, {"name": name, "head_sha": commit, **more})
    place.forge().set_status(Status(context="mlgit/gates", state=StatusState.SUCCESS, commit=commit))

    found = {one.context: one.state for one in place.forge().statuses(commit)}

    assert found == {"lint": StatusState.FAILURE, "mlgit/gates": StatusState.SUCCESS, "test": StatusState.PENDING}


@pytest.mark.parametrize(
    "name", ["", "acme", "acme/../x", "../x", "acme/churn/pulls", "acme/churn?x=1", "acme/..", "a b/c"]
)
def test_what_is_no_repository_is_not_asked_for(name: str):
    with pytest.raises(UsageError):
        GitHubForge(Rest("http://127.0.0.1:9", credential=Token("x", "a test")), name)


def test_a_branch_whose_name_is_a_script_is_a_branch(place: Place):
    for name in ('zzz";echo${IFS}x;#', "a`id`"):
        commit = place.branch(name, {name[:1]: b"x"})
        pull = place.forge().open(head=name, base="main", title="t")
        assert (pull.head, pull.head_commit) == (name, commit)
        assert [one.number for one in place.forge().pulls(head=name)] == [pull.number]
        assert place.forge().merge(pull.number).state is PullState.MERGED


def test_a_review_that_is_still_being_written_is_none(place: Place):
    place.forge("grace").review(1, ReviewVerdict.APPROVE)
    place.there.reviews.append(place.there.reviews[0] | {"state": "PENDING", "id": 1})

    assert [one.verdict for one in place.forge().reviews(1)] == [ReviewVerdict.APPROVE]
