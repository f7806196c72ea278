"""Gates that ask people and programs, on a forge, with real signatures and real processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from mlgit.core.model import Stage
from mlgit.core.verdict import Outcome
from mlgit.errors import GateFailedError, MlgitError
from mlgit.forge.base import Forge, PullRequest, ReviewVerdict
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.evidence.gathering import Case, Sources
from mlgit.registry.moving import asking, direct, propose, settle
from mlgit.registry.moving.asking import People
from mlgit.registry.policy.evidence import Reviewed
from mlgit.registry.policy.gates import approvals
from mlgit.registry.versions import registering
from mlgit.store import registry as store

APPROVED = "stages: {production: {gates: [{approvals: 1}]}}\n"


def write(repo: Repo, **files: str) -> None:
    """Commit files to main: `policy=…`, `check=…`."""
    paths = {"policy": store.POLICY, "check": "check.py"}
    changed = {paths[name]: text.encode() for name, text in files.items()}
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), changed, "by hand"))


EVERYBODY = People()


def asks(repo: Repo, forge: Forge, *, after: bool, people: People = EVERYBODY) -> Sources:
    """Sources that ask *forge* for reviews: of the open pull request, or *after* the merge."""
    ask = asking.merged(repo, forge, "main", fetch=lambda _: None) if after else asking.opened(forge, "main")

    def reviewed(case: Case, gates: Sequence[approvals.Settings]) -> Reviewed | None:
        pull = ask(case)
        return asking.reviewed(forge, people, pull, gates) if pull else None

    return Sources(reviewed=reviewed)


def proposed(repo: Repo, forge: FolderForge, version: str = "v1.0.0") -> PullRequest:
    sources = asks(repo, forge, after=False)
    plan = propose.plan(repo, "digits", version, "production", base="main", sources=sources)
    return propose.promote(repo, forge, plan, sources=sources).pull


def review(repo: Repo, number: int, who: str, verdict: ReviewVerdict = ReviewVerdict.APPROVE) -> None:
    FolderForge(repo, me=who).review(number, verdict, "" if verdict is ReviewVerdict.APPROVE else "no")


def serves(repo: Repo) -> str | None:
    return ledger.of(store.tags(repo), "digits").stages.get("production")


def test_a_promotion_waits_for_an_approval_and_moves_the_stage_once_it_has_one(repo: Repo, trained):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    assert forge.statuses(pull.head_commit)[0].description == "waits for 1 approval: nobody yet"
    (before,) = settle.foresee(repo, "main", pull.head_commit, sources=asks(repo, forge, after=False))
    assert before.verdicts[0].observed == "nobody"

    review(repo, pull.number, "grace")

    (foreseen,) = settle.foresee(repo, "main", pull.head_commit, sources=asks(repo, forge, after=False))
    assert foreseen.refusal is None
    merge = forge.merge(pull.number).merge_commit
    assert merge
    (settled,) = settle.settle(repo, merge, sources=asks(repo, forge, after=True))
    assert settled.tag == "digits#production#1"
    assert settled.verdicts[0].inputs["approvers"] == ["grace"]


@pytest.mark.parametrize(
    "given",
    [
        [],
        [("grace", ReviewVerdict.APPROVE), ("grace", ReviewVerdict.REQUEST_CHANGES)],
        [("grace", ReviewVerdict.APPROVE), ("eve", ReviewVerdict.REQUEST_CHANGES)],
        [("grace", ReviewVerdict.COMMENT)],
    ],
)
def test_a_merge_without_the_approvals_moves_nothing(repo: Repo, trained, given: list[tuple[str, ReviewVerdict]]):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    for who, verdict in given:
        review(repo, pull.number, who, verdict)
    merge = forge.merge(pull.number).merge_commit
    assert merge

    (settled,) = settle.settle(repo, merge, sources=asks(repo, forge, after=True))

    assert isinstance(settled.refusal, GateFailedError)
    assert settle.is_refused(settled)
    assert serves(repo) is None


@pytest.mark.parametrize(
    ("more", "failed"),
    [("{metric: accuracy, min: 2}", "accuracy ≥ 2"), ("{soak: 24h, stage: staging}", "24h in staging")],
)
def test_an_approval_makes_up_for_no_other_gate(repo: Repo, trained, more: str, failed: str):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    write(repo, policy=f"stages: {{staging: , production: {{gates: [{{approvals: 1}}, {more}]}}}}\n")
    review(repo, pull.number, "grace")
    merge = forge.merge(pull.number).merge_commit
    assert merge

    (settled,) = settle.settle(repo, merge, sources=asks(repo, forge, after=True))

    assert [(one.gate, one.passed) for one in settled.verdicts] == [("1 approval", True), (failed, False)]
    assert settle.is_refused(settled)
    assert serves(repo) is None


def test_an_approval_of_what_the_head_was_before_counts_no_more(repo: Repo, trained):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    review(repo, pull.number, "grace")
    repo.git("update-ref", f"refs/heads/{pull.head}", repo.commit(pull.head_commit, {"more": b"1"}, "more"))

    (found,) = settle.foresee(repo, "main", f"refs/heads/{pull.head}", sources=asks(repo, forge, after=False))

    assert found.verdicts[0].observed == "nobody; grace approved another head"


BY_COMMENT = "stages: {production: {gates: [{approvals: 1, comments: true}]}}\n"


def say(repo: Repo, number: int, who: str, body: str, at: float = 1_800_000_000) -> int:
    return FolderForge(repo, me=who, clock=lambda: at).comment(number, body).id


def judged(repo: Repo, pull: PullRequest, people: People = EVERYBODY) -> str:
    """Whom the gate counts."""
    sources = asks(repo, FolderForge(repo), after=False, people=people)
    (found,) = settle.foresee(repo, "main", f"refs/heads/{pull.head}", sources=sources)
    return found.verdicts[0].observed


def test_a_comment_that_names_the_head_approves_it_where_the_gate_takes_comments(repo: Repo, trained):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    say(repo, pull.number, "grace", f"/mlgit approve {pull.head_commit[:16].upper()}\nI ran it")
    assert judged(repo, pull) == "nobody"

    write(repo, policy=BY_COMMENT)

    assert judged(repo, pull) == "grace"
    merge = forge.merge(pull.number).merge_commit
    assert merge
    asked = asking.asked(repo, forge, "main", merge)
    settle.settle(repo, merge, sources=asks(repo, forge, after=True), asked=asked)
    told = decision.of_message(ledger.of(store.tags(repo), "digits").history[-1].tag.message)
    assert told
    assert told.origin.approvers == ("grace",)


def test_a_comment_approves_nothing_that_is_not_just_what_a_person_who_counts_wrote_of_this_head(repo: Repo, trained):
    write(repo, policy=BY_COMMENT)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    line, main = f"/mlgit approve {pull.head_commit}", repo.resolve("main")

    say(repo, pull.number, pull.author, line)
    say(repo, pull.number, "eve", line)
    say(repo, pull.number, "mlgit[bot]", line)
    for body in (f"> {line}", f"ok\n{line}", line[:-34], f"/mlgit approve {pull.head_commit[1:]}", "/mlgit approve"):
        say(repo, pull.number, "grace", body)
    edited = say(repo, pull.number, "linus", "fine")
    FolderForge(repo, me="mallory").edit_comment(pull.number, edited, line)
    forge.minimise_comment(pull.number, say(repo, pull.number, "tom", line))
    forge.delete_comment(pull.number, say(repo, pull.number, "tim", line))
    say(repo, pull.number, "old", f"/mlgit approve {main}")

    people = People(may_write=lambda who: who != "eve")
    assert judged(repo, pull, people) == "nobody; grace, old approved another head"


@pytest.mark.parametrize(
    ("first", "second", "counted"),
    [
        ("comment", ReviewVerdict.REQUEST_CHANGES, "nobody; grace asks for changes"),
        (ReviewVerdict.REQUEST_CHANGES, "comment", "grace"),
        (ReviewVerdict.REQUEST_CHANGES, "of another", "nobody; grace asks for changes"),
        (ReviewVerdict.APPROVE, "of another", "grace"),
        ("comment", ReviewVerdict.COMMENT, "grace"),
    ],
)
def test_the_last_that_a_person_says_counts(
    repo: Repo, trained, first: ReviewVerdict | str, second: ReviewVerdict | str, counted: str
):
    write(repo, policy=BY_COMMENT)
    registering.register(repo, trained("a"), model="digits")
    pull = proposed(repo, FolderForge(repo))
    for at, one in ((1_800_000_000, first), (1_800_000_060, second)):
        if isinstance(one, ReviewVerdict):
            FolderForge(repo, me="grace", clock=lambda at=at: at).review(pull.number, one, "so")
        else:
            commit = pull.head_commit if one == "comment" else repo.resolve("main")
            say(repo, pull.number, "grace", f"/mlgit approve {commit}", at)

    assert judged(repo, pull) == counted


def test_a_comment_approves_no_later_head(repo: Repo, trained):
    write(repo, policy=BY_COMMENT)
    registering.register(repo, trained("a"), model="digits")
    pull = proposed(repo, FolderForge(repo))
    say(repo, pull.number, "grace", f"/mlgit approve {pull.head_commit}")
    repo.git("update-ref", f"refs/heads/{pull.head}", repo.commit(pull.head_commit, {"more": b"1"}, "more"))

    assert judged(repo, pull) == "nobody; grace approved another head"


def test_who_may_not_write_approves_nothing_and_a_folder_has_no_teams(repo: Repo, trained):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    review(repo, pull.number, "grace")
    strangers = asks(repo, forge, after=False, people=People(may_write=lambda who: who != "grace"))

    (found,) = settle.foresee(repo, "main", pull.head_commit, sources=strangers)
    assert found.verdicts[0].observed == "nobody"

    write(repo, policy="stages: {production: {gates: [{approvals: 1, teams: [acme/ml]}]}}\n")
    (found,) = settle.foresee(repo, "main", pull.head_commit, sources=asks(repo, forge, after=False))
    assert found.verdicts[0].outcome is Outcome.ERROR
    assert "There are no teams here" in found.verdicts[0].observed
    teams = People(belongs=lambda team, who: (team, who) == ("acme/ml", "grace"))
    (found,) = settle.foresee(repo, "main", pull.head_commit, sources=asks(repo, forge, after=False, people=teams))
    assert found.refusal is None


def test_an_approval_is_good_for_one_move(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits")
    registering.register(repo, trained("b"), model="digits")
    write(repo, policy=APPROVED)
    forge = FolderForge(repo)
    for version in ("v1.0.0", "v1.1.0"):
        pull = proposed(repo, forge, version)
        review(repo, pull.number, "grace")
        merge = forge.merge(pull.number).merge_commit
        assert merge
        asked = asking.asked(repo, forge, "main", merge)
        settle.settle(repo, merge, sources=asks(repo, forge, after=True), asked=asked)
    assert serves(repo) == "v1.1.0"
    back = store.stage_text(Stage(model="digits", stage="production", version="v1.0.0")).encode()
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), {"registry/digits/production.yaml": back}, "x"))

    (found,) = settle.reconcile(repo, "main", sources=asks(repo, forge, after=True))

    assert isinstance(found.refusal, GateFailedError)
    assert found.verdicts[0].observed == "nobody yet"
    assert serves(repo) == "v1.1.0"


def test_a_forge_that_is_away_at_the_merge_moves_nothing_and_takes_nothing_back_and_the_next_look_does_it(
    repo: Repo, trained
):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    forge = FolderForge(repo)
    pull = proposed(repo, forge)
    review(repo, pull.number, "grace")
    merge = forge.merge(pull.number).merge_commit
    assert merge

    def away(_case: Case, _gates: Sequence[approvals.Settings]) -> Reviewed | None:
        raise MlgitError("GitHub does not answer.")

    (found,) = settle.settle(repo, merge, sources=Sources(reviewed=away))

    assert found.refusal
    assert not settle.is_refused(found)
    assert "mlgit registry reconcile asks again" in str(found.refusal)
    (again,) = settle.reconcile(repo, "main", sources=asks(repo, forge, after=True))
    assert again.tag == "digits#production#1"


def test_nobody_goes_past_approvals_by_committing_at_once(repo: Repo, trained):
    write(repo, policy=APPROVED)
    registering.register(repo, trained("a"), model="digits")
    main = repo.resolve("main")

    def think(at: str) -> propose.Plan:
        return propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=Sources(), at=at)

    with pytest.raises(GateFailedError, match="nobody has approved it"):
        direct.promote(
            repo, Stage(model="digits", stage="production", version="v1.0.0"), base="main", think=think, title="x",
            sources=Sources(), remote=None,
        )  # fmt: skip

    assert repo.resolve("main") == main


CHECK = """\
import json, os, pathlib, sys
asked = json.load(sys.stdin)
pathlib.Path("check.py").write_text("gone")
pathlib.Path("registry").rename("elsewhere")
assert not any(name.startswith("GIT_") or "TOKEN" in name for name in os.environ), os.environ
weights = [path.read_text() for path in pathlib.Path(os.environ["MLGIT_MODEL_DIR"]).iterdir()]
print(os.environ["MLGIT_VERSION"], asked["candidate"]["metrics"]["accuracy"], asked["champion"], *weights)
sys.exit(0 if asked["candidate"]["metrics"]["accuracy"] > 0.5 else 1)
"""


def command(**more: str) -> str:
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return f"stages: {{production: {{gates: [{{command: ['{sys.executable}', check.py]{extra}}}]}}}}\n"


def test_a_program_judges_and_what_it_writes_goes_with_it(repo: Repo, trained, monkeypatch: pytest.MonkeyPatch):
    write(repo, policy=command(model="true"), check=CHECK)
    for name, accuracy in (("a", 0.9), ("b", 0.4)):
        registering.register(repo, trained(name, accuracy=accuracy), model="digits")
    monkeypatch.setenv("GH_TOKEN", "secret")
    monkeypatch.setenv("GIT_DIR", str(repo.git_dir))
    refs, status = repo.refs("refs/"), repo.git("status", "--porcelain")

    good, bad = (
        propose.plan(repo, "digits", version, "production", base="main", sources=Sources()).verdicts[0]
        for version in ("v1.0.0", "v1.1.0")
    )

    assert (good.outcome, bad.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert good.observed == "exit code 0: v1.0.0 0.9 None weights of a 0"
    assert (repo.refs("refs/"), repo.git("status", "--porcelain")) == (refs, status)


def test_a_program_is_of_the_base_branch_and_never_of_the_pull_request(repo: Repo, trained):
    write(repo, policy=command(), check="raise SystemExit(1)\n")
    made = registering.register(repo, trained("a"), model="digits")
    files = {
        "check.py": b"print('mine')\n",
        "registry/digits/production.yaml": b"version: v1.0.0\n",
        "registry/digits/versions/v1.0.0.yaml": store.version_text(made).encode(),
    }
    head = repo.commit(repo.resolve("main"), files, "promote, and mend the check")

    (found,) = settle.foresee(repo, "main", head or "", sources=Sources())

    assert found.verdicts[0].observed == "exit code 1"


def test_a_program_that_hangs_is_an_error_once_its_time_is_over(repo: Repo, trained):
    write(repo, policy=command(timeout="1s"), check="print('on', flush=True)\nwhile True: pass\n")
    registering.register(repo, trained("a"), model="digits")

    (found,) = propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=Sources()).verdicts

    assert (found.outcome, found.observed) == (Outcome.ERROR, "not at its end after 1s: on")


def test_a_program_is_not_run_to_have_a_look(repo: Repo, trained):
    write(repo, policy=command(), check="open('/nowhere/at/all')")
    registering.register(repo, trained("a"), model="digits")

    looking = Sources(only_looks=True)
    (found,) = propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=looking).verdicts

    assert (found.outcome, found.observed) == (Outcome.ERROR, "it is not run to have a look")
