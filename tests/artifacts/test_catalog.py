from __future__ import annotations

import pytest

from mlgit.artifacts import catalog
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.ledger import Ledger
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from tests import tellers


def version(content: str, *, name: str = "net", **about: object) -> ArtifactVersion:
    return ArtifactVersion(name=name, type="model", hash=content * 32, size=1, path=name, **about)


def run(number: int, *logged: ArtifactVersion, project: str = "p") -> Run:
    return Run(id=str(number), name=f"r{number}", project=project, created=number, logged=logged)


def test_numbers_count_contents_in_the_order_in_which_they_were_first_logged():
    runs = [
        run(1, version("a", created=9.0)),  # began first, logged last
        run(2, version("b", created=5.0)),
        run(3, version("b", created=7.0)),
    ]

    assert [(held.name, held.version.hash[0], held.run.id) for held in tellers.versions(runs, "net")] == [
        ("net:v0", "b", "2"), ("net:v1", "a", "1"),
    ]  # fmt: skip


def test_the_newest_claim_of_an_alias_wins():
    runs = [
        run(1, version("a", created=1.0, aliases=("best", "latest"))),
        run(2, version("b", created=2.0, aliases=("best", "latest"))),
        run(3, version("a", created=3.0, aliases=("latest",))),
    ]

    assert [held.aliases for held in tellers.versions(runs, "net")] == [("latest",), ("best",)]
    assert tellers.find(runs, "net:best").version.hash[0] == "b"
    assert tellers.find(runs, "net").version.hash[0] == "a"


def test_an_alias_set_later_counts_from_then():
    runs = [
        run(1, version("a", created=1.0, claimed=9.0, aliases=("best",))),
        run(2, version("b", created=2.0, aliases=("best", "latest"))),
    ]

    assert tellers.find(runs, "net:best").name == "net:v0"
    assert tellers.find(runs, "net:latest").name == "net:v1"


def ledger(*listed: str, added: tuple[ArtifactVersion, ...] = (), project: str = "p") -> Ledger:
    return Ledger(project=project, name="net", listed=tuple(one * 32 for one in listed), added=added)


def test_a_ledger_fixes_numbers_and_what_it_does_not_list_comes_behind():
    runs = [run(1, version("a", created=1.0)), run(2, version("b", created=2.0)), run(3, version("c", created=3.0))]

    known = tellers.versions([*runs, ledger("b", "c")], "net")

    assert [(held.label, held.version.hash[0]) for held in known] == [("v0", "b"), ("v1", "c"), ("v2", "a")]
    assert [held.is_listed for held in known] == [True, True, False]
    assert tellers.find([*runs, ledger("b")], "net:v1", project="p").version.hash[0] == "a"


def test_a_version_that_nobody_tells_of_any_more_leaves_its_number():
    told = [run(1, version("b", created=1.0)), ledger("a", "b")]

    assert tellers.find(told, "net:latest").name == tellers.find(told, "net:v1").name == "net:v1"
    with pytest.raises(NotFoundError, match="no run tells of it here"):
        tellers.find(told, "net:v0")


def test_a_version_that_a_person_added_is_one_among_those_of_runs():
    mine = version("b", created=2.0, aliases=("gold", "latest"), by="Ada <ada@example.com>", folder="sub")
    told = [run(1, version("a", created=1.0, aliases=("gold", "latest"))), ledger("a", "b", added=(mine,))]

    held = tellers.find(told, "net@gold", project="p")

    assert (held.name, held.run, held.by, held.project, held.folder) == ("net:v1", None, mine.by, "p", "sub")
    assert tellers.find(told, "net:v0").run == told[0]
    assert tellers.find(told, "net").name == "net:v1"


def test_another_projects_ledger_says_nothing_of_ours():
    told = [run(1, version("a", created=1.0)), ledger("b", "a", project="q")]

    assert tellers.find(told, "net", project="p").name == "net:v0"


