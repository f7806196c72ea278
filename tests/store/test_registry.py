from __future__ import annotations

import math
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.core.model import ModelVersion, Stage
from mlgit.errors import ConfigError
from mlgit.git.repo import Repo
from mlgit.store import registry as store

TEXT = st.text(max_size=30).filter(lambda text: all(ord(char) < 0xD800 or ord(char) > 0xDFFF for char in text))
VALUES = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | TEXT


def version(**fields: Any) -> ModelVersion:
    plain = {
        "model": "net",
        "version": "v1.0.0",
        "project": "p",
        "run": "r",
        "commit": "c",
        "artifact": "net",
        "hash": "0",
    }
    return ModelVersion(**plain | fields)


@settings(deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=4), TEXT)
def test_a_version_reads_back_from_its_file_and_from_its_tag(metrics: dict[str, Any], description: str):
    made = version(metrics=metrics, params=metrics, description=description, size=3, registered=1.5)

    from_file = store.of_text(store.version_text(made), source="v1.0.0.yaml")
    from_tag = store.of_message(store.message(made))

    assert store.differences(made, from_file) == []
    assert from_tag
    assert store.differences(made, from_tag) == []


def test_the_moment_of_a_registration_is_for_people_and_a_number_of_before_is_read_too():
    text = store.version_text(version(registered=1_700_000_000.125))

    assert 'registered: "2023-11-14T22:13:20.125Z"' in text or "registered: 2023-11-14T22:13:20.125Z" in text
    for written in ("2023-11-14T22:13:20.125Z", '"2023-11-14T23:13:20.125+01:00"', "1700000000.125"):
        lines = [f"registered: {written}" if "registered" in line else line for line in text.splitlines()]
        assert store.of_text("\n".join(lines), source="x.yaml").registered == 1_700_000_000.125
    with pytest.raises(ConfigError, match=r"x\.yaml:1: registered: expected"):
        store.of_text("registered: some Tuesday", source="x.yaml")
    with pytest.raises(ConfigError, match=r"x\.yaml:1: expected a mapping"):
        store.of_text("[1, 2]", source="x.yaml")


def test_a_description_cannot_pose_as_the_record():
    posing = version(description='fine\n\nMlgit-Version: {"model": "net", "version": "v9.9.9"}')

    assert store.of_message(store.message(posing)) == posing


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[]",
        "null",
        '{"model": 3}',
        '{"model": "net", "unknown": 1}',
        "[" * 100_000,
        '{"version": {}}',
        '{"model":"n","version":"v1","project":"p","run":"r","commit":"c","artifact":"a","hash":"0","registered":1e300}',
    ],
)
def test_a_tag_from_elsewhere_may_hold_anything(record: str):
    assert store.of_message(f"release\n\nMlgit-Version: {record}") is None


def test_records_that_differ_say_where():
    assert store.differences(version(metrics={"a": 1.0}), version(metrics={"a": 1.0}, size=2)) == ["size"]
    assert store.differences(version(metrics={"a": math.nan}), version(metrics={"a": math.nan})) == []


def test_only_annotated_tags_of_commits_count(repo: Repo):
    repo.git("tag", "net@v1.0.0")
    repo.git("tag", "-a", "net@v2.0.0", "-m", "two\n\nlines\nand\0more".replace("\0", " "))
    repo.git("tag", "-a", "net@v3.0.0", "-m", "a tree", "HEAD^{tree}")

    (found,) = store.tags(repo)

    assert store.annotated(repo) == {"net@v1.0.0": False, "net@v2.0.0": True, "net@v3.0.0": False}
    assert (found.name, found.commit, found.who) == ("net@v2.0.0", repo.resolve("HEAD"), "Ada")
    assert found.message == "two\n\nlines\nand more\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("many", [store._MANY, 0])
