"""`mlgit ci promote`: from a plan to the pull request, in a clone as CI has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core import refs
from mlgit.git.repo import Repo
from tests.ci import handing
from tests.conftest import make_repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = """
import mlgit, pathlib, tempfile
run = mlgit.init(config={"score": 0.9})
run.log({"accuracy": run.config["score"]})
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "net.bin")
    path.write_text(str(run.config["score"]))
    run.log_artifact(path, name="net", type="model")
"""
POLICY = "stages: {production: {gates: [{metric: accuracy, not_worse_than: champion}]}}\n"


@pytest.fixture
def far(tmp_path: Path, mlgit: Script) -> Repo:
    """The remote of a project that trains a model, whose bytes a DVC remote takes."""
    first = make_repo(tmp_path / "first")
    files = {
        "mlgit.yaml": f"project: digits\nci: {{command: {sys.executable} train.py}}\n", "train.py": TRAIN,
        ".dvc/config": f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n",
        "registry/policy.yaml": POLICY,
    }  # fmt: skip
    for name, text in files.items():
        (first.folder / name).parent.mkdir(exist_ok=True)
        (first.folder / name).write_text(text)
    first.git("add", "-A")
    first.git("commit", "-qm", "code")
    subprocess.run(["git", "clone", "-q", "--bare", str(first.folder), str(tmp_path / "far.git")], check=True)
    found = Repo.find(tmp_path / "far.git")
    assert found
    return found


@pytest.fixture
def here(far: Repo, tmp_path: Path) -> Repo:
    """What a job has, one commit; and main, for pull requests lie in its folder."""
    found = handing.clone(far, tmp_path / "job")
    found.git("checkout", "-q", "--detach")
    return found


@pytest.fixture
def go(here: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Train with a score, collect, and propose it; what that says, as JSON."""
    monkeypatch.setenv("GITHUB_REF_NAME", "main")

    def call(score: float, *, anew: bool = True, check: bool = True) -> Any:
        plan, handed = str(tmp_path / f"{score}.json"), str(tmp_path / f"handed-{score}")
        if anew:
            mlgit("ci", "plan", "--run", f"score={score}", "--anew", "7", "-o", plan, cwd=here.folder)
            mlgit("ci", "trial", "--plan", plan, "--job", "0", "--to", handed, cwd=here.folder)
            mlgit("ci", "collect", "--plan", plan, handed, cwd=here.folder)
        done = mlgit("ci", "promote", "--plan", plan, "--json", cwd=here.folder, check=check)
        return json.loads(done.stdout) if check else done

    return call


def test_what_was_trained_is_registered_shared_and_proposed_once(
    go: Callable[..., Any], far: Repo, here: Repo, mlgit: Script
):
    first = go(0.9)
    tags = far.refs("refs/tags/")
    again, worse = go(0.9, anew=False), go(0.8)

    assert (first["better"], first["version"], first["pull"], first["opened"]) == (True, "v1.0.0", 1, True)
    assert {**tags} == {refs.version_tag("digits", "v1.0.0"): tags[refs.version_tag("digits", "v1.0.0")]}
    assert (again["version"], again["pull"], again["opened"]) == ("v1.0.0", 1, False)
    assert (worse["better"], worse["version"], worse["pull"]) == (False, None, None)
    assert worse["why"] == "accuracy 0.8 is worse than the 0.9 of v1.0.0, which #1 proposes"
    assert far.refs("refs/tags/") == tags
    report = mlgit("report", "1", cwd=here.folder).stdout
    assert report == "It changes the registry alone: what counts are its gates\n"  # no run could speak for that


def test_a_number_that_another_takes_at_that_moment_is_theirs_and_the_next_one_ours(
    go: Callable[..., Any], far: Repo, here: Repo
):
    far.git("tag", "-a", "-m", "another's", "digits@v1.0.0", "main")
    theirs = far.refs("refs/tags/")[refs.version_tag("digits", "v1.0.0")]
    far.git("update-ref", "refs/kept/tag", theirs)
    far.git("tag", "-d", "digits@v1.0.0")
    hook = far.git_dir / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    ref = refs.version_tag("digits", "v1.0.0")
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngrep -q {ref} && git update-ref {ref} {theirs}\nexit 0\n")
    hook.chmod(0o755)

    made = go(0.9)

    assert (made["version"], made["opened"]) == ("v1.1.0", True)
    assert far.refs("refs/tags/").keys() == {ref, refs.version_tag("digits", "v1.1.0")}
    assert far.refs("refs/tags/")[ref] == here.refs("refs/tags/")[ref] == theirs


def test_a_model_that_nobody_else_could_get_is_not_proposed(go: Callable[..., Any], here: Repo, far: Repo):
    (here.folder / ".dvc/config").write_text("")

    refused = go(0.9, check=False)

    assert refused.returncode == 2
    assert "is on this machine alone" in refused.stderr
    assert "dvc remote add -d NAME URL" in refused.stderr
    assert far.refs("refs/tags/") == here.refs("refs/tags/") == {}
