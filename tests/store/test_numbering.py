"""Numbers of versions, the same in every clone: who shares first has them, and others count behind."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlgit.artifacts import catalog, telling
from mlgit.artifacts import log as log_
from mlgit.artifacts.catalog import Held
from mlgit.artifacts.telling import Indexed
from mlgit.cli import shared
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.merging import Clash
from mlgit.errors import MlgitError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit, ledgers, sync
from mlgit.store.meeting import Wish
from mlgit.store.sync import Outcome
from tests.conftest import make_repo
from tests.recorded import record

LEDGER = "refs/mlgit/artifacts/p/digits"


def exchange(repo: Repo, **wish: Any) -> Outcome:
    wanted = Wish(telling=lambda names: query.told(repo, *names), **wish)
    return sync.exchange(Remote(repo=repo, name="origin"), wanted, wait=lambda _seconds: None)


@pytest.fixture
def three(tmp_path: Path, repo: Repo) -> list[Repo]:
    """Three clones of one remote."""
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    repo.git("push", "-q", "origin", "main")
    found = [Repo.find(repo.folder) or repo]  # with the settings that it has by now
    for name in ("two", "three"):
        subprocess.run(["git", "clone", "-q", str(far.folder), str(tmp_path / name)], check=True)
        found.append(Repo.find(tmp_path / name))
    return found


def version(content: str, name: str = "digits", **about: Any) -> ArtifactVersion:
    return ArtifactVersion(name=name, type="dataset", hash=content * 32, size=1, path="data", **about)


def log(repo: Repo, run_id: str, content: str, when: float, name: str = "digits") -> None:
    record(repo, run_id, name=run_id, logged=(version(content, name, created=when, aliases=("latest",)),))


def add(repo: Repo, content: str, when: float, **about: Any) -> None:
    told = version(content, created=when, by="Ada", **about)
    ledgers.change(repo, "p", "digits", lambda before: before.telling(told), why=lambda _: f"add {content}")


def versions(repo: Repo, name: str = "digits") -> list[Held]:
    def answer(known: Indexed) -> list[Held]:
        return [held for roll in known.rolls(name, "p") for held in catalog.held(known, roll)]

    return telling.asked(repo, answer)


def numbers(repo: Repo, name: str = "digits") -> str:
    """The contents by number, a dot for one of which nobody here tells."""
    known = {held.number: held for held in versions(repo, name)}
    return "".join(known[number].version.hash[0] if number in known else "." for number in range(max(known) + 1))


def test_what_is_shared_has_a_number_for_good(three: list[Repo]):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    log(two, "bbbbbbbb", "b", 3.0)  # before, but it is shared later

    exchange(one)
    moved = exchange(two)
    exchange(one)

    assert (numbers(one), numbers(two)) == ("ab", "ab")
    assert [(one.name, one.before, one.after) for one in moved.renumbered.values()] == [("digits", 0, 1)]
    assert one.refs(LEDGER) == two.refs(LEDGER)
    assert one.git("log", "--format=%s", LEDGER).splitlines() == ["digits:v1 listed", "digits:v0 listed"]
    assert not exchange(two).there


def test_what_people_add_apart_comes_together(three: list[Repo]):
    one, two, third = three
    add(one, "a", 5.0, aliases=("latest", "gold"))
    add(two, "b", 3.0, aliases=("latest",))
    log(two, "cccccccc", "c", 4.0)
    assert numbers(two) == "bc"

    exchange(one)
    moved = exchange(two)
    exchange(one)
    exchange(third)

    assert {numbers(repo) for repo in three} == {"abc"}
    assert sorted((one.before, one.after) for one in moved.renumbered.values()) == [(0, 1), (1, 2)]
    held = log_.find(third, "digits:gold")
    assert (held.name, held.by) == ("digits:v0", "Ada")
    assert len({tuple(repo.refs(LEDGER).items()) for repo in three}) == 1


def test_edits_of_one_version_on_two_machines_come_together(three: list[Repo]):
    one, two, _ = three
    add(one, "a", 5.0)
    exchange(one)
    exchange(two)
    add(one, "a", 5.0, description="ours", aliases=("gold",))
    add(two, "a", 5.0, tags=("paper",), aliases=("silver",))
    for repo in (one, two, one):
        exchange(repo)

    (known,) = ledgers.of(one)
    assert one.refs(LEDGER) == two.refs(LEDGER)
    assert (known.added[0].description, known.added[0].tags, known.added[0].aliases) == (
        "ours", ("paper",), ("gold", "silver"),
    )  # fmt: skip
    assert set(one.git("log", "--format=%s", LEDGER).splitlines()) == {"digits written on two machines", "add a"}


def test_whose_word_on_a_version_counts_no_more_hears_of_it(three: list[Repo]):
    one, two, _ = three
    add(one, "a", 5.0)
    exchange(one)
    exchange(two)
    add(one, "a", 5.0, description="ours")
    add(two, "a", 5.0, description="theirs", metadata={"rows": 2})
    exchange(one)

    done = exchange(two)

    (told,) = done.overruled.values()
    assert (told.version, told.clash) == ("digits:v0", Clash(field="description", ours="theirs", theirs="ours"))
    (line,) = [line for line in shared.notes(done, "origin") if "description" in line]
    assert "digits:v0: description is 'ours', as on origin, and not 'theirs'" in line
    assert "artifact('p/digits:v0')" in line
    assert not exchange(two).overruled


def test_runs_that_an_older_mlgit_shared_keep_their_order(three: list[Repo]):
    one, two, _ = three
    log(one, "bbbbbbbb", "b", 5.0)
    log(one, "aaaaaaaa", "a", 3.0)
    one.git("push", "-q", "origin", "refs/heads/exp/*:refs/heads/exp/*")
    two.git("fetch", "-q", "origin", "refs/heads/exp/*:refs/heads/exp/*")
    log(two, "cccccccc", "c", 4.0)
    before = numbers(two)

    exchange(two)

    assert numbers(two) == before == "acb"


def test_only_runs_that_are_on_their_way_are_read(three: list[Repo], records_read: list[str]):
    one, two, _ = three
    for number in range(5):
        log(one, f"aaaaaaa{number}", str(number), float(number))
        exchange(one)
    exchange(two)
    query.runs(one)
    log(one, "bbbbbbbb", "b", 9.0)
    records_read.clear()

    exchange(one)

    assert [ref for ref in records_read if "aaaaaaa" in ref] == []
    records_read.clear()
    exchange(one)
    assert records_read == []


def test_one_run_that_is_pushed_takes_its_ledger_along(three: list[Repo]):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    log(one, "bbbbbbbb", "b", 6.0, name="other")
    (ref,) = (ref for ref in one.refs("refs/heads/exp/") if "aaaa" in ref)

    there = exchange(one, pulls=False, only=frozenset({ref})).there
    here = exchange(two, pushes=False, only=frozenset({ref})).here

    assert set(there) == set(here) == {ref, LEDGER}
    assert numbers(two) == "a"


def test_who_only_pulls_gives_no_numbers_and_who_only_pushes_still_counts_behind(three: list[Repo]):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    log(two, "bbbbbbbb", "b", 3.0)
    exchange(one)

    exchange(two, pushes=False)
    assert (numbers(two), ledgers.of(two)[0].listed) == ("ab", ("a" * 32,))
    log(one, "cccccccc", "c", 7.0)
    exchange(two, pulls=False)
    exchange(one, pulls=False)
    exchange(two)
    assert (numbers(one), numbers(two)) == ("a.c", "abc")  # a number without its run is kept for it
    exchange(one)
    assert numbers(one) == "abc"


def test_nothing_moves_in_thought(three: list[Repo]):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    exchange(one)
    log(two, "bbbbbbbb", "b", 3.0)
    before = two.refs()

    outcome = exchange(two, dry=True)

    assert set(outcome.there) >= {LEDGER}
    assert [one.after for one in outcome.renumbered.values()] == [1]
    assert two.refs() == before


def test_who_is_overtaken_counts_anew(three: list[Repo], monkeypatch: pytest.MonkeyPatch):
    one, two, _ = three
    log(two, "bbbbbbbb", "b", 3.0)
    real = Remote.push
    overtaking = [one]

    def push(self: Remote, moves: Any, **how: Any) -> None:
        if overtaking and self.repo == two:
            log(overtaking.pop(), "aaaaaaaa", "a", 5.0)
            exchange(one)
        real(self, moves, **how)

    monkeypatch.setattr(Remote, "push", push)
    moved = exchange(two)
    exchange(one)

    assert (numbers(one), numbers(two)) == ("ab", "ab")
    assert [(one.before, one.after) for one in moved.renumbered.values()] == [(0, 1)]


def test_names_that_bear_their_runs_id_have_no_ledger(three: list[Repo]):
    one, *_ = three
    log(one, "aaaaaaaa", "a", 5.0, name="model-aaaaaaaa")

    assert not [ref for ref in exchange(one).there if ref.startswith("refs/mlgit/artifacts/")]


def test_a_purged_runs_number_is_given_to_no_other(three: list[Repo]):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    exchange(one)
    one.git("update-ref", "-d", next(ref for ref in one.refs("refs/heads/exp/")))
    one.git(
        "push", "-q", "origin", "--delete", *(ref for ref in Remote(repo=one, name="origin").refs("refs/heads/exp/*"))
    )
    log(one, "bbbbbbbb", "b", 6.0)

    exchange(one)
    exchange(two)

    assert [held.label for held in versions(two)] == ["v1"]


def test_a_disk_that_does_not_tell_upper_from_lower_case_keeps_the_one_it_has(three: list[Repo]):
    one, two, _ = three
    two.git("config", "core.ignorecase", "true")
    two = Repo.find(two.folder) or two
    log(one, "aaaaaaaa", "a", 5.0)
    log(one, "bbbbbbbb", "b", 6.0, name="Digits")
    exchange(one)

    stuck = exchange(two).stuck

    assert len([ref for ref in stuck if ref.startswith("refs/mlgit/artifacts/p/")]) == 1
    assert len(two.refs("refs/mlgit/artifacts/")) == 1


def test_an_alias_of_a_run_is_an_edit_of_the_run_and_no_number(three: list[Repo]):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    exchange(one)
    before = one.refs(LEDGER)
    edit.edit(one, query.runs(one)[0], lambda run: run, why="nothing")

    exchange(one)
    exchange(two)

    assert one.refs(LEDGER) == two.refs(LEDGER) == before


def test_who_is_cut_off_before_the_push_finishes_the_next_time(three: list[Repo], monkeypatch: pytest.MonkeyPatch):
    one, two, _ = three
    log(one, "aaaaaaaa", "a", 5.0)
    exchange(one)
    log(two, "bbbbbbbb", "b", 3.0)

    def refuse(*_: Any, **__: Any) -> None:
        raise MlgitError("The cable is cut.")

    with monkeypatch.context() as cut:
        cut.setattr(Remote, "push", refuse)
        with pytest.raises(MlgitError):
            exchange(two)
    log(one, "cccccccc", "c", 7.0)
    exchange(one)
    exchange(two)
    exchange(one)

    assert numbers(one) == numbers(two) == "acb"
    assert one.refs(LEDGER) == two.refs(LEDGER)
