from __future__ import annotations

import gto.api
import pytest

from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.ledger import Ledger
from mlgit.registry.versions import deprecating, registering
from mlgit.store import registry as store


def known(repo: Repo) -> Ledger:
    return ledger.of(store.tags(repo), "digits")


def why(repo: Repo, version: str | None) -> str:
    said = deprecating.deprecation(known(repo), version)
    return said.why if said else ""


@pytest.fixture
def two(repo: Repo, trained) -> Repo:
    """Two versions of digits."""
    for name in ("a", "b"):
        registering.register(repo, trained(name, accuracy=0.9), model="digits")
    return repo


def test_a_deprecated_version_says_why_and_stays(two: Repo):
    tag = deprecating.deprecate(two, "digits", "v1.0.0", why="leaks the label")

    assert tag == "digits#deprecated#1"
    assert (why(two, "v1.0.0"), why(two, "v1.1.0")) == ("leaks the label", "")
    assert list(known(two).versions) == ["v1.0.0", "v1.1.0"]
    assert known(two).stages == {}
    assert [event.what for event in known(two).history] == ["registered", "registered", "deprecated"]


def test_what_is_deprecated_may_be_used_again(two: Repo):
    deprecating.deprecate(two, "digits", "v1.0.0", why="leaks the label")

    deprecating.deprecate(two, "digits", "v1.0.0", undo=True)

    assert why(two, "v1.0.0") == ""
    assert known(two).history[-1].what == "deprecated no more"


def test_a_deprecated_model_deprecates_its_versions_until_something_else_happens_to_it(two: Repo, trained):
    deprecating.deprecate(two, "digits", why="digits-v2 takes its place")
    assert why(two, "v1.0.0") == why(two, "v1.1.0") == why(two, None) == "digits-v2 takes its place"

    registering.register(two, trained("c", accuracy=0.9), model="digits")

    assert (why(two, "v1.0.0"), why(two, None)) == ("", "")


def test_the_end_of_a_models_deprecation_leaves_that_of_a_version(two: Repo):
    deprecating.deprecate(two, "digits", "v1.1.0", why="leaks")
    deprecating.deprecate(two, "digits", why="all are old")

    deprecating.deprecate(two, "digits", undo=True)

    assert (why(two, "v1.0.0"), why(two, "v1.1.0"), why(two, None)) == ("", "leaks", "")


def test_stock_gto_reads_the_same_tags(two: Repo):
    deprecating.deprecate(two, "digits", "v1.0.0", why="leaks")
    deprecating.deprecate(two, "digits", why="all are old")
    deprecating.deprecate(two, "digits", undo=True)

    told = [(row["event"], row["version"], row["ref"]) for row in gto.api.history(str(two.folder), ascending=True)]
    assert told[2:] == [
        ("assignment", "v1.0.0", "digits#deprecated#1"),
        ("deprecation", None, "digits@deprecated#2"),
        ("unassignment", "v1.1.0", "digits#deprecated!#3"),
    ]
    assert [row["version"] for row in gto.api.show(str(two.folder), "digits")] == ["v1.1.0", "v1.0.0"]


@pytest.mark.parametrize(
    ("model", "version", "words", "told"),
    [
        ("digits", "v1.0.0", {"why": " "}, "wants to know why"),
        ("digits", "v1.0.0", {"undo": True}, "is not deprecated"),
        ("digits", None, {"undo": True}, "is not deprecated"),
        ("digits", "v9.0.0", {"why": "x"}, "no version"),
        ("nothing", None, {"why": "x"}, "no model"),
    ],
)
def test_what_cannot_be_deprecated_is_refused(two: Repo, model: str, version: str | None, words, told: str):
    with pytest.raises((UsageError, NotFoundError), match=told):
        deprecating.deprecate(two, model, version, **words)


def test_what_is_deprecated_already_says_by_whom_and_why(two: Repo):
    deprecating.deprecate(two, "digits", "v1.0.0", why="leaks the label")

    with pytest.raises(UsageError, match=r"digits v1\.0\.0 is deprecated by .*: leaks the label"):
        deprecating.deprecate(two, "digits", "v1.0.0", why="again")


def test_a_deprecated_version_that_was_never_promoted_can_still_be_taken_back(two: Repo):
    deprecating.deprecate(two, "digits", "v1.0.0", why="leaks the label")

    registering.unregister(two, "digits", "v1.0.0")

    assert list(known(two).versions) == ["v1.1.0"]
    assert why(two, "v1.0.0") == ""


def test_no_stage_is_called_so():
    with pytest.raises(UsageError):
        ledger.name("deprecated", "stage")
