"""What people say of a version stands, whoever logs its content again."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

import mlgit
from mlgit import wiring
from mlgit.artifacts import adding, amend, log
from mlgit.artifacts.adding import Wish
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import meeting, sync
from tests.conftest import make_repo


@pytest.fixture
def data(inside: Repo, tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("1,2")
    return tmp_path / "data.csv"


def draft(data: Path, **about: object) -> Artifact:
    made = mlgit.Artifact("digits", "dataset", **about)
    made.add_file(data)
    return made


def found(name: str = "digits:v0") -> Artifact:
    return mlgit.Api({"project": "p"}).artifact(name)


def words(one: Artifact) -> tuple[str | None, list[str], dict[str, object]]:
    return one.description, one.tags, one.metadata


def catalog_held() -> Held:
    return log.find(wiring.place().repo, "digits:v0", project="p")


def edit(name: str = "digits:v0") -> None:
    one = found(name)
    one.description, one.tags, one.metadata = "checked by hand", ["paper"], {"rows": 2}
    one.save()


EDITED = ("checked by hand", ["paper"], {"rows": 2})


def test_a_run_that_logs_old_content_again_leaves_what_a_person_said_of_it(data: Path):
    for about in ({}, {"description": "the script's", "metadata": {"rows": 7}}):
        with mlgit.init(project="p") as run:
            run.log_artifact(draft(data, **about), tags=["raw"])
        if not about:
            edit()

    assert words(found()) == EDITED
    assert found().aliases == ["latest"]


def test_the_same_run_does_neither_while_it_is_alive_nor_afterwards(data: Path):
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="the script's"))
        edit()
        run.log_artifact(draft(data, description="the script's"))
        assert words(found()) == EDITED

    assert words(found()) == EDITED
    mlgit.Api({"project": "p"}).run(run.id).log_artifact(draft(data, description="later"), tags=["late"])
    assert words(found()) == ("checked by hand", ["late", "paper"], {"rows": 2})


def test_what_a_script_says_of_content_that_nobody_has_edited_is_kept_where_the_next_says_nothing(data: Path):
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="first", metadata={"rows": 2}), tags=["raw"])
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    assert words(found()) == ("first", ["raw"], {"rows": 2})

    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="second"))
    assert words(found()) == ("second", ["raw"], {"rows": 2})


def test_what_was_said_when_data_was_added_stands_and_so_do_its_splits(data: Path, inside: Repo):
    data = data.rename(inside.folder / data.name)
    wish = Wish(name="digits", description="checked by hand", metadata={"rows": 2}, splits={"train": ("data.csv",)})
    place = wiring.place()
    adding.add(place, adding.plan(place, str(data), wish), wish)
    project = place.settings.project

    with mlgit.init(project=project) as run:
        run.log_artifact(data, name="digits", type="dataset", aliases=["used"])

    held = mlgit.Api({"project": project}).artifact("digits:v0")
    assert (held.description, held.metadata, set(held.aliases)) == ("checked by hand", {"rows": 2}, {"used", "latest"})
    assert held.splits == {"train": ["data.csv"]}
    adding.add(place, adding.plan(place, str(data), Wish(name="digits")), Wish(name="digits", description="again"))
    held = mlgit.Api({"project": project}).artifact("digits:v0")
    assert (held.description, held.metadata) == ("again", {"rows": 2})


def test_two_people_who_edit_one_version_each_leave_what_the_other_said(data: Path):
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, metadata={"rows": 2}), aliases=["gold"])
    first, second = found(), found()

    first.tags.append("paper")
    first.metadata["license"] = "CC0"
    first.save()
    second.description = "digits"
    second.tags.append("small")
    second.metadata["rows"] = 3
    second.ttl = timedelta(days=1)
    second.save()

    assert words(found()) == ("digits", ["paper", "small"], {"rows": 3, "license": "CC0"})
    assert words(second) == words(found())
    assert (found().ttl, found().aliases) == (timedelta(days=1), ["gold", "latest"])


def test_two_people_who_give_one_version_names_each_leave_those_of_the_other(data: Path):
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data), aliases=["raw"])
    found().link("shelf/alpha")

    for name in ("digits:v0", "alpha:v0"):
        first, second = found(name), found(name)
        first.aliases.append("best")
        first.save()
        second.aliases.append("gold")
        second.save()
        assert set(found(name).aliases) >= {"best", "gold", "latest"}

    assert set(found().aliases) == {"best", "gold", "latest", "raw"}


def test_processes_that_say_something_of_one_version_at_once_all_leave_it_there(data: Path):
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    held = catalog_held()
    where = wiring.place().repo

    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda name: amend.call(where, held, [name], []), "abcd"))
        list(several.map(lambda name: amend.link(where, held, f"shelf/{name}", []), "abcd"))

    assert set(found().aliases) == {*"abcd", "latest"}
    assert [one.name for one in found().linked_artifacts] == ["a:v0", "b:v0", "c:v0", "d:v0"]


def test_a_version_that_was_edited_is_latest_again_when_it_is_logged_again(data: Path, tmp_path: Path):
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    edit()
    data.write_text("3,4")
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    with mlgit.init(project="p") as run:
        run.log_artifact(found("digits:v0"), aliases=["back"])

    assert (found("digits:latest").version, set(found("digits:v0").aliases)) == ("v0", {"back", "latest"})
    assert words(found()) == EDITED


@pytest.fixture
def two(inside: Repo, tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one remote, one of which is the current folder."""
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    inside.git("remote", "add", "origin", str(far.folder))
    inside.git("push", "-q", "origin", "main")
    subprocess.run(["git", "clone", "-q", str(far.folder), str(tmp_path / "two")], check=True)
    return inside.folder, tmp_path / "two"


