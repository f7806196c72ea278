"""Folded runs are found as before, and nothing loses one on the way there and back."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.objects import Writer
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import archive, edit, folding, listings, runs
from mlgit.tracking import session
from tests.dying import last_moment
from tests.recorded import record

Script = Callable[..., "subprocess.CompletedProcess[str]"]
MARCH, APRIL = 1_772_400_000.0, 1_775_100_000.0
"""Times in March and in April 2026."""


def recorded(repo: Repo, *ids: str) -> list[Run]:
    """Runs `id`, finished, each with one value of `loss`."""
    for run_id in ids:
        with session.init(id=run_id, name=f"name-{run_id}", project="digits", config={"lr": 0.1}) as run:
            run.log({"loss": 0.5})
    return sorted((run for run in query.runs(repo) if run.id in ids), key=lambda run: run.id)


def known(repo: Repo) -> dict[str, Run]:
    found = {run.id: run for run in query.runs(repo)}
    assert len(found) == len(query.runs(repo))
    return found


def month_of(run: Run) -> str:
    month = refs.month(run.ref, run.created)
    assert month
    return month


def test_an_archived_run_reads_as_it_did(inside: Repo):
    before, other = recorded(inside, "a", "b")

    (folded,) = folding.fold(inside, [before])

    after = known(inside)["a"]
    assert after == folded == replace(before, archive=month_of(before))
    assert (after.branch, known(inside)["b"]) == (before.branch, other)
    assert runs.history(inside, after) == runs.history(inside, before)
    assert runs.provenance(inside, after)["id"] == "a"
    assert inside.refs(refs.RUNS) == {other.ref: other.commit}
    assert inside.git("ls-tree", after.archive) == f"160000 commit {before.commit}\t{before.ref.rpartition('/')[2]}"


def test_git_keeps_and_sends_what_is_archived(inside: Repo, tmp_path: Path):
    (run,) = folding.fold(inside, recorded(inside, "a"))
    far = tmp_path / "far.git"
    inside.git("init", "--quiet", "--bare", str(far))

    inside.git("reflog", "expire", "--expire=now", "--all")
    inside.git("gc", "--quiet", "--prune=now")
    inside.git("push", "--quiet", str(far), f"{run.archive}:{run.archive}")

    assert known(inside)["a"] == run
    inside.git("fsck", "--strict", "--no-dangling")
    there = Repo.find(far)
    assert there
    there.git("fsck", "--strict", "--no-dangling")
    assert known(there)["a"] == run


def test_git_comes_to_a_run_shortly_after_the_commit_that_holds_it(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    """A walk by time has few commits ahead of it at any moment: git looks through all of them at every step."""
    monkeypatch.setattr(archive, "_PARENTS", 2)
    before = [
        record(inside, run_id, created=MARCH + 60, finished=MARCH + 60 * at) for at, run_id in enumerate("fbadce", 2)
    ]
    wanted = {archive.name_of(run.ref): run.commit for run in before}
    month = month_of(before[0])
    made = archive.write(inside, {}, {month: {}}, {month: wanted}, why="fold")[month]

    chain = inside.git("rev-list", "--first-parent", "--format=%ct %P", "--no-commit-header", made).splitlines()
    held = [line.split() for line in chain]
    times = [int(time) for time, *_ in held]
    assert times == sorted(times, reverse=True)
    for (time, _, *tips), (older, *_) in pairwise(held):
        committed = [int(inside.git("show", "-s", "--format=%ct", tip)) for tip in tips]
        assert max(committed) == int(time)
        assert min(committed) >= int(older)
    assert times[-1] == refs.begin(month)


def test_months_are_those_of_utc_and_of_the_branch_s_project():
    assert refs.month("refs/heads/exp/digits/a-1", 1_775_001_599.0) == "refs/mlgit/archive/digits/2026-03"
    assert refs.month("refs/heads/exp/digits/a-1", 1_775_001_600.0) == "refs/mlgit/archive/digits/2026-04"
    assert refs.month("refs/heads/exp/digits/deeper/a-1", 0.0) is None
    assert refs.month("refs/remotes/origin/exp/digits/a-1", 0.0) is None


def test_a_month_takes_in_more_than_one_commit_s_parents(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "_PARENTS", 2)
    monkeypatch.setattr(folding, "_AT_ONCE", 3)
    before = recorded(inside, "a", "b", "c", "d", "e")
    heard: list[int] = []

    folded = folding.fold(inside, before, done=heard.append)

    month = month_of(before[0])
    assert [run.id for run in folded] == list("abcde")
    assert known(inside) == {run.id: run for run in folded}
    assert heard == [3, 2]
    assert inside.git("rev-list", "--first-parent", "--count", month) == "4"  # where it begins, 2 + 1 tips, 2 tips
    reachable = inside.git("rev-list", month).split()
    assert {run.commit for run in before} <= set(reachable)


def test_a_run_gets_its_branch_back(inside: Repo):
    before, other = recorded(inside, "a", "b")
    folded = folding.fold(inside, [before, other])

    assert folding.unfold(inside, folded[:1]) == [before]

    assert known(inside) == {"a": before, "b": folded[1]}
    inside.move([Move(before.ref, before.commit, None)], why="test")
    with pytest.raises(NotFoundError, match="not in the archive"):
        folding.unfold(inside, folded[:1])


def test_a_branch_of_another_run_is_not_overwritten_by_an_unfolding(inside: Repo):
    folded = folding.fold(inside, recorded(inside, "a"))
    inside.git("branch", folded[0].branch, "main")

    folding.unfold(inside, folded)  # main is where the run came from: the branch catches up
    assert known(inside)["a"] == replace(folded[0], archive="")

    folded = folding.fold(inside, [known(inside)["a"]])
    stranger = inside.commit(None, {"f": b""}, "another")
    inside.git("branch", folded[0].branch, stranger)
    with pytest.raises(MlgitError, match="Another branch"):
        folding.unfold(inside, folded)
    assert len(archive.entries(inside)) == 1


def test_what_is_under_way_checked_out_or_proposed_stays(inside: Repo):
    taken, proposed, free = recorded(inside, "a", "b", "c")
    alive = session.init(id="d", project="digits")
    inside.git("checkout", "--quiet", taken.branch)
    everything = query.runs(inside)

    why = folding.staying(inside, everything, {proposed.branch})

    assert why == {
        "a": f"its branch is checked out in {inside.folder}",
        "b": "an open pull request proposes its branch",
        "d": "it is under way",
    }
    alive.finish()
    assert [run.id for run in folding.fold(inside, [taken, free])] == ["c"]
    assert folding.staying(inside, known(inside).values())["c"] == "it is archived already"


def test_a_run_that_is_gone_on_with_has_its_branch_again(inside: Repo):
    folding.fold(inside, recorded(inside, "a"))

    with session.init(id="a", project="digits", resume="must") as run:
        run.log({"loss": 0.25})

    after = known(inside)["a"]
    assert (after.archive, list(runs.history(inside, after)["loss"].values)) == ("", [0.5, 0.25])
    assert archive.entries(inside) == {}


def test_a_fork_of_an_archived_run_leaves_it_in_the_archive(inside: Repo):
    (parent,) = folding.fold(inside, recorded(inside, "a"))

    with session.init(id="b", project="digits", fork_from="a?_step=0") as run:
        run.log({"loss": 0.25})

    assert known(inside)["a"] == parent
    assert known(inside)["b"].parent == "a"


def test_an_archived_run_is_edited_in_the_archive(inside: Repo):
    (before,) = folding.fold(inside, recorded(inside, "a"))

    after = edit.edit(inside, before, lambda run: replace(run, tags=("good",)))

    assert known(inside)["a"] == after
    assert (after.tags, after.archive, after.ref) == (("good",), before.archive, before.ref)
    assert inside.refs(refs.RUNS) == {}
    assert inside.git("rev-parse", f"{after.archive}^2") == after.commit
    assert edit.edit(inside, before, lambda run: run) == after


def test_a_run_that_was_folded_since_it_was_read_is_edited_where_it_is(inside: Repo):
    (before,) = recorded(inside, "a")
    (folded,) = folding.fold(inside, [before])

    first = edit.edit(inside, before, lambda run: replace(run, notes="one"))
    folding.unfold(inside, [first])
    second = edit.edit(inside, folded, lambda run: replace(run, tags=("two",)))

    assert known(inside)["a"] == second
    assert (second.notes, second.tags, second.archive) == ("one", ("two",), "")


def test_many_runs_are_edited_at_once_wherever_they_are(inside: Repo):
    before = recorded(inside, *"abcd")
    folded = folding.fold(inside, before[:2])
    folding.fold(inside, before[2:3])  # it was read before
    stale = [*folded, *before[2:]]

    after = edit.edit_all(inside, stale, lambda run: replace(run, tags=("t",)))

    assert {run.id: run for run in after} == known(inside)
    assert [(run.tags, bool(run.archive)) for run in after] == [(("t",), True)] * 3 + [(("t",), False)]
    changes = inside.git("log", "--format=%s", "--first-parent", folded[0].archive).splitlines()
    assert changes[:2] == ["edit", "archive 1 run"], "all at once"


def test_an_archived_run_is_hidden_and_restored(inside: Repo):
    first, second = folding.fold(inside, recorded(inside, "a", "b"))

    runs.hide(inside, [first])
    assert known(inside) == {"b": second}

    runs.restore(inside, runs.hidden(inside))
    assert known(inside) == {"a": replace(first, archive=""), "b": second}


def test_edits_and_foldings_at_one_moment_lose_nothing(inside: Repo):
    before = recorded(inside, *"abcdef")

    def tag(word: str) -> None:
        for run in before:
            edit.edit(inside, run, lambda now: replace(now, tags=(*now.tags, word)))

    def to_and_fro() -> None:
        for _ in range(3):
            folding.fold(inside, [run for run in query.runs(inside) if not run.archive])
            folding.unfold(inside, [run for run in query.runs(inside) if run.archive][:3])

    with ThreadPoolExecutor() as pool:
        for work in [pool.submit(tag, "x"), pool.submit(tag, "y"), pool.submit(to_and_fro)]:
            work.result()

    assert {run_id: sorted(run.tags) for run_id, run in known(inside).items()} == {
        name: ["x", "y"] for name in "abcdef"
    }


# Before each of the git processes of an act, one after the other, somebody else comes in between.
BETWEEN = """
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from mlgit.errors import RefMovedError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import archive, check, edit, folding, runs

