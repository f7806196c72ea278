"""Sweeps in git."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgit.core.compare import Goal
from mlgit.core.sweep import Sweep
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import place as places
from mlgit.sweeps import file as files
from mlgit.sweeps import record

FILE = (
    "method: random  # as it was\nrun_cap: 3\nmetric: {name: acc, goal: maximize}\nparameters: {x: {min: 0, max: 9}}\n"
)


def sweep(sweep_id: str = "k3f9a2xq", **more: object) -> Sweep:
    fields: dict[str, object] = {
        "id": sweep_id, "name": "no 1: first", "project": "digits", "method": "random", "metric": "acc",
        "goal": Goal.MAXIMIZE, "seed": 7, "created": 1700000000.5, "command": ("./t", "a b", "${args}"), "file": FILE,
    }  # fmt: skip
    return Sweep(**(fields | more))


def test_a_sweep_comes_back_from_git_as_it_was(repo: Repo) -> None:
    before = repo.git("status", "--porcelain"), repo.head()

    record.keep(repo, sweep())
    record.keep(repo, sweep())

    assert record.known(repo, "digits") == [sweep()]
    assert record.known(repo, "other") == []
    assert record.known(repo, None) == [sweep()]
    assert repo.read("refs/mlgit/sweeps/digits/k3f9a2xq", "file.yaml") == FILE.encode()
    assert (repo.git("status", "--porcelain"), repo.head()) == before


def test_what_was_asked_for_last_is_kept(repo: Repo) -> None:
    record.keep(repo, sweep(trials=4, agents=2))

    record.keep(repo, sweep(trials=9, agents=3))

    assert record.known(repo, "digits") == [sweep(trials=9, agents=3)]


def test_a_sweep_tells_what_it_searches() -> None:
    text = (
        "method: random\nparameters:\n"
        "  lr: {min: 0.01, max: 0.02, distribution: log_uniform_values}\n  seed: {value: 1}\n"
        "  net: {parameters: {width: {values: [1, 2]}, decay: {distribution: q_log_normal}}}"
    )

    assert record.described(sweep(file=text)).searched == {"lr": True, "net.width": False, "net.decay": True}
    assert record.described(sweep(file="method: newer")).searched is None


def test_a_sweep_is_found_by_what_a_person_would_type(repo: Repo) -> None:
    record.keep(repo, sweep("aaaa1111", created=1.0))
    record.keep(repo, sweep("aaab2222", created=2.0, name="other"))

    assert record.find(repo, "digits", "aaaa1111").id == "aaaa1111"
    assert record.find(repo, "digits", "aaaa").id == "aaaa1111"
    assert record.find(repo, "digits", "other").id == "aaab2222"
    assert record.find(repo, "digits", "latest").id == "aaab2222"
    with pytest.raises(UsageError, match="begins 2 sweeps"):
        record.find(repo, "digits", "aaa")
    with pytest.raises(NotFoundError, match="no sweep 'zzz'"):
        record.find(repo, "digits", "zzz")


def test_a_token_in_a_sweep_is_refused_before_git_has_it(inside: Repo) -> None:
    place = places.find(inside.folder)
    assert place
    token = f"hf_{'a' * 34}"

    for text, command in ((FILE, ("./t", "--token", token)), (f"{FILE}# {token}\n", ("./t",))):
        with pytest.raises(UsageError, match="looks like a token"):
            record.new(place, text.encode(), Path("s.yaml"), command, seed=0, agents=1, trials=1)


def test_a_task_ends_somewhere(inside: Repo) -> None:
    place = places.find(Path.cwd())
    assert place

    def most(text: str, asked: int | None) -> int | None:
        return record.new(place, text.encode(), Path("s.yaml"), ("./t",), seed=0, agents=1, trials=asked).most

    assert most(FILE, None) == 3
    assert most(FILE, 2) == 2
    assert most(FILE, 9) == 3
    assert most(FILE.replace("run_cap: 3", ""), None) is None
    assert most("method: random\nparameters: {x: {min: 0.0, max: 9}}", None) is None


def test_a_sweep_ends_by_itself_where_something_bounds_it() -> None:
    def ends(more: str, asked: int | None = None) -> bool:
        text = f"method: random\nparameters: {{x: {{min: 0.0, max: 9}}}}\n{more}"
        return record.has_end(files.read(text, source="s.yaml"), asked)

    assert not ends("metric: {name: a}")
    assert ends("", 5)
    assert ends("run_cap: 5")
    assert ends("metric: {name: a, target: 1}")
    assert ends("budget: {minutes: 5}")
    grid = files.read("method: grid\nparameters: {x: {values: [1, 2]}}", source="s.yaml")
    assert record.has_end(grid, None)