def exchange(*folders: Path) -> None:
    for folder in folders:
        repo = Repo.find(folder)
        assert repo
        wish = meeting.Wish(telling=lambda names, repo=repo: query.told(repo, *names))
        sync.exchange(Remote(repo=repo, name="origin"), wish, wait=lambda _seconds: None)


def test_an_edit_on_one_clone_and_the_content_logged_again_on_another_come_together(
    two: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = two
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="the script's"))
    exchange(one, other)

    edit()
    monkeypatch.chdir(other)
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="the other script's"), aliases=["again"])
    exchange(one, other, one)

    for folder in two:
        monkeypatch.chdir(folder)
        assert words(found()) == EDITED
        assert set(found().aliases) == {"again", "latest"}


def test_an_edit_stands_too_where_another_clone_turns_out_to_have_logged_the_content_first(
    two: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = two
    monkeypatch.chdir(other)
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="the first script's"))
    monkeypatch.chdir(one)
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="the script's"))
    edit()
    monkeypatch.chdir(other)
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data, description="the other script's"))
    exchange(one, other, one)

    for folder in two:
        monkeypatch.chdir(folder)
        assert words(found()) == EDITED


def test_what_people_said_on_two_clones_of_content_that_each_had_logged_by_itself_all_stands(
    two: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = two
    for folder in two:
        monkeypatch.chdir(folder)
        with mlgit.init(project="p") as run:
            run.log_artifact(draft(data, description="the script's", metadata={"rows": 7}))
    said = found()
    said.tags, said.metadata = ["paper"], {"license": "CC0"}
    said.save()
    monkeypatch.chdir(one)
    said = found()
    said.description = "checked by hand"
    said.tags.append("small")
    said.metadata["columns"] = 2
    said.save()
    exchange(one, other, one)

    for folder in two:
        monkeypatch.chdir(folder)
        description, tags, metadata = words(found())
        assert (description, set(tags)) == ("checked by hand", {"paper", "small"})
        assert metadata == {"license": "CC0", "columns": 2}
    said = found()
    said.description = None
    said.tags.remove("paper")
    said.save()
    exchange(other, one)
    for folder in two:
        monkeypatch.chdir(folder)
        assert words(found()) == (None, ["small"], {"license": "CC0", "columns": 2})


def test_an_edit_of_words_takes_back_no_alias_that_another_clone_has_given_meanwhile(
    two: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = two
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    exchange(one, other)
    monkeypatch.chdir(other)
    data.write_text("3,4")
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    monkeypatch.chdir(one)
    edit()
    exchange(one, other, one)

    assert (found("digits:latest").version, words(found())) == ("v1", EDITED)


def test_links_that_two_clones_make_of_one_version_both_stand(
    two: tuple[Path, Path], data: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = two
    with mlgit.init(project="p") as run:
        run.log_artifact(draft(data))
    exchange(one, other)

    found().link("shelf/alpha")
    monkeypatch.chdir(other)
    found().link("shelf/beta", aliases=["best"])
    exchange(one, other, one)

    for folder in two:
        monkeypatch.chdir(folder)
        assert [linked.name for linked in found().linked_artifacts] == ["alpha:v0", "beta:v0"]
        assert set(found("beta:best").aliases) == {"best", "latest"}