repo = Repo.find(Path("."))
left = 0

def elsewhere():
    (run,) = query.runs(repo)
    if sys.argv[2] == "edit":
        edit.edit(repo, run, lambda run: replace(run, tags=(*run.tags, f"tag-{len(run.tags)}")))
    else:
        folding.fold(repo, [run])

def come_between(event, _):
    global left
    if event == "subprocess.Popen" and left:
        left -= 1
        if not left:
            elsewhere()

sys.addaudithook(come_between)
for moment in count(1):
    folding.fold(repo, query.runs(repo))
    (run,), left = query.runs(repo), moment
    try:
        folding.unfold(repo, [run]) if sys.argv[1] == "unfold" else runs.hide(repo, [run])
    except RefMovedError:
        pass
    is_over, left = left > 0, 0
    runs.restore(repo, runs.hidden(repo))
    assert list(check.everything(repo)) == [], moment
    (now,) = query.runs(repo)
    assert sys.argv[2] == "fold" or len(now.tags) == moment - is_over, (moment, now.tags)
    if is_over:
        break
print(moment)
"""


@pytest.mark.parametrize("act", ["unfold", "hide"])
@pytest.mark.parametrize("other", ["fold", "edit"])
def test_whoever_comes_between_as_a_run_leaves_the_archive_finds_it_once(
    inside: Repo, python: Script, act: str, other: str
):
    recorded(inside, "a")

    assert int(python("-c", BETWEEN, act, other, cwd=inside.folder).stdout) > 5


@pytest.mark.parametrize("is_archived", [False, True])
def test_an_edit_waits_for_who_holds_the_branch_or_the_month_for_a_moment(inside: Repo, is_archived: bool):
    (run,) = recorded(inside, "a")
    if is_archived:
        (run,) = folding.fold(inside, [run])
    lock = inside.common_dir / f"{run.archive or run.ref}.lock"
    lock.touch()
    release = threading.Timer(0.4, lock.unlink)
    release.start()

    edit.edit(inside, run, lambda now: replace(now, tags=("x",)))

    release.join()
    assert known(inside)["a"].tags == ("x",)


@pytest.mark.parametrize("together", [False, True])
def test_an_edit_of_a_run_that_gets_its_branch_back_meanwhile_is_made_there(inside: Repo, together: bool):
    run, other = folding.fold(inside, recorded(inside, "a", "b"))

    def tagged(now: Run) -> Run:
        if now.id == "a" and not inside.refs(run.ref):
            inside.move([Move(run.ref, None, run.commit)], why="the first that unarchive does")
        return replace(now, tags=("x",))

    if together:
        edit.edit_all(inside, [run, other], tagged)
    else:
        edit.edit(inside, run, tagged)

    assert archive.listing_of(inside, run.archive)[run.ref.rpartition("/")[2]] == run.commit
    folding.unfold(inside, [run])
    assert known(inside)["a"].tags == ("x",)


def test_two_foldings_at_once_fold_all(inside: Repo, python: Script):
    recorded(inside, *"abcdefgh")
    code = """
