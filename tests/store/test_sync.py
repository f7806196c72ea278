"""Several clones of one remote: the same runs everywhere, whatever each has done to them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.merging import Clash, Side
from mlgit.core.run import Run
from mlgit.errors import GitError, MlgitError
from mlgit.git import process
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import edit, folding, joining, runs, sync
from mlgit.store.meeting import Wish
from mlgit.store.sync import Outcome
from tests.conftest import make_repo
from tests.git_http import serving
from tests.recorded import record

ID = "abcdefgh"


def exchange(repo: Repo, **wish: Any) -> Outcome:
    return sync.exchange(Remote(repo=repo, name="origin"), Wish(**wish), wait=lambda _seconds: None)


def clone(far: Repo, folder: Path, *args: str) -> Repo:
    subprocess.run(["git", "clone", "-q", *args, str(far.folder), str(folder)], check=True)
    found = Repo.find(folder)
    assert found
    return found


def anew(repo: Repo) -> Repo:
    """The same, with the settings that it has by now."""
    found = Repo.find(repo.folder)
    assert found
    return found


def change(repo: Repo, **fields: Any) -> Run:
    """The run `abcdefgh` of *repo*, edited."""
    (run,) = [run for run in query.runs(repo) if run.id == ID]
    return edit.edit(repo, run, lambda before: replace(before, **fields))


def seen(repo: Repo) -> Run:
    (run,) = [run for run in query.runs(repo) if run.id == ID]
    return run


@pytest.fixture
def far(tmp_path: Path) -> Repo:
    return make_repo(tmp_path / "far.git", commit=False, bare=True)


@pytest.fixture
def one(repo: Repo, far: Repo) -> Repo:
    """A clone with the run `abcdefgh`, which is pushed."""
    repo.git("remote", "add", "origin", str(far.folder))
    repo.git("push", "-q", "origin", "main")
    found = anew(repo)
    record(found, ID)
    exchange(found)
    return found


@pytest.fixture
def two(one: Repo, far: Repo, tmp_path: Path) -> Repo:
    """Another that has pulled it."""
    other = clone(far, tmp_path / "two")
    exchange(other)
    return other


def test_edits_of_different_fields_come_together(one: Repo, two: Repo, far: Repo):
    change(one, tags=("a",), params={"lr": 0.1, "x": 1})
    change(two, notes="n", tags=("b",), metrics={"loss": 2})
    exchange(one)
    outcome = exchange(two)
    exchange(one)

    ref = seen(one).ref
    assert [*outcome.merged] == [ref]
    assert one.refs(ref) == two.refs(ref) == far.refs(ref)
    run = seen(one)
    assert (run.tags, run.notes, run.params, run.metrics) == (("a", "b"), "n", {"lr": 0.1, "x": 1}, {"loss": 2})
    assert runs.provenance(one, run)["notes"] == "n"
    assert one.read(ref, "experiment/metrics.yaml") == b"loss: 2\n"
    assert not exchange(two).there


def test_a_merge_is_a_way_forward_for_both(one: Repo, two: Repo):
    tips = [change(one, notes="n").commit, change(two, name="m").commit]
    exchange(one)
    exchange(two)

    assert set(two.git("show", "-s", "--format=%P", seen(two).ref).split()) == set(tips)


def test_a_long_history_comes_together_as_a_short_one_does(
    one: Repo, two: Repo, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.setattr(joining, "_MANY", 2)
    monkeypatch.setattr(joining, "_NEAR", 1)
    for number in range(3):
        change(one, notes=str(number))
        change(two, tags=(str(number),))
    exchange(one)
    exchange(two)
    exchange(one)

    assert seen(one) == seen(two)
    assert (seen(one).notes, seen(one).tags) == ("2", ("2",))


def test_many_come_together_with_as_few_git_processes_as_one(
    one: Repo, two: Repo, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    for number in range(4):
        record(one, f"{number}newruns")
    exchange(one)
    exchange(two)
    started: list[str] = []
    real = process.start
    monkeypatch.setattr(process, "start", lambda args, **how: (started.append(args[0]), real(args, **how))[1])

    def merge(ids: set[str], value: str) -> int:
        for repo, fields in ((one, {"notes": value}), (two, {"tags": (value,)})):
            for run in query.runs(repo):
                if run.id in ids:
                    edit.edit(repo, run, lambda before, fields=fields: replace(before, **fields))
        exchange(two)
        started.clear()
        outcome = exchange(one)
        assert len(outcome.merged) == len(ids)
        exchange(two)
        return len(started)

    assert merge({"0newruns"}, "a") == merge({f"{number}newruns" for number in range(4)}, "b")


def test_edits_of_one_field_are_refused_and_all_else_is_shared(one: Repo, two: Repo, far: Repo):
    change(one, notes="here")
    mine = change(two, notes="there", tags=("t",)).commit
    record(two, "other123")
    exchange(one)
    outcome = exchange(two)

    ref = seen(two).ref
    assert outcome.clashing == {ref: (Clash(field="notes", ours="there", theirs="here"),)}
    assert two.refs(ref) == {ref: mine}
    assert len(far.refs("refs/heads/exp/")) == 2
    assert seen(two).notes == "there"


@pytest.mark.parametrize(("side", "notes"), [(Side.OURS, "there"), (Side.THEIRS, "here")])
def test_a_person_says_which_edit_counts(one: Repo, two: Repo, side: Side, notes: str):
    change(one, notes="here", group="g")
    change(two, notes="there", tags=("t",))
    exchange(one)
    outcome = exchange(two, prefer={seen(two).ref: side})
    exchange(one)

    assert not outcome.clashing
    assert (seen(one).notes, seen(one).group, seen(one).tags) == (notes, "g", ("t",))
    assert seen(two) == seen(one)


def test_files_that_both_have_put_beside_the_record_come_together(one: Repo, two: Repo):
    for repo, name in ((one, "a"), (two, "b")):
        edit.edit(repo, seen(repo), lambda run: run, more={f"media/{name}.txt": b"x", "media/both.txt": name.encode()})
    exchange(one)
    outcome = exchange(two)
    ((ref, (clash,)),) = outcome.clashing.items()
    exchange(two, prefer={ref: Side.OURS})

    assert clash.field == "experiment/media/both.txt"
    assert two.read(ref, "experiment/media/a.txt") == two.read(ref, "experiment/media/b.txt") == b"x"
    assert two.read(ref, "experiment/media/both.txt") == b"b"


def test_a_run_that_is_hidden_is_hidden_everywhere_and_stays_so(one: Repo, two: Repo, far: Repo):
    runs.hide(one, [seen(one)])
    change(two, notes="n")
    exchange(one)
    exchange(two)
    exchange(one)

    assert query.runs(one) == query.runs(two) == query.runs(far) == []
    (hidden,) = one.refs("refs/mlgit/trash/").values()
    found = runs.read(one, hidden)
    assert found is not None
    assert found.notes == "n"


def test_a_run_that_is_restored_anywhere_is_back_everywhere(one: Repo, two: Repo):
    runs.hide(one, [seen(one)])
    exchange(one)
    exchange(two)
    runs.restore(two, runs.hidden(two))
    exchange(two)
    exchange(one)

    assert seen(one).commit == seen(two).commit
    assert not one.refs("refs/mlgit/trash/")


def test_a_hidden_run_does_not_come_back_by_what_git_has_fetched(one: Repo, two: Repo):
    two.git("fetch", "-q", "origin")
    runs.hide(two, [seen(two)])
    exchange(two)
    two.git("fetch", "-q", "origin")
    exchange(two)

    assert query.runs(two) == []


def test_a_hidden_run_that_was_cleared_away_is_not_brought_again(one: Repo, two: Repo):
    runs.hide(one, [seen(one)])
    exchange(one)
    ((ref, tip),) = one.refs("refs/mlgit/trash/").items()
    one.move([Move(ref, tip, None)], why="gc")
    exchange(one)

    assert not one.refs("refs/mlgit/trash/")
    assert exchange(two).here.keys() == {ref, seen_ref(ref)}


def seen_ref(hidden: str) -> str:
    return f"refs/heads/{hidden.removeprefix('refs/mlgit/trash/')}"


def test_what_was_hidden_before_it_was_ever_pushed_stays_here(one: Repo, far: Repo):
    runs.hide(one, [record(one, "other123")])
    exchange(one)

    assert len(far.refs("refs/mlgit/")) == 0


def test_a_run_that_was_deleted_there_is_not_pushed_again_unless_it_is_named(one: Repo, far: Repo):
    ref = seen(one).ref
    far.move([Move(ref, far.refs(ref)[ref], None)], why="gone")
    outcome = exchange(one)
    assert (outcome.gone, far.refs(ref)) == ([ref], {})

    exchange(one, pulls=False, only=frozenset({ref}))
    assert far.refs(ref) == one.refs(ref)


def test_a_run_that_was_deleted_there_and_edited_here_is_pushed(one: Repo, far: Repo):
    ref = seen(one).ref
    far.move([Move(ref, far.refs(ref)[ref], None)], why="gone")
    change(one, notes="n")
    exchange(one)

    assert far.refs(ref) == one.refs(ref)


def test_a_push_brings_nothing_and_a_pull_sends_nothing(one: Repo, two: Repo, far: Repo):
    record(one, "onlyone1")
    record(two, "onlytwo1")
    exchange(one)
    before = far.refs()
    exchange(two, pushes=False)
    assert far.refs() == before
    assert {run.id for run in query.runs(two)} == {ID, "onlyone1", "onlytwo1"}

    exchange(two, pulls=False)
    exchange(one, pulls=False)
    assert {run.id for run in query.runs(one)} == {ID, "onlyone1"}


def test_a_dry_run_moves_nothing_and_says_what_would(one: Repo, two: Repo, far: Repo):
    change(one, notes="n")
    new = record(one, "other123")
    change(two, name="m")
    exchange(two)
    before, there = one.refs(), far.refs()
    outcome = exchange(one, dry=True)

    assert (one.refs(), far.refs()) == (before, there)
    assert outcome.there.keys() == {seen(one).ref, new.ref}
    assert outcome.here.keys() == outcome.merged.keys() == {seen(one).ref}


def test_what_was_rewritten_there_is_taken_over_and_does_not_go_back(one: Repo, two: Repo, far: Repo):
    ref = seen(one).ref
    tip = far.refs(ref)[ref]
    again = far.commit(tip, {"leak": None}, far.git("show", "-s", "--format=%B", tip), parents=())
    far.move([Move(ref, tip, again)], why="purge")
    change(two, notes="n")
    exchange(one)
    exchange(two)
    exchange(one)

    assert one.refs(ref) == two.refs(ref) == far.refs(ref)
    assert one.git("rev-list", ref).split() == [seen(one).commit, again]
    assert seen(one).notes == "n"


def test_two_runs_that_meet_under_one_name_are_kept_both(one: Repo, two: Repo, far: Repo):
    first, second = record(one, "xyzxyz11"), record(two, "xyzxyz22")
    assert first.ref == second.ref
    exchange(one)
    exchange(two)
    exchange(one)

    assert {run.id for run in query.runs(one)} == {run.id for run in query.runs(two)} == {ID, first.id, second.id}
    assert one.refs("refs/heads/exp/") == two.refs("refs/heads/exp/") == far.refs("refs/heads/exp/")


def test_a_branch_that_is_checked_out_stays_as_it_is_and_its_edits_are_shared(one: Repo, two: Repo):
    change(one, notes="n")
    exchange(one)
    ref = seen(two).ref
    change(two, name="m")
    two.git("switch", "-q", ref.removeprefix("refs/heads/"))
    before = two.refs(ref)
    outcome = exchange(two)
    exchange(one)

    assert two.refs(ref) == before
    assert [*outcome.stuck] == [ref]
    assert (seen(one).notes, seen(one).name) == ("n", "m")


def test_whoever_is_overtaken_looks_again_and_merges(one: Repo, two: Repo, far: Repo):
    change(one, notes="n")
    change(two, name="m")
    waits: list[float] = []

    class Slow(Remote):
        def push(self, moves: Any, *, whole: str = "") -> None:
            if not waits:
                waits.append(0)
                exchange(one)
            super().push(moves, whole=whole)

    sync.exchange(Slow(repo=two, name="origin"), Wish(), wait=waits.append)

    assert len(waits) == 2
    assert (seen(two).notes, seen(two).name) == ("n", "m")
    assert far.refs(seen(two).ref) == two.refs(seen(two).ref)


def test_packed_refs_that_are_locked_are_waited_for(one: Repo, two: Repo):
    runs.hide(one, [seen(one)])
    exchange(one)
    lock = two.git_dir / "packed-refs.lock"
    lock.touch()
    two.git("config", "core.packedRefsTimeout", "10")
    outcome = sync.exchange(Remote(repo=two, name="origin"), Wish(), wait=lambda _: lock.unlink(missing_ok=True))

    assert outcome.here
    assert query.runs(two) == []


def test_packed_refs_that_stay_locked_are_said_to_be_so(one: Repo, two: Repo):
    runs.hide(one, [seen(one)])
    exchange(one)
    (two.git_dir / "packed-refs.lock").touch()
    two.git("config", "core.packedRefsTimeout", "10")

    with pytest.raises(GitError, match=r"packed-refs\.lock(?s:.*)remove the lock"):
        exchange(two)
    assert seen(two)


def test_clocks_that_differ_by_years_change_nothing(one: Repo, two: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("time.time", lambda: 4e9)
    change(one, notes="n")
    monkeypatch.setattr("time.time", lambda: 86400.0)
    change(two, name="m")
    exchange(one)
    change(two, tags=("t",))
    exchange(two)
    exchange(one)

    assert (seen(one).notes, seen(one).name, seen(one).tags) == ("n", "m", ("t",))
    assert seen(one).commit == seen(two).commit


def test_names_that_differ_only_by_case_do_not_meet_on_a_disk_that_cannot_tell_them_apart(
    one: Repo, two: Repo, far: Repo
):
    ref = seen(one).ref
    twin = f"{ref[:-8]}{ref[-8:].upper()}"
    far.move([Move(twin, None, far.refs(ref)[ref])], why="by hand")
    two.git("config", "core.ignoreCase", "true")
    outcome = exchange(anew(two))
    exchange(one)

    assert [*outcome.stuck] == [twin]
    assert twin not in two.refs("refs/heads/exp/")
    assert twin in one.refs("refs/heads/exp/")


def test_folders_months_and_tags_that_differ_only_by_case_stop_nothing_else(one: Repo, two: Repo, far: Repo):
    tip = seen(one).commit
    folding.fold(one, [record(one, "archived")])
    exchange(one)
    exchange(two)
    folding.fold(one, [record(one, "upper123", project="P")])
    record(one, "lower123")
    record(one, "upper456", project="P")
    for repo, tag in ((one, "Model@v1.0.0"), (two, "model@v1.0.0")):
        repo.tag(f"refs/tags/{tag}", tip, "m")
    exchange(one, is_shared=lambda _tag: True)
    two.git("config", "core.ignoreCase", "true")
    outcome = exchange(anew(two), is_shared=lambda _tag: True)

    assert {ref.rpartition("/")[0]: why for ref, why in outcome.stuck.items()} == {
        "refs/heads/exp/P": "this disk cannot tell it from p",
        "refs/mlgit/archive/P": "this disk cannot tell it from refs/mlgit/archive/p",
        "refs/tags": "this disk cannot tell it from refs/tags/model@v1.0.0",
    }
    assert {run.id for run in query.runs(two)} == {ID, "archived", "lower123"}
    assert not outcome.gone
    assert far.refs("refs/tags/").keys() >= {"refs/tags/Model@v1.0.0", "refs/tags/model@v1.0.0"}


def test_a_hook_that_refuses_one_ref_refuses_all_and_the_next_sync_completes(one: Repo, far: Repo):
    new = [record(one, f"{n}newruns") for n in range(3)]
    hook = far.git_dir / "hooks" / "update"
    hook.write_text(f'#!/bin/sh\n[ "$1" != {new[1].ref} ]\n')
    hook.chmod(0o755)
    before = far.refs()
    with pytest.raises(MlgitError, match="declined"):
        exchange(one)
    assert far.refs() == before

    hook.unlink()
    assert exchange(one).there.keys() == {run.ref for run in new}


def test_more_than_fit_into_one_push_go_in_several(one: Repo, far: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sync, "_AT_ONCE", 2)
    new = {record(one, f"{n}newruns").ref for n in range(5)}

    assert exchange(one).there.keys() == new
    assert one.refs("refs/heads/exp/") == far.refs("refs/heads/exp/")


def test_many_pushes_to_another_machine_are_paced(one: Repo, far: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sync, "_AT_ONCE", 1)
    new = {record(one, f"{n}newruns").ref for n in range(8)}
    far.git("config", "http.receivepack", "true")
    waits: list[float] = []
    with serving(far.folder.parent) as address:
        one.git("remote", "set-url", "origin", f"{address}/far.git")
        outcome = sync.exchange(Remote(repo=anew(one), name="origin"), Wish(), wait=waits.append)

    assert outcome.there.keys() == new
    assert waits == [10, 10]


def test_many_who_edit_one_run_at_once_all_count(one: Repo, far: Repo, tmp_path: Path):
    kin = [clone(far, tmp_path / f"kin{n}") for n in range(6)]
    for number, repo in enumerate(kin):
        exchange(repo)
        change(repo, tags=(f"t{number}",))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda repo: sync.exchange(Remote(repo=repo, name="origin"), Wish()), kin))
    exchange(one)

    assert set(seen(one).tags) == {f"t{number}" for number in range(6)}


def test_many_go_by_a_pattern_and_what_stays_here_stays(one: Repo, far: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sync, "_FEW", 2)
    gone = seen(one).ref
    new = {record(one, f"{n}newruns").ref for n in range(5)}
    runs.hide(one, [record(one, "hidden12")])
    outcome = exchange(one)
    far.move([Move(gone, far.refs(gone)[gone], None)], why="gone")
    more = {record(one, f"{n}moreruns").ref for n in range(5)}
    exchange(one)

    assert outcome.there.keys() == new
    assert far.refs("refs/heads/exp/").keys() == new | more
    assert far.refs("refs/mlgit/") == {}


def test_many_that_are_new_here_are_packed_and_what_else_moves_moves_too(one: Repo, two: Repo, far: Repo):
    made = {record(one, f"{n:02}newruns").ref for n in range(25)}
    runs.hide(one, [seen(one)])
    exchange(one)
    outcome = exchange(two)

    assert made <= outcome.here.keys()
    assert two.refs("refs/heads/exp/").keys() == made
    assert two.refs() == {
        **two.refs("refs/remotes/"),
        **two.refs("refs/heads/main"),
        **far.refs("refs/heads/exp/", "refs/mlgit/"),
    }
    assert not list((two.common_dir / "refs/heads").rglob("n-*"))


def test_a_sweep_and_a_models_tag_are_shared(one: Repo, two: Repo):
    sweep = "refs/mlgit/sweeps/p/s1"
    one.commit_on(sweep, {"sweep.yaml": b"a"}, "s", expect=None)
    one.tag("refs/tags/m@v1.0.0", seen(one).commit, "m")
    one.tag("refs/tags/mine", seen(one).commit, "m")
    exchange(one, is_shared=lambda tag: "@" in tag)
    exchange(two, is_shared=lambda tag: "@" in tag)
    assert two.refs("refs/tags/").keys() == {"refs/tags/m@v1.0.0"}

    for repo in (one, two):
        repo.commit_on(sweep, {"sweep.yaml": repo.folder.name.encode()}, "again", expect=repo.refs(sweep)[sweep])
    for repo in (one, two, one):
        exchange(repo)
    assert one.refs(sweep) == two.refs(sweep)
    assert one.read(sweep, "sweep.yaml") == b"repo"


def folded(repo: Repo) -> dict[str, str]:
    """The runs that are archived, id → notes."""
    return {run.id: run.notes or "" for run in query.runs(repo) if run.archive}


def test_a_run_that_is_archived_anywhere_is_archived_everywhere(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    exchange(one)
    assert not far.refs("refs/heads/exp/")
    exchange(two)
    again = exchange(one)

    assert folded(one) == folded(two) == folded(far) == {ID: ""}
    assert not two.refs("refs/heads/exp/")
    assert not again.here
    assert not again.there


def test_an_edit_of_what_is_archived_meanwhile_goes_into_the_archive(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    change(one, tags=("t",))
    change(two, notes="n")
    exchange(one)
    exchange(two)
    exchange(one)

    assert folded(one) == folded(two) == folded(far) == {ID: "n"}
    assert seen(one).tags == seen(two).tags == ("t",)
    assert far.refs("refs/heads/exp/") == two.refs("refs/heads/exp/") == {}


def test_what_was_edited_there_before_it_was_archived_here_goes_into_the_archive(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    change(two, notes="n")
    exchange(two)
    exchange(one)
    exchange(two)

    assert folded(one) == folded(two) == folded(far) == {ID: "n"}
    assert far.refs("refs/heads/exp/") == one.refs("refs/heads/exp/") == two.refs("refs/heads/exp/") == {}


def test_two_machines_archive_runs_of_one_month(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    folding.fold(two, [record(two, "other123")])
    for repo in (one, two, one):
        exchange(repo)

    assert folded(one) == folded(two) == folded(far) == {ID: "", "other123": ""}


@pytest.mark.parametrize("first", ["one", "two"])
def test_what_one_hides_and_another_archives_is_hidden(one: Repo, two: Repo, far: Repo, first: str):
    runs.hide(one, [seen(one)])
    folding.fold(two, [seen(two)])
    for repo in (one, two, one) if first == "one" else (two, one, two):
        exchange(repo)

    assert query.runs(one) == query.runs(two) == query.runs(far) == []
    assert [run.id for run in runs.hidden(one)] == [run.id for run in runs.hidden(two)] == [ID]


def test_what_is_taken_out_of_the_archive_has_its_branch_back_everywhere(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    exchange(one)
    exchange(two)
    folding.unfold(two, [seen(two)])
    exchange(two)
    exchange(one)

    assert folded(one) == folded(two) == folded(far) == {}
    assert one.refs("refs/heads/exp/") == two.refs("refs/heads/exp/") == far.refs("refs/heads/exp/")


def test_edits_of_one_field_of_an_archived_run_clash_until_somebody_chooses(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    exchange(one)
    exchange(two)
    change(one, notes="here")
    change(two, notes="there")
    exchange(one)
    ref = seen(two).ref
    for _ in range(2):
        assert exchange(two).clashing == {ref: (Clash(field="notes", ours="there", theirs="here"),)}
        assert seen(two).notes == "there"
    exchange(two, prefer={ref: Side.OURS})
    exchange(one)

    assert folded(one) == folded(two) == folded(far) == {ID: "there"}
    assert not far.refs("refs/heads/exp/")


APART: dict[str, Callable[[Repo, Repo], object]] = {
    "folded there": lambda one, two: folding.fold(one, [seen(one)]),
    "folded there, edited here": lambda one, two: (folding.fold(one, [seen(one)]), change(two, notes="n")),
    "folded here, edited there": lambda one, two: (folding.fold(two, [seen(two)]), change(one, notes="n")),
    "both folded, of one month": lambda one, two: (
        folding.fold(one, [seen(one)]), folding.fold(two, [record(two, "other123")])
    ),
    "folded there, hidden here": lambda one, two: (folding.fold(one, [seen(one)]), runs.hide(two, [seen(two)])),
    "folded here, hidden there": lambda one, two: (folding.fold(two, [seen(two)]), runs.hide(one, [seen(one)])),
    "folded there, edited otherwise": lambda one, two: (
        folding.fold(one, [change(one, notes="a")]), change(two, notes="b")
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", APART)
def test_a_dry_run_foresees_what_becomes_of_the_archive(one: Repo, two: Repo, far: Repo, what: str):
    APART[what](one, two)
    exchange(one)
    before = two.refs(), far.refs()
    foreseen = exchange(two, dry=True)

    assert (two.refs(), far.refs()) == before
    done = exchange(two)
    assert [*foreseen.here] == [*done.here]
    assert [*foreseen.there] == [*done.there]
    assert [(move.old, move.new is None) for move in foreseen.here.values()] == [
        (move.old, move.new is None) for move in done.here.values()
    ]
    assert (foreseen.clashing, foreseen.stuck) == (done.clashing, done.stuck)
    assert done.here or done.there or done.clashing


def test_a_push_does_not_bring_the_archive(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one)])
    exchange(one)
    record(two, "other123")
    outcome = exchange(two, pulls=False)

    assert [*outcome.there] == [run.ref for run in query.runs(two) if run.id == "other123"]
    assert not outcome.gone
    assert not two.refs("refs/mlgit/archive/")


def test_a_month_that_was_rewritten_there_loses_here_what_it_has_lost(one: Repo, two: Repo, far: Repo):
    folding.fold(one, [seen(one), record(one, "other123")])
    exchange(one)
    exchange(two)
    ((month, tip),) = far.refs("refs/mlgit/archive/").items()
    root = far.git("rev-list", "--first-parent", tip).split()[-1]
    far.move([Move(month, tip, far.commit(root, {}, "without them"))], why="purge")
    folding.fold(two, [record(two, "third123")])
    exchange(two)

    assert folded(two) == folded(far) == {"third123": ""}


@pytest.mark.parametrize("pulls", [True, False])
def test_what_took_the_place_of_a_month_there_takes_nothing_away_here(one: Repo, far: Repo, pulls: bool):
    folding.fold(one, [seen(one)])
    exchange(one)
    ((month, tip),) = far.refs("refs/mlgit/archive/").items()
    far.move([Move(month, tip, far.git("hash-object", "-w", "--stdin", stdin=b"no month"))], why="by mistake")
    folding.fold(one, [record(one, "other123")])

    outcome = exchange(one, pulls=pulls)

    assert outcome.stuck == {month: "there it is a blob, and no month"}
    assert folded(one) == {ID: "", "other123": ""}
    assert month not in outcome.there


def test_branches_that_mlgit_did_not_make_go_along_as_they_are(one: Repo, two: Repo, far: Repo):
    tip = one.resolve("main") or ""
    odd = [
        b"x",
        b"p/;touch\xe2\x80\xa8x",
        b"p/$(id)",
        b"p/--all",
        b"p/\xff\xfe",
        b"p/deep/er/still",
        "p/\u202egpj".encode(),
    ]
    for name in odd:
        subprocess.run(["git", "update-ref", b"refs/heads/exp/" + name, tip], cwd=one.folder, check=True)
    subprocess.run(["git", "tag", "-a", "-m", "m", "exp/p/tag", tip], cwd=one.folder, check=True)
    exchange(one)
    exchange(two)
    record(two, "other123")
    exchange(two)

    assert len(two.refs("refs/heads/exp/")) == len(odd) + 2
    assert one.refs("refs/heads/exp/").items() <= two.refs("refs/heads/exp/").items()
    assert far.refs("refs/heads/exp/") == two.refs("refs/heads/exp/")


def test_a_branch_in_the_way_of_others_stops_nobody_else(one: Repo, two: Repo, far: Repo):
    tip = one.resolve("main") or ""
    far.move([Move("refs/heads/exp/q", None, tip), Move("refs/heads/exp/r/s/t", None, tip)], why="by hand")
    one.move([Move("refs/heads/exp/q/x", None, tip), Move("refs/heads/exp/r/s", None, tip)], why="by hand")
    new = record(one, "other123")
    record(two, "third123")
    exchange(two)
    outcome = exchange(one)

    assert outcome.stuck.keys() == {f"refs/heads/exp/{name}" for name in ("q", "q/x", "r/s", "r/s/t")}
    assert new.ref in far.refs("refs/heads/exp/")
    assert {run.id for run in query.runs(one)} == {ID, "other123", "third123"}


def test_a_branch_that_is_no_run_and_went_two_ways_stays_as_it_is(one: Repo, two: Repo, far: Repo):
    ref = "refs/heads/exp/p/byhand"
    first = one.commit_on(ref, {"a": b"a"}, "a", expect=None)
    exchange(one)
    exchange(two)
    for repo in (one, two):
        repo.commit_on(ref, {"a": repo.folder.name.encode()}, "b", expect=first)
    exchange(one)
    record(two, "other123")
    outcome = exchange(two)

    assert [*outcome.stuck] == [ref]
    assert far.refs(ref) == one.refs(ref) != two.refs(ref)
    assert len(far.refs("refs/heads/exp/")) == 3


@pytest.mark.parametrize(
    "how",
    [
        "--filter=blob:none",
        "--filter=tree:0",
        "--depth=1",
        "--depth=1 --filter=blob:none",
        "--bare",
        "worktree",
        "submodule",
    ],
)
def test_runs_are_shared_from_any_kind_of_clone(one: Repo, far: Repo, tmp_path: Path, how: str):
    far.git("config", "uploadpack.allowFilter", "true")
    for number in range(2):
        one.git("commit", "-q", "--allow-empty", "-m", str(number))
    one.git("push", "-q", "origin", "main")
    if how == "worktree":
        clone(far, tmp_path / "main").git("worktree", "add", "-q", str(tmp_path / "kin"), "-b", "side")
    elif how == "submodule":
        outer = make_repo(tmp_path / "outer")
        outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(far.folder), "kin")
        (tmp_path / "kin").symlink_to(outer.folder / "kin")
    else:
        subprocess.run(["git", "clone", "-q", *how.split(), f"file://{far.folder}", str(tmp_path / "kin")], check=True)
    kin = Repo.find(tmp_path / "kin")
    assert kin
    exchange(kin)
    change(one, notes="n")
    change(kin, tags=("t",))
    record(kin, "other123")
    exchange(one)
    exchange(kin)
    exchange(one)

    assert {run.id for run in query.runs(one)} == {ID, "other123"}
    assert (seen(one).notes, seen(one).tags) == ("n", ("t",))
    assert seen(kin).commit == seen(one).commit
    far.git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("form", ["--object-format=sha256", "--ref-format=reftable"])
def test_repositories_of_other_forms_share_their_runs(tmp_path: Path, form: str):
    for name, args in (("far.git", ["--bare"]), ("one", []), ("two", [])):
        words = ["git", "init", "-q", "-b", "main", form, *args, str(tmp_path / name)]
        if subprocess.run(words, stderr=subprocess.DEVNULL).returncode:
            pytest.skip(f"this git is too old for {form}")
    for name in ("one", "two"):
        subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "far.git")], cwd=tmp_path / name, check=True)
    one, two = (Repo.find(tmp_path / name) for name in ("one", "two"))
    assert one
    assert two
    one.git("commit", "-q", "--allow-empty", "-m", "start")
    record(one, ID)
    exchange(one)
    exchange(two)
    change(one, notes="n")
    change(two, tags=("t",))
    for repo in (one, two, one):
        exchange(repo)

    assert seen(one).commit == seen(two).commit
    assert (seen(one).notes, seen(one).tags) == ("n", ("t",))
