"""`mlgit ci gates` and `settle`: what moves a stage, before its merge on GitHub and after, in shallow clones."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mlgit import wiring
from mlgit.artifacts import log as artifacts
from mlgit.core import refs
from mlgit.core.model import ModelVersion
from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.forge.base import Forge, ReviewVerdict
from mlgit.git.merge import merged_tree
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.registry import decision, ledger
from mlgit.registry.automation.state import REF, Memory, State
from mlgit.registry.decision import Origin
from mlgit.registry.policy import freezes
from mlgit.registry.versions import registering
from mlgit.store import folding
from mlgit.store import registry as store
from mlgit.wiring import awaiting, promoting
from tests import github
from tests.conftest import make_repo, need
from tests.github import NAME, GitHub
from tests.recorded import record

Script = Callable[..., "subprocess.CompletedProcess[str]"]
POLICY = "stages: {production: {gates: [{metric: accuracy, min: 0.9}]}}\n"
LOW = POLICY.replace("0.9", "0.1")
STAGE = refs.stage_tag("digits", "production", 1)


@dataclass
class Place:
    there: GitHub
    far: Repo
    here: Repo
    work: Path
    mlgit: Script
    jobs: list[Path] = field(default_factory=list)

    @property
    def forge(self) -> Forge:
        return wiring.forge(wiring.place(self.here.folder))

    def train(self, accuracy: float, **fields: Any) -> Run:
        """A run that logged a model of that accuracy."""
        model = self.work / "net.bin"
        model.write_text(str(accuracy))
        logged = (artifacts.log(self.here, model, name="net", type="model"),)
        run_id = f"{accuracy}".ljust(8, "0").replace(".", "x")
        metrics = {"accuracy": accuracy}
        return record(self.here, run_id, project="digits", logged=logged, metrics=metrics, **fields)

    def register(self, accuracy: float) -> ModelVersion:
        return registering.register(self.here, self.train(accuracy), model="digits")

    def propose(self, accuracy: float, **files: str) -> int:
        """A pull request that lets production serve a model of that accuracy, and changes *files* besides."""
        made = self.register(accuracy)
        self.here.git("push", "-q", "origin", refs.version_tag("digits", made.version))
        return self._open(made, files)

    def propose_version(self, version: str, **files: str) -> int:
        """The same of a version that is there."""
        return self._open(registering.record_of(ledger.of(store.tags(self.here), "digits"), version), files)

    def _open(self, made: ModelVersion, files: Mapping[str, str]) -> int:
        texts = {
            store.stage_path("digits", "production"): f"version: {made.version}\n",
            store.version_path("digits", made.version): store.version_text(made), **files,
        }  # fmt: skip
        tip, changes = self.far.resolve("main") or "", {name: text.encode() for name, text in texts.items()}
        self.here.git("fetch", "-q", "origin")
        branch = refs.promotion_branch("digits", made.version, "production")
        commit = self.here.commit(tip, changes, f"Promote {made.version}")
        self.here.git("push", "-q", "origin", f"{commit}:refs/heads/{branch}")
        return self.forge.open(head=branch, base="main", title=f"Promote {made.version}").number

    def try_merge(self, number: int) -> None:
        """Have GitHub make the merge of a pull request to try it."""
        pull, base = self.there.pulls[number], self.far.resolve("main") or ""
        with self.far.reader() as reader:
            tree = dict(reader.tree(merged_tree(self.far, base, pull["sha"], "main")) or {})
        merge = self.far.commit(None, tree, "try", parents=(base, pull["sha"]))
        self.far.git("update-ref", f"refs/pull/{number}/merge", merge)

    def gates(self, number: int) -> subprocess.CompletedProcess[str]:
        """What the job says that GitHub starts for a pull request, whose merge it has made to try it."""
        self.try_merge(number)
        about = {"number": number, "head": {"sha": self.there.pulls[number]["sha"]}, "base": {"ref": "main"}}
        return self.job("gates", f"refs/pull/{number}/merge", {"pull_request": about})

    def merge(self, number: int) -> subprocess.CompletedProcess[str]:
        """What the job says that a merge starts."""
        before = self.far.resolve("main")
        after = self.forge.merge(number).merge_commit
        return self.job("settle", "main", {"before": before, "after": after})

    def rebase(self, number: int) -> tuple[str, str]:
        """Merge it as GitHub rebases: its commit, and another that somebody put on it. (before, after) of main."""
        pull, before = self.there.pulls[number], self.far.resolve("main") or ""
        with self.far.reader() as reader:
            files = dict(reader.tree(merged_tree(self.far, before, pull["sha"], "main")) or {})
        first = self.far.commit(before, files, "Promote")
        after = self.far.commit(first, {"NOTES.md": b"why"}, "Say why")
        self.far.git("update-ref", "refs/heads/main", after)
        pull.update(state="closed", merged="2026-01-01T00:00:00Z", merge=after, merged_by="ada")
        return before, after

    def job(self, verb: str, rev: str, event: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        folder = self.work / f"job-{len(self.jobs)}"
        self.jobs.append(folder)
        job = make_repo(folder, commit=False)
        job.git("remote", "add", "origin", f"file://{self.far.git_dir}")
        job.git("fetch", "-q", "--depth=1", "origin", rev)
        job.git("checkout", "-q", "--detach", "FETCH_HEAD")
        (self.work / "event.json").write_text(json.dumps(event))
        return self.mlgit("ci", verb, cwd=folder, check=False)

    @contextlib.contextmanager
    def lagging(self) -> Iterator[None]:
        """Have this clone know nothing of what stages come to serve meanwhile."""
        known = self.here.refs("refs/heads/main", "refs/remotes/origin/main", "refs/tags/")
        yield
        here = self.here.refs("refs/heads/main", "refs/remotes/origin/main", "refs/tags/*#*")
        self.here.move(
            [Move(ref, now, known.get(ref)) for ref, now in here.items() if now != known.get(ref)], why="test"
        )
        self.here.git("reset", "-q", "--hard")

    def says(self, number: int) -> list[str]:
        """The states of the gates on the head of a pull request."""
        head = self.there.pulls[number]["sha"]
        return [one.state.value for one in self.forge.statuses(head) if one.context == "mlgit/gates"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlgit: Script) -> Iterator[Place]:
    need("github", github.is_here())
    far, here = make_repo(tmp_path / "far.git", commit=False, bare=True), make_repo(tmp_path / "here")
    far.git("config", "uploadpack.allowAnySHA1InWant", "true")
    with github.serving(far.git_dir) as there:
        for name, value in {
            "GITHUB_API_URL": there.address, "GH_TOKEN": "token-of-ada", "GITHUB_REF_NAME": "main",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        forge = {"kind": "github", "repository": NAME, "api": there.address}
        (here.folder / "mlgit.yaml").write_text(json.dumps({"project": "digits", "forge": forge}))
        (here.folder / "registry").mkdir()
        (here.folder / store.POLICY).write_text(POLICY)
        here.git("add", ".")
        here.git("commit", "-qm", "code")
        here.git("remote", "add", "origin", str(far.git_dir))
        here.git("push", "-q", "origin", "main")
        yield Place(there, far, here, tmp_path, mlgit)


@pytest.fixture
def in_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


def test_a_promotion_is_judged_before_its_merge_and_its_stage_tagged_after(place: Place):
    number = place.propose(0.95)

    before = place.gates(number)
    after = place.merge(number)
    again = place.job("settle", "main", {})

    assert before.stdout == "production would serve digits v1.0.0.\n"
    assert place.says(number) == ["success"]
    assert after.stdout == f"production serves digits v1.0.0 (tag {STAGE.removeprefix('refs/tags/')}).\n"
    assert place.far.refs(STAGE)
    assert again.stdout == "Every stage serves what its file says.\n"
    assert (before.returncode, after.returncode, again.returncode) == (0, 0, 0)


def test_the_tag_says_who_proposed_who_approved_what_was_merged_and_who_merged(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    number = place.propose(0.95)
    for who, verdict in (("bob", "APPROVE"), ("eve", "APPROVE"), ("eve", "REQUEST_CHANGES"), ("bob", "COMMENT")):
        monkeypatch.setenv("GH_TOKEN", f"token-of-{who}")
        place.forge.review(number, ReviewVerdict[verdict], "so I say")

    place.merge(number)

    tag = place.far.git("cat-file", "tag", STAGE)
    asked = decision.of_message(tag)
    assert asked
    assert asked.origin == Origin(pull=number, author="ada", approvers=("bob",), merged_by="bob")


@pytest.mark.parametrize("may_write", [True, False])
def test_a_promotion_that_waits_for_people_is_pending_and_its_job_fails_only_where_no_status_can_say_so(
    place: Place, may_write: bool
):
    asks = "stages: {production: {gates: [{approvals: 1}]}}\n"
    changed = place.far.commit(place.far.resolve("main"), {store.POLICY: asks.encode()}, "ask for an approval")
    place.far.git("update-ref", "refs/heads/main", changed)
    number = place.propose(0.95)
    place.there.read_only |= set() if may_write else {"ada"}

    said = place.gates(number)

    assert said.stdout == "production would not serve digits v1.0.0 yet.\n"
    assert "nobody who counts approves it, the gate asks 1 approval" in said.stderr
    assert (said.returncode, place.says(number)) == ((0, ["pending"]) if may_write else (4, []))


def test_what_is_promoted_by_hand_is_there_for_the_job_that_judges_it(place: Place):
    place.register(0.95)

    place.mlgit("promote", "digits@v1.0.0", "production", cwd=place.here.folder)

    assert place.gates(1).returncode == 0


def test_who_merges_is_judged_by_the_policy_that_stands_on_github_by_then(place: Place):
    number = place.propose(0.95)
    raised = place.far.commit(
        place.far.resolve("main"), {store.POLICY: POLICY.replace("0.9", "0.99").encode()}, "raise"
    )
    place.far.git("update-ref", "refs/heads/main", raised)

    said = place.mlgit("pr", "merge", str(number), cwd=place.here.folder, check=False)

    assert said.returncode == 4
    assert "accuracy 0.95, the gate asks at least 0.99" in said.stderr
    assert place.far.resolve("main") == raised


def test_a_merge_queue_asks_of_each_group_after_what_goes_before_it(place: Place):
    numbers = [place.propose(0.95), place.propose(0.5)]
    base, said = place.far.resolve("main") or "", []
    for number in numbers:
        pull = place.there.pulls[number]
        with place.far.reader() as reader:
            files = dict(reader.tree(f"{pull['sha']}:") or {})
        head = place.far.commit(base, files, f"group of {number}")
        place.far.git("update-ref", f"refs/heads/gh-readonly-queue/main/pr-{number}-{base}", head)
        group = {"head_sha": head, "base_sha": base, "base_ref": "refs/heads/main"}
        done = place.job("gates", head, {"action": "checks_requested", "merge_group": group})
        said.append((done.returncode, [one.state.value for one in place.forge.statuses(head)]))
        base = head

    assert said == [(0, ["success"]), (4, ["failure"])]


def test_in_a_merge_queue_the_approvals_of_the_pull_request_count_whatever_its_branch_is_called(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    rule = {store.POLICY: POLICY.replace("{metric: accuracy, min: 0.9}", "{approvals: 1}").encode()}
    place.here.git("push", "-q", "origin", f"{place.here.commit(place.here.resolve('main'), rule, 'rule')}:main")
    sha = place.there.pulls[place.propose(0.95)]["sha"]
    place.here.git("push", "-q", "origin", f"{sha}:refs/heads/by-hand")
    number = place.forge.open(head="by-hand", base="main", title="By hand").number
    monkeypatch.setenv("GH_TOKEN", "token-of-bob")
    place.forge.review(number, ReviewVerdict.APPROVE)
    place.there.permissions["bob"] = "write"
    base = place.far.resolve("main") or ""
    with place.far.reader() as reader:
        head = place.far.commit(base, dict(reader.tree(f"{sha}:") or {}), "group")
    branch = f"refs/heads/gh-readonly-queue/main/pr-{number}-{base}"
    place.far.git("update-ref", branch, head)

    group = {"head_sha": head, "head_ref": branch, "base_sha": base, "base_ref": "refs/heads/main"}
    done = place.job("gates", head, {"action": "checks_requested", "merge_group": group})

    assert (done.stdout, done.returncode) == ("production would serve digits v1.0.0.\n", 0), done.stderr


def test_no_change_lowers_the_gate_that_it_goes_through_and_its_merge_is_taken_back(place: Place):
    number = place.propose(0.5, **{store.POLICY: LOW})

    before = place.gates(number)
    after = place.merge(number)

    assert (before.returncode, after.returncode) == (4, 4)
    assert before.stdout == "production would not serve digits v1.0.0.\n"
    assert "accuracy 0.5, the gate asks at least 0.9" in before.stderr
    assert place.says(number) == ["failure"]
    assert not place.far.refs(STAGE)
    assert "#2 takes it back" in after.stderr
    assert place.there.pulls[2]["head"] == refs.revert_branch("digits", "v1.0.0", "production")


def test_a_change_whose_merge_skipped_ci_is_judged_by_the_policy_before_it_whenever_that_is_made_up_for(place: Place):
    place.forge.merge(place.propose(0.5, **{store.POLICY: LOW}))
    tip = place.far.resolve("main") or ""
    after = place.far.commit(tip, {"notes.md": b"later"}, "what was merged since")
    place.far.move([Move("refs/heads/main", tip, after)], why="test")

    said = place.job("settle", "main", {})

    assert "accuracy 0.5, the gate asks at least 0.9" in said.stderr
    assert not place.far.refs(STAGE)


def test_a_merge_that_could_not_be_taken_back_for_github_was_away_is_taken_back_later(place: Place):
    number, before = place.propose(0.5), place.far.resolve("main")
    merged = place.forge.merge(number).merge_commit

    place.there.unable.add("pulls")
    away = place.job("settle", "main", {"before": before, "after": merged})
    place.there.unable.clear()
    again, third = place.job("settle", "main", {}), place.job("settle", "main", {})

    assert "takes it back" not in away.stderr
    assert [job.returncode for job in (away, again, third)] == [4, 4, 4]
    assert "#2 takes it back" in again.stderr
    assert "#2 takes it back" in third.stderr
    assert place.far.git("ls-tree", "--name-only", place.there.pulls[2]["sha"], "registry/").split() == [store.POLICY]

    place.there.pulls[2]["state"] = "closed"
    assert "takes it back" not in place.job("settle", "main", {}).stderr
    assert len(place.there.pulls) == 2


def test_a_merge_that_rebased_several_commits_is_taken_back_to_where_main_stood_before_them(place: Place):
    before, after = place.rebase(place.propose(0.5))

    done = place.job("settle", "main", {"before": before, "after": after})

    assert done.returncode == 4
    assert "#2 takes it back" in done.stderr
    back = place.there.pulls[2]["sha"]
    assert place.far.git("diff", "--name-only", before, back) == "NOTES.md"


def test_who_waits_for_a_merge_that_rebased_several_commits_has_its_stage_settled(place: Place):
    made, at = place.register(0.95), wiring.place(place.here.folder)
    plan = promoting.promotion(at, "digits", made.version, "production", at=promoting.brought(at))
    proposed = promoting.promote(at, plan)

    found = awaiting.settled(
        at, proposed, minutes=None, tell=str, pause=lambda _seconds: place.rebase(proposed.pull.number) and None
    )  # fmt: skip

    assert [(one.version, bool(one.tag)) for one in found] == [(made.version, True)]
    assert place.far.refs(STAGE)


def test_who_waits_for_a_stage_that_is_moved_on_at_the_same_moment_hears_that_it_serves_something_else(place: Place):
    made, at = place.register(0.95), wiring.place(place.here.folder)
    plan = promoting.promotion(at, "digits", made.version, "production", at=promoting.brought(at))
    proposed = promoting.promote(at, plan)

    def pause(_: float) -> None:
        place.forge.merge(proposed.pull.number)
        gone = place.far.commit(
            place.far.resolve("main"), {store.stage_path("digits", "production"): None}, "take away"
        )
        place.far.git("update-ref", "refs/heads/main", gone)

    with pytest.raises(MlgitError, match="its file says something else since"):
        awaiting.settled(at, proposed, minutes=None, tell=str, pause=pause)


def test_what_moves_no_stage_has_the_status_that_a_rule_asks_for(place: Place):
    commit = place.here.commit(place.here.resolve("main"), {"train.py": b""}, "code")
    place.here.git("push", "-q", "origin", f"{commit}:refs/heads/idea")
    number = place.forge.open(head="idea", base="main", title="An idea").number

    said = place.gates(number)

    assert said.stdout == "It moves no stage.\n"
    assert place.says(number) == ["success"]


def test_what_is_no_merge_of_the_pull_request_is_not_judged(place: Place):
    head = "1" * 40

    other = place.job("gates", "main", {"pull_request": {"number": 1, "head": {"sha": head}, "base": {"ref": "main"}}})
    none = place.job("gates", "main", {})

    assert (other.returncode, none.returncode) == (2, 2)
    assert "What is checked out is not the merge of 1111111111." in other.stderr
    assert "This job is about no pull request." in none.stderr


def test_tags_that_a_job_made_and_did_not_push_go_with_the_next_one_in_that_clone(place: Place):
    number = place.propose(0.95)
    hook = place.far.git_dir / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ngrep -q 'digits#production' && exit 1; exit 0\n")
    hook.chmod(0o755)
    assert place.merge(number).returncode != 0
    assert not place.far.refs(STAGE)
    hook.unlink()

    (place.work / "event.json").write_text("{}")
    place.mlgit("ci", "settle", cwd=place.jobs[-1])

    assert place.far.refs(STAGE)


def test_where_the_branch_stood_before_it_was_forced_is_nowhere_any_more_no_stage_moves(place: Place):
    number = place.propose(0.95)
    after = place.forge.merge(number).merge_commit

    said = place.job("settle", "main", {"before": "1" * 40, "after": after})

    assert said.returncode != 0
    assert "mlgit ci settle" in said.stderr, said.stderr
    assert not place.far.refs(STAGE)


def test_what_the_gates_say_is_told_where_the_token_may_not_say_it_on_the_commit(place: Place):
    good, bad = place.propose(0.95), place.propose(0.5)
    place.there.read_only.add("ada")

    passed, failed = place.gates(good), place.gates(bad)

    assert (passed.returncode, failed.returncode) == (0, 4)
    assert passed.stdout == "production would serve digits v1.0.0.\n"
    assert "no status says so on the commit, for we may only read here: GitHub does not let this token" in passed.stderr
    assert place.says(good) == []


@pytest.mark.parametrize("archived", [False, True])
def test_a_gate_over_seeds_is_asked_in_a_clone_that_holds_no_run(place: Place, archived: bool):
    asks = "stages: {production: {gates: [{better_than: champion, metric: accuracy, over: seeds}]}}\n"
    for lr, accuracies in ((0.1, [0.80, 0.81, 0.82]), (0.2, [0.90, 0.91, 0.92])):
        found = [place.train(value, params={"lr": lr, "seed": seed}) for seed, value in enumerate(accuracies)]
        registering.register(place.here, found[0], model="digits")
    if archived:
        folding.fold(place.here, [run for run in query.runs(place.here) if run.params["lr"] == 0.1])
    place.here.git("push", "-q", "origin", "refs/heads/exp/*", "refs/tags/*", *(["refs/mlgit/archive/*"] * archived))
    first = place.propose_version("v1.0.0", **{store.POLICY: asks})
    place.merge(first)
    number = place.propose_version("v1.1.0")

    before, after = place.gates(number), place.merge(number)

    assert before.stdout == "production would serve digits v1.1.0.\n", before.stderr
    assert after.stdout.startswith("production serves digits v1.1.0"), after.stderr
    recorded = place.far.git("tag", "-l", "--format=%(contents)", "digits#production#*")
    assert "3 and 3 seeds" in recorded


def test_a_rollback_from_a_clone_that_lags_behind_is_settled_and_nothing_older_is_merged_over_it(place: Place):
    place.merge(place.propose(0.95))
    with place.lagging():
        place.merge(place.propose(0.96))
        older = place.propose(0.97)

    place.mlgit("rollback", "digits", "production", "--reason", "it burns", cwd=place.here.folder)
    number = max(place.there.pulls)
    before = place.gates(number)
    after = place.merge(number)

    assert before.stdout == "production would serve digits v1.0.0.\n"
    assert place.says(number) == ["success"]
    assert after.stdout.startswith("production serves digits v1.0.0 again (tag digits#production#3)")
    made = decision.of_message(place.far.git("cat-file", "tag", refs.stage_tag("digits", "production", 3)))
    assert made
    assert made.hold
    assert (made.hold.why, made.hold.instead, made.origin.pull) == ("it burns", "v1.1.0", number)
    with pytest.raises(MlgitError):
        place.forge.merge(older)
    assert place.job("settle", "main", {}).stdout == "Every stage serves what its file says.\n"


@pytest.mark.parametrize("direct", [[], ["--direct"]])
def test_what_github_serves_is_held_and_frozen_from_a_clone_that_lags_behind(place: Place, direct: list[str]):
    with place.lagging():
        place.merge(place.propose(0.95))

    for words in (("hold", "digits", "production"), ("freeze", "digits"), ("freeze", "others"), ("unfreeze", "digits")):
        place.mlgit(*words, *direct, cwd=place.here.folder)
        if not direct:
            with place.lagging():
                place.merge(max(place.there.pulls))

    with place.far.reader() as reader:
        held = store.stage_at(reader, "main", "digits", "production")
        frozen = reader.blob(f"main:{freezes.SOURCE}") or b""
    assert held
    assert (held.version, held.hold is None) == ("v1.0.0", False)
    assert [one.models for one in freezes.read(frozen)] == ["others"]


def test_what_another_clone_has_proposed_to_hold_is_held_for_ones_own_reason(place: Place):
    place.merge(place.propose(0.95))
    for why in ("the fair", "the audit"):
        place.mlgit("hold", "digits", "production", "--reason", why, cwd=place.here.folder)
        place.here.git("branch", "-D", "promote/digits/hold/production")

    assert "the audit" in place.forge.get(max(place.there.pulls)).body
    place.merge(max(place.there.pulls))

    with place.far.reader() as reader:
        held = store.stage_at(reader, "main", "digits", "production")
    assert held
    assert held.hold
    assert held.hold.why == "the audit"


def test_an_emergency_on_github_passes_its_job_and_is_said_on_the_pull_request_after_it(place: Place):
    place.register(0.5)
    words = "promote", "digits@v1.0.0", "production", "--emergency", "--reason", "nothing is up"
    place.mlgit(*words, cwd=place.here.folder)

    before = place.gates(1)
    after = place.merge(1)

    told = [one.description for one in place.forge.statuses(place.there.pulls[1]["sha"])]
    assert (before.returncode, after.returncode) == (0, 0)
    assert all("EMERGENCY" in one and "accuracy ≥ 0.9" in one for one in told)
    assert "EMERGENCY: production serves digits v1.0.0" in after.stdout


def deployed(place: Place) -> list[tuple[str, list[str]]]:
    return [(one["payload"]["version"], one["states"]) for one in place.there.deployments.values()]


def hour_later(place: Place) -> None:
    """Let an hour pass for what automations have done, as they remember it."""
    memory = State(repo=place.here, remote=Remote(repo=place.here, name="origin"))
    for name in memory.read():
        memory.change(name, aged)


def aged(memory: Memory | None) -> Memory | None:
    return memory and replace(memory, done={at: replace(one, at=one.at - 3_601) for at, one in memory.done.items()})


@pytest.mark.usefixtures("in_actions")
def test_a_deployment_follows_once_and_none_of_what_another_has_taken_the_place_of(place: Place):
    place.there.unable.add("deployments")
    without = place.merge(place.propose(0.95))
    hour_later(place)
    place.there.unable.clear()

    assert without.stdout.startswith("production serves digits v1.0.0 (tag"), without.stderr
    assert "mlgit.deployments, after promoted of digits v1.0.0, failed (it is tried again" in without.stderr
    place.job("settle", "main", {})
    place.job("settle", "main", {})
    assert deployed(place) == [("v1.0.0", ["success"])]

    place.there.unable.add("deployments")
    place.merge(place.propose(0.96))
    place.there.unable.clear()
    place.merge(place.propose(0.97))
    hour_later(place)
    place.job("settle", "main", {})
    assert deployed(place) == [("v1.0.0", ["success"]), ("v1.2.0", ["success"])]


@pytest.mark.usefixtures("in_actions")
def test_the_first_promotion_is_followed_also_where_a_person_settled_it_before_the_job(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    number, before = place.propose(0.95), place.far.resolve("main")
    with monkeypatch.context() as outside:
        outside.delenv("GITHUB_ACTIONS")
        place.mlgit("pr", "merge", str(number), cwd=place.here.folder)
    made = max(tag.when for tag in store.tags(place.far))
    while time.time() < made + 1:  # tags tell whole seconds
        time.sleep(0.05)

    place.job("settle", "main", {"before": before, "after": place.far.resolve("main")})

    assert deployed(place) == [("v1.0.0", ["success"])]


@pytest.mark.usefixtures("in_actions")
def test_a_job_that_reconciles_by_hand_knows_what_was_done(place: Place):
    place.merge(place.propose(0.95))
    job = make_repo(place.work / "by-hand", commit=False)
    job.git("fetch", "-q", "--tags", f"file://{place.far.git_dir}", "main")
    job.git("checkout", "-q", "-b", "main", "FETCH_HEAD")
    job.git("remote", "add", "origin", f"file://{place.far.git_dir}")

    place.mlgit("registry", "reconcile", cwd=job.folder)

    assert job.refs(REF) == place.far.refs(REF)


@pytest.mark.usefixtures("in_actions")
def test_a_workflow_that_follows_is_the_base_branchs_and_not_that_of_the_tagged_run(place: Place):
    file = "automations: [{name: deploy, on: promoted, do: {dispatch: deploy.yml, inputs: {of: '{model} {version}'}}}]"
    before = place.far.resolve("main")
    made = place.here.commit(before, {"registry/automations.yaml": file.encode()}, "follow")
    place.here.git("push", "-q", "origin", f"{made}:main")
    place.job("settle", "main", {"before": before, "after": made})

    place.merge(place.propose(0.95))

    assert place.there.dispatched == [("deploy.yml", "main", {"of": "digits v1.0.0"})]


def test_a_job_says_what_would_propose_itself_and_may_not(place: Place):
    rule = {store.AUTOMATIONS: b"advance: [{stage: production}]\n"}
    tip = place.here.commit(place.here.resolve("main"), rule, "advance")
    place.here.git("push", "-q", "origin", f"{tip}:refs/heads/main")
    place.here.git("push", "-q", "origin", refs.version_tag("digits", place.register(0.95).version))
    place.there.unable.add("issues")

    job = place.job("settle", "main", {})

    assert "digits v1.0.0 for production: GitHub does not let this token do that. " in job.stderr
    assert job.stdout == "Every stage serves what its file says.\n"