import sys
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import folding
repo = Repo.find(Path("."))
folding._AT_ONCE = 2
folding.fold(repo, sorted(query.runs(repo), key=lambda run: run.id, reverse=sys.argv[1] == "back"))
"""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda way: python("-c", code, way, cwd=inside.folder), ("on", "back")))

    assert inside.refs(refs.RUNS) == {}
    assert len(archive.entries(inside)) == len(known(inside)) == 8


# A child for each file operation and git process of an act, at which it is killed; then all is looked at and put back.
DEATHS = """
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit, folding, runs
from tests.dying import dies_at, unlock

repo = Repo.find(Path("."))
act = sys.argv[1]

def known():
    found = query.runs(repo)
    hidden = {run.id for run in runs.hidden(repo)}
    return sorted([run.id for run in found] + [f"({name})" for name in hidden]), {run.id: run.commit for run in found}

def prepare():
    unlock(repo.common_dir)
    runs.restore(repo, runs.hidden(repo))
    folding.unfold(repo, [run for run in query.runs(repo) if run.archive])
    found = query.runs(repo)
    return found if act == "fold" else folding.fold(repo, found)

def perform(found):
    if act == "fold": folding.fold(repo, found)
    if act == "unfold": folding.unfold(repo, found)
    if act == "hide": runs.hide(repo, found[:1])
    if act == "edit": edit.edit(repo, found[0], lambda run: replace(run, tags=(*run.tags, "x")))

