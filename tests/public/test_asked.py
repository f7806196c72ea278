"""Whoever looks into many runs reads those that he looks at."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import mlgit
from benchmarks import crowd
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public import asked
from mlgit.store import runs


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records_read: list[str]) -> Repo:
    """A repository of twelve runs, of which the first two are read at first, and then blocks of three, six held."""
    monkeypatch.setattr(crowd, "_PROJECTS", ("digits",))
    repo = crowd.build(tmp_path / "crowd", 12)
    (repo.folder / "mlgit.yaml").write_text("project: digits\n")
    monkeypatch.chdir(repo.folder)
    query.projects(repo)
    for name, size in (("_FIRST", 2), ("_BLOCK", 3), ("_HELD", 6)):
        monkeypatch.setattr(asked, name, size)
    records_read.clear()
    return repo


def test_counting_reads_no_run_and_the_first_ones_are_a_block(many: Repo, records_read: list[str]) -> None:
    found = mlgit.runs()

    assert len(found) == 12
    assert records_read == []
    assert found[0].created_at >= found[1].created_at
    for run in found:
        assert run.id == found[0].id
        break
    assert [run.id for run in found[:2]] == [found[0].id, found[1].id]
    assert len(records_read) == 2


def test_a_loop_reads_each_run_once_and_in_order(many: Repo, records_read: list[str]) -> None:
    found = mlgit.runs(sort="-accuracy", limit=11)

    accuracies = [run.summary["accuracy"] for run in found]

    assert accuracies == sorted(accuracies, reverse=True)
    assert len(accuracies) == len(found) == 11
    assert len(records_read) == len(set(records_read)) == 11
    assert [run.summary["accuracy"] for run in found[-3:]] == accuracies[-3:]
    assert [run.summary["accuracy"] for run in reversed(found)] == accuracies[::-1]
    assert found[3:9:2][1].summary["accuracy"] == accuracies[5]
    with pytest.raises(IndexError):
        found[11]
    with pytest.raises(IndexError):
        found[-12]


def test_what_comes_and_goes_meanwhile_moves_no_other_run(many: Repo) -> None:
    found = mlgit.runs()
    before = [run.id for run in mlgit.runs()]
    seen = []

    for run in found:
        seen.append(run.id)
        if len(seen) == 4:
            with mlgit.init(project="digits"):
                pass
            runs.hide(many, query.of_ids(many, [before[0], before[7]]))

    assert seen == [run_id for run_id in before if run_id != before[7]]
    assert len(found) == 11


def test_a_loop_that_hides_what_it_has_seen_sees_all_others(many: Repo) -> None:
    before = [run.id for run in mlgit.runs()]
    seen = []

    for run in mlgit.runs():
        seen.append(run.id)
        runs.hide(many, query.of_ids(many, [run.id, *([before[6]] if len(seen) == 4 else [])]))

    assert seen == [run_id for run_id in before if run_id != before[6]]


def test_looked_at_from_the_end_or_by_a_slice_what_has_gone_meanwhile_is_passed_over(many: Repo) -> None:
    before = [run.id for run in mlgit.runs()]
    backwards, sliced, last = several = [mlgit.runs() for _ in range(3)]
    assert [(len(found), found[2].id) for found in several] == [(12, before[2])] * 3
    runs.hide(many, query.of_ids(many, [before[7], before[11]]))
    left = before[:7] + before[8:11]

    assert [run.id for run in reversed(backwards)] == left[::-1]
    assert [run.id for run in sliced[3:]] == left[3:]
    assert last[-1].id == left[-1]
    assert (len(backwards), len(sliced)) == (10, 10)


def test_a_limit_holds_whatever_comes_meanwhile(many: Repo) -> None:
    found = mlgit.runs(limit=4)
    assert found[0]
    for _ in range(3):
        with mlgit.init(project="digits"):
            pass

    assert len(list(found)) == len(found) == 4


def test_what_was_set_is_written_after_all_were_looked_at(many: Repo) -> None:
    found = mlgit.Api().runs("digits/digits")
    for run in found:
        run.tags = [*run.tags, "seen"]
        run.config["note"] = run.summary["accuracy"]
    gc.collect()
    for run in found:
        run.update()

    assert len(mlgit.runs("tag = seen and note is not null")) == 12


def test_a_run_that_somebody_holds_is_the_same_when_it_is_looked_at_again(many: Repo) -> None:
    found = mlgit.runs()
    first = found[0]
    assert [found[place].id for place in range(2, 12)]

    assert found[0] is first
    assert found[-1] is found[11]


@pytest.mark.parametrize(
    ("filters", "order", "is_lazy"),
    [
        ({"state": "finished", "config.lr": {"$ne": 0}}, "-summary_metrics.accuracy", True),
        ({"tags": {"$nin": ["nobody"]}, "$or": [{"config.depth": {"$gt": 0}}, {"name": "x"}]}, "+created_at", True),
        ({"username": "Ada"}, "+created_at", False),
        ({"state": {"$in": ["finished", "failed"]}}, "heartbeat_at", False),
    ],
)
def test_a_filter_that_the_index_understands_reads_the_runs_that_are_looked_at(
    many: Repo, records_read: list[str], filters: dict[str, object], order: str, is_lazy: bool
) -> None:
    found = mlgit.Api({"project": "digits"}).runs(filters=filters, order=order)

    assert len(found) > 2
    assert found[0].state in ("finished", "failed", "crashed")
    assert (len(records_read) <= 2) == is_lazy
    assert len({run.id for run in found}) == len(found)


def test_runs_without_any_are_none(many: Repo) -> None:
    found = mlgit.runs("accuracy > 7")

    assert list(found) == found[:5] == []
    assert not found
    assert list(mlgit.runs(limit=0)) == []
