"""CI's files in a repository: written, edited by people, brought up to date."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.ci import keeping, workflows
from mlgit.ci.keeping import Standing
from mlgit.ci.workflows import WORKFLOWS, Options
from mlgit.git.repo import Repo
from tests.conftest import make_repo

PATH = WORKFLOWS["report"].path
FILES = len(workflows.rendered(["report"], Options()))
Edit = Callable[..., None]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    make_repo(tmp_path / "repo")
    found = Repo.find(tmp_path / "repo")
    assert found
    keeping.create(found, workflows.rendered(["report"], Options()))
    return found


def commit(repo: Repo) -> None:
    subprocess.run(["git", "add", "."], cwd=repo.folder, check=True)
    subprocess.run(["git", "commit", "-qm", "x"], cwd=repo.folder, check=True)


def edit(repo: Repo, old: str, new: str) -> None:
    path = repo.folder / PATH
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def upgrade(repo: Repo, **given: object) -> dict[str, keeping.Change]:
    changes = {one.path: one for one in keeping.upgraded(repo, keeping.look(repo, keeping.names(repo), given))}
    keeping.write(repo, {path: one.text for path, one in changes.items()})
    return changes


def standing(repo: Repo) -> dict[Standing, int]:
    found = [one.standing for one in keeping.look(repo, ["report"])]
    return {one: found.count(one) for one in set(found)}


def test_what_is_there_stays_as_it_is(repo: Repo):
    edit(repo, "timeout-minutes: 15", "timeout-minutes: 20")

    assert keeping.create(repo, workflows.rendered(["report"], Options(runners=("x",)))) == []
    assert "timeout-minutes: 20" in (repo.folder / PATH).read_text()


def test_edits_and_new_options_come_together_without_a_word(repo: Repo):
    commit(repo)
    edit(repo, "name: mlgit report\n", "name: our report\n")
    commit(repo)

    changes = upgrade(repo, runners=("self-hosted", "cpu"))

    text = (repo.folder / PATH).read_text()
    assert {path: one.conflicts for path, one in changes.items()} == {PATH: 0}
    assert "name: our report\n" in text
    assert "runs-on: [self-hosted, cpu]" in text
    assert standing(repo) == {Standing.EDITED: 1, Standing.CURRENT: FILES - 1}
    assert upgrade(repo) == {}


def test_what_was_only_added_to_the_index_is_known_too(repo: Repo):
    subprocess.run(["git", "add", "."], cwd=repo.folder, check=True)
    edit(repo, "name: mlgit report\n", "name: our report\n")

    assert upgrade(repo, runners=("x",))[PATH].conflicts == 0


def test_the_same_lines_changed_twice_are_marked(repo: Repo):
    commit(repo)
    edit(repo, "runs-on: ubuntu-latest", "runs-on: mine")

    changed = upgrade(repo, runners=("theirs",))[PATH]

    text = (repo.folder / PATH).read_text()
    assert (changed.conflicts, changed.is_blind) == (1, False)
    assert "<<<<<<< yours\n    runs-on: mine\n=======\n    runs-on: theirs\n>>>>>>> mlgit" in text
    assert standing(repo) == {Standing.MARKED: 1, Standing.CURRENT: FILES - 1}
    (repo.folder / PATH).write_text(text.partition("<<<<<<<")[0] + "    runs-on: theirs\n" + text.split(">>>>>>>")[1])
    assert standing(repo)[Standing.EDITED] == 1


def test_where_nothing_tells_what_was_rendered_every_difference_is_marked(repo: Repo):
    edit(repo, "runs-on: ubuntu-latest", "runs-on: mine")

    changed = upgrade(repo, python="3.11")[PATH]

    assert changed.is_blind
    assert changed.conflicts == 2
    assert "runs-on: mine" in changed.text


def test_a_file_of_an_older_mlgit_is_written_anew(repo: Repo):
    for path in (repo.folder / ".github/actions").glob("*/action.yml"):
        file = workflows.read(path.read_text(), path.name)
        assert file
        body = f"{file.body}# as it was\n"
        path.write_text(replace(file, body=body, digest=hashlib.sha256(body.encode()).hexdigest()).text)

    assert standing(repo) == {Standing.OLD: FILES - 1, Standing.CURRENT: 1}
    upgrade(repo)
    assert standing(repo) == {Standing.CURRENT: FILES}


def test_a_file_that_is_missing_or_nobodys_is_told(repo: Repo):
    action = repo.folder / ".github/actions/mlgit-report/action.yml"
    action.unlink()
    (repo.folder / WORKFLOWS["launch"].path).write_text("name: mine\n")

    found = {one.path: one.standing for one in keeping.look(repo, keeping.names(repo))}

    assert found[action.relative_to(repo.folder).as_posix()] is Standing.MISSING
    assert found[WORKFLOWS["launch"].path] is Standing.FOREIGN
    upgrade(repo)
    assert action.exists()
    assert (repo.folder / WORKFLOWS["launch"].path).read_text() == "name: mine\n"


def test_line_ends_of_a_checkout_are_no_edit(repo: Repo):
    path = repo.folder / PATH
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert standing(repo) == {Standing.CURRENT: FILES}
