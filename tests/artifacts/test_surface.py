"""The public surface of W&B's `Artifact`, name by name: on a draft, on a version, on a link."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlgit
from mlgit.artifacts.artifact import Artifact
from mlgit.errors import NotLoggedError, UsageError
from mlgit.git.repo import Repo

wandb = pytest.importorskip("wandb")

TEXT, NUMBER, NOTHING = (str,), (int,), (type(None),)
LOGGED: dict[str, Any] = {
    "entity": TEXT, "project": TEXT, "qualified_name": TEXT, "version": TEXT, "collection": (object,),
    "source_entity": TEXT, "source_project": TEXT, "source_qualified_name": TEXT, "source_version": TEXT,
    "source_collection": (object,), "source_artifact": (Artifact,), "linked_artifacts": (list,), "url": TEXT,
    "aliases": (list,), "commit_hash": TEXT, "created_at": TEXT, "updated_at": TEXT, "linked_at": NOTHING,
    "history_step": NUMBER,
}  # fmt: skip
"""What a version answers, and a draft does not."""
ALWAYS: dict[str, Any] = {
    "name": TEXT, "source_name": TEXT, "is_link": (bool,), "type": TEXT, "metadata": (dict,), "incremental": (bool,),
    "state": TEXT, "manifest": (object,), "digest": TEXT, "size": NUMBER, "description": NOTHING,
    "distributed_id": NOTHING, "use_as": NOTHING,
}  # fmt: skip
OURS: dict[str, Any] = {"file_count": NUMBER, "tags": (list,), "ttl": NOTHING}
"""What a draft answers here, and not in W&B: see docs/coming-from-wandb.md."""
APART = {"id", "digest_algorithm"}
"""`id` is None on a draft in both; how W&B hashes is its own."""
ACTS: dict[str, Callable[[Artifact], Any]] = {
    "checkout": lambda one: one.checkout(), "delete": lambda one: one.delete(), "download": lambda one: one.download(),
    "file": lambda one: one.file(), "json_encode": lambda one: one.json_encode(),
    "logged_by": lambda one: one.logged_by(), "new_draft": lambda one: one.new_draft(),
    "unlink": lambda one: one.unlink(), "used_by": lambda one: one.used_by(), "verify": lambda one: one.verify(),
    "wait": lambda one: one.wait(),
}  # fmt: skip
"""What can be done with a version alone."""


@pytest.fixture
def draft(inside: Repo) -> Artifact:
    made = mlgit.Artifact("mnist", "dataset")
    with made.new_file("a.txt") as file:
        file.write("a")
    return made


@pytest.fixture
def version(draft: Artifact) -> Artifact:
    with mlgit.init(project="p") as run:
        run.log({"loss": 1.0}, step=7)
        run.log_artifact(draft)
    return draft


def test_every_property_and_method_of_w_bs_is_here():
    theirs = {name for name in vars(wandb.Artifact) if not name.startswith("_")}
    properties = {name for name in theirs if isinstance(inspect.getattr_static(wandb.Artifact, name), property)}

    assert properties - APART == LOGGED.keys() | ALWAYS.keys() | OURS.keys()
    assert [name for name in sorted(theirs - properties) if not callable(getattr(Artifact, name, None))] == []


@pytest.mark.parametrize("name", LOGGED)
def test_a_draft_does_not_know_it_and_a_version_does(version: Artifact, name: str):
    with pytest.raises(NotLoggedError):
        getattr(mlgit.Artifact("other", "dataset"), name)

    assert isinstance(getattr(version, name), LOGGED[name])


@pytest.mark.parametrize("name", ALWAYS | OURS)
def test_both_know_it(version: Artifact, name: str):
    kinds = (ALWAYS | OURS)[name]

    assert isinstance(getattr(mlgit.Artifact("other", "dataset"), name), kinds)
    assert isinstance(getattr(version, name), kinds)


@pytest.mark.parametrize("name", ACTS)
def test_nothing_of_a_draft_is_done_that_takes_a_version(draft: Artifact, name: str):
    with pytest.raises(NotLoggedError):
        ACTS[name](draft)


def test_the_step_is_that_of_the_run_which_logged_it_first(version: Artifact):
    with mlgit.init(project="p") as run:
        run.log({"loss": 1.0}, step=90)
        run.log_artifact(version)
    with mlgit.init(project="p") as run:
        early = run.log_artifact(Path(version.download()) / "a.txt", name="early")
        run.log({"loss": 1.0})
    assert (version.history_step, early.history_step) == (7, None)

    with mlgit.init(project="p", id=run.id, resume="must") as run:
        late = run.log_artifact(Path(version.download()) / "a.txt", name="late")
    assert late.history_step == 0
    assert mlgit.Api({"project": "p"}).artifact("mnist:v0").history_step == 7


def test_a_link_is_found_from_both_ends_and_deleting_it_leaves_the_version(version: Artifact):
    linked = version.link("registry/best", aliases=["gold"])

    assert (linked.name, linked.is_link, set(linked.aliases)) == ("best:v0", True, {"gold", "latest"})
    assert (linked.source_artifact.name, linked.linked_artifacts) == ("mnist:v0", [])
    assert [one.name for one in version.linked_artifacts] == ["best:v0"]
    assert linked.linked_at is not None
    assert linked.linked_at >= linked.created_at == version.created_at
    with pytest.raises(UsageError, match="is a link"):
        linked.ttl = None

    linked.delete()
    assert mlgit.Api({"project": "p"}).artifact("mnist:v0").linked_artifacts == []
    assert not mlgit.Api({"project": "p"}).artifact_exists("best:v0")


def test_a_link_that_is_saved_stays_one(version: Artifact):
    with mlgit.init(project="p") as run:
        linked = run.link_artifact(version, "registry/best", aliases=["gold"])
    linked.description = "the best so far"
    linked.aliases.append("prod")
    linked.save()

    assert (linked.name, linked.is_link, set(linked.aliases)) == ("best:v0", True, {"gold", "prod", "latest"})
    assert mlgit.Api({"project": "p"}).artifact("mnist:v0").description == "the best so far"
    assert version.aliases == ["latest"]
    linked.unlink()
    assert (linked.name, linked.is_link) == ("mnist:v0", False)


def test_metadata_may_be_none_or_json(draft: Artifact):
    draft.metadata = None
    assert draft.metadata == {}
    draft.metadata = '{"rows": 2}'
    assert draft.metadata == {"rows": 2}
    with pytest.raises(TypeError, match="a mapping"):
        draft.metadata = "[1]"


def test_an_alias_that_cannot_be_one_is_refused_where_it_is_set(version: Artifact):
    with pytest.raises(ValueError, match="cannot be an alias"):
        version.aliases = ["a/b"]


def test_the_entry_of_an_object_is_found_by_the_objects_name(inside: Repo):
    made = mlgit.Artifact("answers", "dataset")
    made.add(mlgit.Table(columns=["a"], data=[[1]]), "train/labels")
    with mlgit.init(project="p") as run:
        run.log_artifact(made)

    assert made.get_entry("train/labels").path == "train/labels.table.json"
    assert made.get("train/labels.table.json").data == [[1]]