def test_records_of_older_versions_of_mlgit_count_too():
    runs = [run(3, version("a")), run(1, version("a")), run(2, version("b"))]

    assert tellers.find(runs, "net:v0").version.hash[0] == "a"
    assert tellers.find(runs, "net:v1").version.hash[0] == "b"
    assert tellers.find(runs, "net").version.hash[0] == "a"  # it was logged last


@pytest.mark.parametrize(
    "text",
    [
        "net:latest",
        "p/net:v1",
        "me/p/net:best",
        "net@best",
        "p/net@v1",
        "wandb-artifact://me/p/net:best",
        "net:bbbbbb",
        "coll",
        "coll:prod",
    ],
)
def test_a_version_is_found_by_every_name_that_it_has(text: str):
    linked = Link(collection="coll", aliases=("prod",), linked=3.0)
    runs = [
        run(1, version("a", created=1.0, aliases=("latest",))),
        run(2, version("b", created=2.0, aliases=("best", "latest"), links=(linked,))),
    ]

    assert tellers.find(runs, text, project="p").version.hash[0] == "b"


def test_a_link_has_numbers_of_its_own():
    linked = Link(collection="Our Model", linked=3.0)
    runs = [run(1, version("a", created=1.0), version("b", created=2.0, links=(linked,)))]

    found = tellers.find(runs, "me/model-registry/Our Model:v0", project="p")

    assert (found.name, found.version.hash[0]) == ("Our Model:v0", "b")


def test_a_project_has_artifacts_of_its_own():
    runs = [run(1, version("a", created=1.0), project="p"), run(2, version("b", created=2.0), project="q")]

    assert tellers.find(runs, "net", project="p").version.hash[0] == "a"
    assert tellers.find(runs, "q/net", project="p").name == "net:v0"
    with pytest.raises(NotFoundError, match="in the project 'z'"):
        tellers.find(runs, "z/net:v0")


def test_without_a_project_each_counts_its_own_and_the_newest_that_fits_is_meant():
    runs = [
        run(1, version("a", created=1.0, aliases=("gold",)), project="p"),
        run(2, version("b", created=2.0), project="q"),
    ]
    ledgers = [ledger("a"), ledger("b", project="q")]

    assert [held.label for held in tellers.by_project([*runs, *ledgers], "net")] == ["v0", "v0"]
    assert tellers.find([*runs, *ledgers], "net:v0").project == "q"
    assert tellers.find([*runs, *ledgers], "net:gold").project == "p"
    with pytest.raises(NotFoundError, match=r":v0, or :<hash>"):
        tellers.find([*runs, *ledgers], "net:v1")


def test_a_deleted_version_keeps_its_number():
    runs = [
        run(1, version("a", created=1.0, aliases=("latest",))),
        run(2, version("b", created=2.0, aliases=("latest",), deleted=True, claimed=5.0)),
        run(3, version("c", created=3.0, aliases=("best",))),
    ]

    assert tellers.find(runs, "net:v2").version.hash[0] == "c"
    with pytest.raises(NotFoundError, match="net:v1 was deleted, and is hidden"):
        tellers.find(runs, "net:v1")


@pytest.mark.parametrize(
    ("text", "message"),
    [("net:v2", "no version"), ("net:aaa", "no version"), ("net:nix", "net:latest"), ("nix", "net")],
)
def test_what_is_not_there_says_what_is(text: str, message: str):
    runs = [run(1, version("a", created=1.0, aliases=("latest",)), version("b", created=2.0))]

    with pytest.raises(NotFoundError, match=message):
        tellers.find(runs, text)


@pytest.mark.parametrize("text", ["", "/", "a/b/c/d:v0", "//x"])
def test_what_names_no_artifact_is_refused(text: str):
    with pytest.raises(UsageError):
        catalog.parse(text)


@pytest.mark.parametrize("alias", ["", "v3", "a/b", "a:b", "a\nb", "x" * 129])
def test_what_cannot_be_an_alias_is_refused(alias: str):
    with pytest.raises(UsageError):
        catalog.checked_alias(alias)