moment = 1
while True:
    found = prepare()
    _, before = known()
    died = dies_at(moment, perform, found)
    names, after = known()
    first = found[0].id
    fine = [["a", "b", "c"]] + ([sorted({"a", "b", "c"} - {first} | {f"({first})"})] if act == "hide" else [])
    if names not in fine: sys.exit(f"{moment}: {names}")
    if act != "edit" and after != {name: before[name] for name in after}: sys.exit(f"{moment}: {before} {after}")
    if not died: break
    moment += 1
print(moment)
"""


@pytest.mark.parametrize("act", ["fold", "unfold", "hide", "edit"])
def test_whoever_dies_at_any_moment_of_it_leaves_every_run_found_once(inside: Repo, act: str):
    recorded(inside, *"abc")

    assert last_moment(DEATHS, act, folder=inside.folder) > 15
    inside.git("fsck", "--strict", "--no-dangling")


def test_nothing_is_folded_where_what_was_written_does_not_read_back(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    before = recorded(inside, "a")
    monkeypatch.setattr(Writer, "flush", lambda self: None)

    with pytest.raises(MlgitError, match="no branch was touched"):
        folding.fold(inside, before)

    assert known(inside)["a"] == before[0]


@pytest.mark.parametrize("name", ["a b", "..", ".a", "a.lock", "-a", "a:b", "a\\b", "a~1", "a*", "a\udcff"])
def test_an_entry_that_no_branch_could_be_called_is_passed_over(inside: Repo, name: str):
    (run,) = folding.fold(inside, recorded(inside, "a"))
    line = f"160000 commit {run.commit}\t{name}\n".encode(errors="surrogateescape")
    tree = inside.git("mktree", "--missing", stdin=line)
    inside.git("update-ref", run.archive, inside.git("commit-tree", "-m", "odd", "-p", run.archive, tree))

    assert archive.found(f"{run.archive}:{name}") is None
    assert known(inside) == {}


# ------------------------------------------------------------------------------- two machines' archives


@pytest.fixture
def machines(inside: Repo, tmp_path: Path) -> tuple[Repo, Repo, dict[str, Run]]:
    """Two clones with the runs a to e, of which both have archived a and b."""
    folding.fold(inside, recorded(inside, *"abcde")[:2])
    other = tmp_path / "other"
    inside.git("clone", "--quiet", "--config=remote.origin.fetch=+refs/*:refs/*", ".", str(other))
    found = Repo.find(other)
    assert found
    return inside, found, known(inside)


def joined(repo: Repo, other: Repo, **how: Callable[[str, str, str], str | None]) -> dict[str, str]:
    """What *repo* cannot settle with the archive of *other*, which it has fetched."""
    unsettled: dict[str, str] = {}
    repo.git(
        "fetch", "--quiet", str(other.folder), "+refs/mlgit/archive/*:refs/there/*", "+refs/heads/exp/*:refs/far/*"
    )
    for ref, theirs in repo.refs("refs/there/").items():
        unsettled |= listings.join(repo, ref.replace("refs/there/", refs.ARCHIVE), theirs, **how)
    return unsettled


def test_what_two_machines_have_folded_is_folded_on_both(machines: tuple[Repo, Repo, dict[str, Run]]):
    one, two, was = machines
    folding.fold(one, [was["c"], was["d"]])
    folding.fold(two, [was["d"], was["e"]])

    assert joined(one, two) == joined(two, one) == {}

    assert archive.entries(one) == archive.entries(two)
    assert {name: bool(run.archive) for name, run in known(one).items()} == dict.fromkeys("abcde", True)
    assert known(one) == known(two)
    assert one.refs(refs.RUNS) == {}, "a branch goes where the other machine has archived the run"
    assert archive.months(one) == archive.months(two)
    for repo in (one, two):
        repo.git("fsck", "--strict", "--no-dangling")


def test_what_one_machine_takes_out_is_out_unless_the_other_has_changed_it(machines: tuple[Repo, Repo, dict[str, Run]]):
    one, two, was = machines
    folding.unfold(one, [was["a"], was["b"]])
    edited = edit.edit(two, known(two)["b"], lambda run: replace(run, notes="changed"))

    joined(two, one)

    found = archive.entries(two)
    assert list(found.values()) == [edited.commit]
    assert "a" not in known(two), "its branch comes with the others' branches"


def test_an_edit_on_one_machine_goes_before_the_older_state_of_the_other(machines: tuple[Repo, Repo, dict[str, Run]]):
    one, two, _ = machines
    edited = edit.edit(one, known(one)["a"], lambda run: replace(run, notes="changed"))
    folding.fold(two, [known(two)["c"]])

    joined(two, one)
    joined(one, two)

    assert known(one)["a"] == known(two)["a"] == edited
    assert known(one) == known(two)


def test_what_both_machines_have_edited_is_for_whoever_joins_them(machines: tuple[Repo, Repo, dict[str, Run]]):
    one, two, was = machines
    ours = edit.edit(one, known(one)["a"], lambda run: replace(run, notes="ours"))
    theirs = edit.edit(two, known(two)["a"], lambda run: replace(run, notes="theirs"))
    asked: list[tuple[str, str, str]] = []

    def settled(*about: str) -> None:
        asked.append(about)

    unsettled = joined(one, two, settle=settled)

    assert asked == [(was["a"].ref, ours.commit, theirs.commit)]
    assert unsettled == {was["a"].ref: ours.commit}
    assert known(one)["a"] == theirs
    both = edit.edit(two, known(two)["a"], lambda run: replace(run, tags=("both",)))
    assert joined(one, two, settle=lambda *_: None) == {}
    assert known(one)["a"] == both
