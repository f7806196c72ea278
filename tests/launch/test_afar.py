"""A clone that a job works in: what it did not bring to the remote is not taken away with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mlgit.core.run import Run
from mlgit.errors import GitError
from mlgit.git.repo import Repo
from mlgit.launch import afar
from mlgit.store import live
from tests.git_http import serving

Script = Callable[..., CompletedProcess[str]]
RUN = "refs/heads/exp/p/run-a1b2c3"
MAKES = """
import pathlib, mlgit
with mlgit.init(name='run') as run:
    pathlib.Path("m.bin").write_text("weights")
    run.log_artifact("m.bin", name="m", type="model")
"""


@pytest.fixture
def hub(inside: Repo, tmp_path: Path) -> Path:
    hub = tmp_path / "hub.git"
    inside.git("init", "--quiet", "--bare", "--initial-branch=main", str(hub))
    inside.git("push", "--quiet", str(hub), "HEAD:main")
    return hub


def _repo(folder: Path) -> Repo:
    repo = Repo.find(folder)
    assert repo
    return repo


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("t")))
    return []


def test_a_clone_is_kept_where_its_run_went_on_after_what_the_remote_has(hub: Path, said: list[str]) -> None:
    with afar.clone(str(hub), "main", tell=said.append) as folder:
        repo = _repo(folder)
        repo.git("commit", "--quiet", "--allow-empty", "-m", "checkpoint")
        repo.git("push", "--quiet", "origin", f"HEAD:{RUN}")
        repo.git("commit", "--quiet", "--allow-empty", "-m", "the end")
        repo.git("update-ref", RUN, "HEAD")

    assert folder.exists()
    assert f"runs that are not on {hub} yet are kept: cd {folder} && mlgit push" in said


def test_a_clone_goes_whose_run_somebody_else_has_edited_on_the_remote_since(hub: Path, said: list[str]) -> None:
    with afar.clone(str(hub), "main", tell=said.append) as folder:
        repo = _repo(folder)
        repo.git("update-ref", RUN, "HEAD")
        repo.git("commit", "--quiet", "--allow-empty", "-m", "a note")
        repo.git("push", "--quiet", "origin", f"HEAD:{RUN}")
        repo.git("checkout", "--quiet", RUN)

    assert not folder.exists()
    assert said == []


def test_a_clone_is_kept_in_which_a_run_is_no_branch_yet(hub: Path, said: list[str]) -> None:
    with afar.clone(str(hub), "main", tell=said.append) as folder:
        run = Run(id="a1b2c3d4", name="r", project="p", created=0.0)
        live.create(_repo(folder), run, {}).close()

    assert folder.exists()
    assert said


@pytest.mark.parametrize("has_remote", [False, True])
def test_a_clone_is_kept_where_what_its_runs_made_has_no_remote_to_go_to(
    hub: Path, said: list[str], tmp_path: Path, python: Script, mlgit: Script, *, has_remote: bool
) -> None:
    with afar.clone(str(hub), "main", tell=said.append) as folder:
        if has_remote:
            (folder / ".dvc").mkdir()
            (folder / ".dvc/config").write_text(f"[core]\nremote = r\n['remote \"r\"']\nurl = {tmp_path / 'r'}\n")
        python("-c", MAKES, cwd=folder)
        mlgit("push", cwd=folder)

    assert folder.exists() is not has_remote
    assert [line.partition(" are kept")[0] for line in said] == ([] if has_remote else ["the bytes of m of run"])


def test_a_token_is_shown_to_the_remote_alone_and_written_down_nowhere(
    hub: Path, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    (tmp_path / "gitconfig").write_text(f"[credential]\n\thelper = store --file={kept}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("GIT_ASKPASS", "false")

    with (
        serving(hub.parent, only="x-access-token:t0ken") as url,
        afar.clone(f"{url}/hub.git", "main", tell=said.append) as folder,
    ):
        is_open = _repo(folder).git("ls-remote", "origin", "main")
        with pytest.raises(GitError):
            _repo(folder).git("credential", "fill", stdin=b"url=http://elsewhere.example/hub.git\n")
    is_kept = kept.exists()
    with serving(hub.parent, only="me:mine") as url:
        kept.write_text(f"{url.replace('://', '://me:mine@')}\n")
        with afar.clone(f"{url}/hub.git", "main", tell=said.append):
            pass

    assert is_open
    assert not is_kept
