"""What is new of a sweep's runs is all that is new of them, and nothing that was told before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import build
from mlgit.index.now import Mark, Now, ask
from mlgit.index.query import News
from mlgit.store import edit
from tests.recorded import record


class Heard:
    """Somebody who hears what is new, and remembers it."""

    def __init__(self, repo: Repo) -> None:
        self.news, self.known = News(repo, "s"), dict[str, str]()

    def again(self) -> list[str]:
        told = self.news.of(self.known)
        self.known |= {run.id: run.commit for run in told}
        return sorted(run.id for run in told)


@pytest.fixture
def run(repo: Repo) -> Run:
    record(repo, "2aaaaaaa", sweep="s")
    record(repo, "3aaaaaaa", sweep="another")
    return record(repo, "1aaaaaaa", sweep="s")


def test_a_run_is_told_when_it_comes_and_when_it_moves(repo: Repo, run: Run):
    heard = Heard(repo)
    assert [heard.again(), heard.again()] == [["1aaaaaaa", "2aaaaaaa"], []]
    record(repo, "4aaaaaaa", sweep="s")
    edit.edit(repo, run, lambda before: replace(before, notes="more"))

    assert [heard.again(), heard.again()] == [["1aaaaaaa", "4aaaaaaa"], []]


def test_what_was_told_is_not_looked_at_again(repo: Repo, run: Run):
    news = News(repo, "s")
    news.of({})

    assert news.of({}) == []


def test_an_index_that_began_anew_has_all_to_tell(repo: Repo, run: Run):
    heard = Heard(repo)
    heard.again()
    build.forget(repo)
    record(repo, "4aaaaaaa", sweep="s")

    assert [heard.again(), heard.again()] == [["4aaaaaaa"], []]
    build.forget(repo)
    assert len(heard.news.of({})) == 3


def test_a_run_that_seemed_alive_when_its_branch_was_there_already_is_told_when_it_is_not(repo: Repo, run: Run):
    def still_held(now: Now) -> tuple[list[str], Mark]:
        now.alive = [replace(run, commit="")]  # between the moment of its commit and that in which its folder is gone
        told, mark = now.since(None, "s")
        return [one.id for one in told if one.id != "2aaaaaaa" and one.commit], mark

    told, mark = ask(repo, still_held)
    later = ask(repo, lambda now: now.since(mark, "s")[0])

    assert told == []
    assert [one.commit for one in later if one.id == run.id] == [run.commit]


def test_what_another_ref_had_covered_is_told_when_it_comes_to_light(repo: Repo, run: Run):
    heard = Heard(repo)
    repo.git("update-ref", run.ref.replace("refs/heads/", "refs/remotes/origin/"), run.commit)
    edit.edit(repo, run, lambda before: replace(before, notes="more"))
    heard.again()
    repo.git("branch", "-D", run.branch)

    assert heard.again() == [run.id]
    assert heard.known[run.id] == run.commit
