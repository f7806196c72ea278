from __future__ import annotations

from collections.abc import Mapping

import pytest

from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import filing
from mlgit.registry.versions import aliasing, registering, shelf
from mlgit.store import registry as store


@pytest.fixture
def two(repo: Repo, trained) -> Repo:
    """Two versions of digits."""
    for name in ("a", "b"):
        registering.register(repo, trained(name, accuracy=0.9), model="digits")
    return repo


def call(repo: Repo, version: str | None, *given: str, gone: tuple[str, ...] = ()) -> str | None:
    edit = aliasing.edit(repo, "digits", version=version, given=given, gone=gone, base="main")
    return filing.at_once(repo, "main", edit, "aliases")


def aliases(repo: Repo) -> Mapping[str, str]:
    return shelf.aliases(repo, "digits", base="main")


def test_an_alias_names_a_version_and_moves(two: Repo):
    call(two, "v1.0.0", "paper", "demo")
    call(two, "v1.1.0", "paper")

    assert aliases(two) == {"demo": "v1.0.0", "paper": "v1.1.0"}
    assert shelf.find(two, "digits@paper", base="main").version == "v1.1.0"
    assert shelf.find(two, "digits@latest", base="main").version == "v1.1.0"
    call(two, None, gone=("paper", "demo"))
    assert aliases(two) == {}
    assert "aliases" not in two.git("show", "main:registry/digits/model.yaml")


def test_the_rest_of_the_models_file_stays_as_people_wrote_it(two: Repo):
    text = b"# ours\nproject: digits  # the one\ncard: {license: mit}\n"
    two.git("reset", "-q", "--hard", two.commit(two.resolve("main"), {"registry/digits/model.yaml": text}, "card"))

    call(two, "v1.0.0", "paper")

    now = two.git("show", "main:registry/digits/model.yaml")
    assert now.startswith("# ours\nproject: digits  # the one\ncard: {license: mit}")
    with two.reader() as reader:
        card = store.card_at(reader, "main", "digits")
    assert (card.aliases, card.card) == ({"paper": "v1.0.0"}, {"license": "mit"})


def test_the_work_tree_follows_and_a_change_there_is_not_lost(two: Repo):
    assert two.work_tree
    call(two, "v1.0.0", "paper")
    assert (two.work_tree / "registry/digits/model.yaml").exists()
    assert two.git("status", "--porcelain", "-uno") == ""
    (two.work_tree / "registry/digits/model.yaml").write_text("mine: 1\n")

    with pytest.raises(MlgitError, match="local changes"):
        call(two, "v1.1.0", "paper")

    assert (two.work_tree / "registry/digits/model.yaml").read_text() == "mine: 1\n"
    assert aliases(two) == {"paper": "v1.0.0"}


def test_what_is_so_already_makes_no_commit(two: Repo):
    call(two, "v1.0.0", "paper")

    assert call(two, "v1.0.0", "paper") is None


def test_who_commits_meanwhile_loses_nothing(two: Repo):
    edit = aliasing.edit(two, "digits", version="v1.0.0", given=("paper",), gone=(), base="main")
    pending = [lambda: call(two, "v1.1.0", "demo")]

    def slowly(reader, commit):  # type: ignore[no-untyped-def]
        changes = edit(reader, commit)
        while pending:
            pending.pop()()
        return changes

    filing.at_once(two, "main", slowly, "aliases")

    assert aliases(two) == {"demo": "v1.1.0", "paper": "v1.0.0"}


def test_a_branch_that_lags_behind_its_remote_gets_no_commit(two: Repo):
    ahead = two.commit(two.resolve("main"), {"x": b"1"}, "theirs")
    two.git("update-ref", "refs/remotes/origin/main", ahead)

    with pytest.raises(UsageError, match="lacks what is on origin/main"):
        call(two, "v1.0.0", "paper")


def test_where_the_branch_is_protected_a_pull_request_proposes_it(two: Repo):
    forge = FolderForge(two)

    def propose(version: str) -> int:
        edit = aliasing.edit(two, "digits", version=version, given=("paper",), gone=(), base="main")
        pull = filing.by_pull(two, forge, "main", "alias/digits/paper", edit, title="digits: paper", body="")
        assert pull
        return pull.number

    first, second = propose("v1.0.0"), propose("v1.1.0")
    assert aliases(two) == {}
    forge.merge(first)

    assert first == second
    assert aliases(two) == {"paper": "v1.1.0"}


@pytest.mark.parametrize(
    "name", ["latest", "v1.0.0", "2", "v2-rc", "a/b", "-x", "", "a b", "model", "deprecated", "a.b"]
)
def test_what_means_something_else_is_no_alias(two: Repo, name: str):
    with pytest.raises(UsageError):
        call(two, "v1.0.0", name)


def test_a_stage_is_no_alias(two: Repo):
    files = {"registry/digits/staging.yaml": b"version: v1.0.0\n"}
    two.git("reset", "-q", "--hard", two.commit(two.resolve("main"), files, "staged"))

    with pytest.raises(UsageError, match="staging is a stage"):
        call(two, "v1.1.0", "staging")


def test_an_alias_that_is_not_there_is_not_taken_off(two: Repo):
    call(two, "v1.0.0", "paper")

    with pytest.raises(NotFoundError, match=r"no alias demo\.\nIts aliases: paper"):
        call(two, None, gone=("demo",))


def test_an_alias_of_a_version_that_was_taken_back_says_so(two: Repo):
    call(two, "v1.0.0", "paper")
    registering.unregister(two, "digits", "v1.0.0")

    with pytest.raises(NotFoundError, match=r"no version v1\.0\.0"):
        shelf.find(two, "digits@paper", base="main")


def test_a_version_that_has_an_alias_is_not_taken_back_before_that_is_taken_off(two: Repo):
    call(two, "v1.0.0", "paper")

    with pytest.raises(UsageError, match=r"is called paper\.\nTo fix: mlgit model alias digits --rm paper"):
        registering.unregister(two, "digits", "v1.0.0", base="main")
