"""A pull request and what was said of it, in one order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlgit.forge.base import ReviewVerdict, Status, StatusState
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.report import conversation

HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) @all | a"


@pytest.fixture
def forge(repo: Repo) -> FolderForge:
    """A pull request, number 1, in a world where each act takes a minute."""
    clock: Iterator[float] = iter(range(1_782_900_000, 1_782_910_000, 60))
    commit = repo.commit(repo.resolve("main"), {"a": b""}, "work")
    repo.git("branch", "work", commit)
    forge = FolderForge(repo, clock=lambda: next(clock))
    forge.open(head="work", base="main", title="Learn faster", body="Because.", labels=("model",))
    return forge


def test_comments_and_reviews_stand_in_the_order_of_their_times(forge: FolderForge) -> None:
    forge.comment(1, "first")
    forge.review(1, ReviewVerdict.COMMENT, "second")
    forge.comment(1, "third")

    page = conversation.read(forge, forge.get(1))

    assert [(post.did, post.body, post.when) for post in page.posts] == [
        ("proposed", "Because.", "2026-07-01 10:00 UTC"),
        ("commented", "first", "2026-07-01 10:01 UTC"),
        ("reviewed", "second", "2026-07-01 10:02 UTC"),
        ("commented", "third", "2026-07-01 10:03 UTC"),
    ]
    assert page.line == f"Ada proposes work → main · 2026-07-01 10:00 UTC · {forge.get(1).head_commit[:10]} · model"


def test_a_draft_is_one_only_as_long_as_it_is_open(forge: FolderForge, repo: Repo) -> None:
    repo.git("branch", "other", repo.commit(repo.resolve("main"), {"b": b""}, "other"))
    forge.open(head="other", base="main", title="t", draft=True)

    assert conversation.state(forge.get(2)) == "draft"
    assert conversation.state(forge.close(2)) == "closed"


def test_names_of_others_are_no_markup_and_their_words_are_as_they_wrote_them(repo: Repo, forge: FolderForge) -> None:
    FolderForge(repo, me=HOSTILE).comment(1, "*emphatic*")
    forge.set_status(
        Status(context=HOSTILE, state=StatusState.ERROR, description="a | b", commit=forge.get(1).head_commit)
    )

    text = conversation.markdown(conversation.read(forge, forge.get(1)))

    assert text.startswith("# Learn faster (#1)\n\n**open** · Ada proposes work → main · ")
    assert "\n\n*emphatic*\n\n" in text
    assert "<script>" not in text
    assert "[x](" not in text
    assert text.endswith("| error | a \\| b |")
