from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from mlgit import whole
from mlgit.ci import workflows
from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_plain_folder_becomes_a_repository_and_is_told_so(tmp_path: Path, mlgit: Script):
    done = mlgit("init", "--project", "digits", cwd=tmp_path)

    assert done.stdout.startswith("made a git repository here\nwrote mlgit.yaml\n")
    assert "git add .git " not in done.stdout
    assert Repo.find(tmp_path)
    assert json.loads(mlgit("init", "--json", cwd=tmp_path).stdout) == {"written": []}


def test_where_only_other_projects_have_runs_ls_names_them(inside: Repo, python: Script, mlgit: Script):
    mlgit("init", "--project", "mine")
    python("-c", "import mlgit; mlgit.init(project='theirs'); mlgit.finish()")

    assert mlgit("ls").stderr == "No runs of the project mine yet; 1 in theirs: mlgit ls --all\n"


def test_an_entity_is_taken_and_said_to_mean_nothing(inside: Repo, python: Script):
    done = python("-c", "import mlgit; mlgit.init(entity='team'); mlgit.finish()")

    assert "the entity 'team' means nothing here" in done.stderr


def test_runs_made_before_there_was_a_repository_can_be_taken_along(tmp_path: Path, python: Script, mlgit: Script):
    python("-c", "import mlgit; mlgit.init(); mlgit.finish()", cwd=tmp_path)

    told = mlgit("init", cwd=tmp_path).stderr
    command = told.partition("take along: ")[2].replace("&& mlgit", f"&& {sys.executable} -m mlgit")
    subprocess.run(command, shell=True, check=True)

    assert told.startswith("outside of any repository you made a run; to take along: cd ")
    assert len(json.loads(mlgit("ls", "--all", "--json", cwd=tmp_path).stdout)) == 1


def test_a_file_that_is_being_written_is_not_taken_for_code(inside: Repo, mlgit: Script):
    mlgit("init")

    with whole.at(inside.folder / "runs.zip") as scratch:
        scratch.write_text("half of it")
        assert scratch.name not in inside.git("status", "--porcelain", "--untracked-files=all")


def test_a_virtual_environment_in_the_project_stays_out_of_its_commits(tmp_path: Path, mlgit: Script):
    for name in (".venv", "quiet"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyvenv.cfg").touch()
    (tmp_path / "quiet" / ".gitignore").write_text("*")

    mlgit("init", cwd=tmp_path)

    assert (tmp_path / ".gitignore").read_text() == "__pycache__/\n.env\n.*.mlgit\n.venv/\n"


def test_the_workflow_for_githubs_runners_lies_at_the_top_of_the_repository(inside: Repo, mlgit: Script):
    (inside.folder / "churn").mkdir()

    done = mlgit("init", "--github", "--no-dvc", "--json", cwd=inside.folder / "churn")

    path = inside.folder / ".github/workflows/mlgit-launch.yml"
    assert "../.github/workflows/mlgit-launch.yml" in json.loads(done.stdout)["written"]
    assert (
        path.read_text()
        == workflows.rendered(["launch"], workflows.Options())[".github/workflows/mlgit-launch.yml"].text
    )
    path.write_text("name: mine")
    assert path.name not in mlgit("init", "--github", "--no-dvc", "--json", cwd=inside.folder).stdout
    assert path.read_text() == "name: mine"