def test_the_tags_of_one_model_are_those_that_bear_its_name_and_no_others(
    repo: Repo, packed: bool, many: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "_MANY", many)
    head = repo.resolve("HEAD")
    assert head
    names = ["net@v1.0.0", "net#prod#1", "net#eu/prod#2", "net@v1.0.0!#3", "net@deprecated", "net2@v1.0.0", "v1.0.0",
             "team/net@v1.0.0", "a=net@v1.0.0"]  # fmt: skip
    for name in names:
        repo.tag(f"refs/tags/{name}", head, "said")
    if packed:
        repo.git("pack-refs", "--all")

    assert [tag.name for tag in store.tags(repo, "net")] == sorted(names[:5])
    assert store.tags(repo, "net") == [tag for tag in store.tags(repo) if tag.name.startswith(("net@", "net#"))]
    assert [tag.name for tag in store.tags(repo, "team/net", "net2")] == ["net2@v1.0.0", "team/net@v1.0.0"]
    assert store.models(repo) == ["a=net", "net", "net2", "team/net"]


@pytest.mark.parametrize("model", ["n*", "n?t", "[n]et", "net\\", "..", "", "net\0", "-net", "net\n", "ne", "NET"])
def test_what_can_be_no_models_name_has_no_tags(repo: Repo, model: str):
    head = repo.resolve("HEAD")
    assert head
    repo.tag("refs/tags/net@v1.0.0", head, "said")

    assert store.tags(repo, model) == []


def test_stages_are_read_where_they_are_and_nothing_else(repo: Repo):
    files = {
        store.stage_path("net", "prod"): store.stage_text(Stage(model="net", stage="prod", version="v1.0.0")).encode(),
        store.card_path("net"): store.card_text(store.Card(project="p")).encode(),
        "registry/net/versions/v1.0.0.yaml": b"x: 1\n", "registry/policy.yaml": b"stages: {}\n",
        "registry/net/README.md": b"",
    }  # fmt: skip
    commit = repo.commit(repo.resolve("HEAD"), files, "registry")

    with repo.reader() as reader:
        assert store.stages_at(reader, commit) == {("net", "prod"): "v1.0.0"}
        assert store.stages_at(reader, "HEAD") == {}


def test_the_stages_of_some_models_are_those_that_all_have_and_no_other_file_is_read(repo: Repo):
    files = {
        store.stage_path(model, stage): store.stage_text(Stage(model=model, stage=stage, version=version)).encode()
        for model, stage, version in (("a", "prod", "v1.0.0"), ("a", "dev", "v1.1.0"), ("b", "prod", "v1.0.0"))
    }
    commit = repo.commit(None, {**files, "registry/broken/prod.yaml": b"version: [1]\n"}, "registry")
    mended = repo.commit(commit, {"registry/broken/prod.yaml": None}, "mended")

    with repo.reader() as reader:
        every = store.stages_at(reader, mended)
        assert len(every) == 3
        for models in (["a"], ["b"], ["a", "b"], ["none", "b"], ["a/prod.yaml", "a/versions", ".."], []):
            expected = {key: version for key, version in every.items() if key[0] in models}
            assert store.stages_at(reader, commit, models=models) == expected
        assert store.changed(reader, commit, mended) == {"broken"}
        assert store.changed(reader, mended, mended) == set()
        assert store.stage_at(reader, commit, "b", "prod") == Stage(model="b", stage="prod", version="v1.0.0")


def test_a_broken_stage_file_is_named_with_its_line(repo: Repo):
    commit = repo.commit(None, {"registry/net/prod.yaml": b"# by hand\nversion: [1]\n"}, "by hand")

    with (
        repo.reader() as reader,
        pytest.raises(ConfigError, match=r"registry/net/prod\.yaml:2: version: expected text"),
    ):
        store.stages_at(reader, commit)


def test_the_base_is_found_where_only_the_remote_has_it(repo: Repo):
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repo.git("checkout", "-q", "--detach")
    subprocess.run(["git", "branch", "-q", "-D", "main"], cwd=repo.work_tree, check=True)

    assert store.base_commit(repo, store.base_name(repo)) == repo.resolve("HEAD")
