"""Where and how a run happened, as its run.yaml tells it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core import secrets
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from mlgit.tracking import libraries, provenance
from tests.conftest import make_repo, need

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def told(repo: Repo) -> Any:
    (run,) = query.runs(repo)
    return runs.provenance(repo, run)


@pytest.mark.parametrize(
    ("given", "recorded", "program"),
    [
        (("train.py", "--lr", "0.1", ""), ["python", "train.py", "--lr", "0.1"], "train.py"),
        (("-u", "train.py", "-u"), ["python", "-u", "train.py", "-u"], "train.py"),
        (("-m", "pkg.mod", "--x"), ["python", "-m", "pkg.mod", "--x"], "pkg/mod.py"),
        (("-W", "ignore", "-c", "import mlgit; mlgit.init()", "a"),
         ["python", "-W", "ignore", "-c", "import mlgit; mlgit.init()", "a"], None),
        (("train.py", "--api-key", "hush"), ["python", "train.py", "--api-key", "***"], "train.py"),
    ],
)  # fmt: skip
def test_the_command_line_is_kept_as_it_was_given(
    repo: Repo, python: Script, given: tuple[str, ...], recorded: list[str], program: str | None
):
    (repo.folder / "pkg").mkdir()
    for path in ("train.py", "pkg/mod.py"):
        (repo.folder / path).write_text("import mlgit, sys; sys.argv[:] = ['changed']; mlgit.init()\n")
    python(*given, cwd=repo.folder)

    assert told(repo)["command"] == recorded
    assert told(repo).get("program") == program


def test_a_script_is_named_from_the_folder_that_it_runs_in(repo: Repo, python: Script):
    (repo.folder / "src").mkdir()
    (repo.folder / "src/train.py").write_text("import mlgit; mlgit.init()\n")
    python(str(repo.folder / "src/train.py"), cwd=repo.folder / "src")

    assert told(repo)["command"] == ["python", "train.py"]
    assert told(repo)["cwd"] == "src"
    assert told(repo)["program"] == "src/train.py"


def test_the_program_of_another_command_is_the_script_it_names(repo: Repo, mlgit: Script):
    (repo.folder / "train.py").write_text("")
    mlgit("run", "--", sys.executable, "train.py", cwd=repo.folder)

    assert told(repo)["program"] == "train.py"


def test_the_environment_is_kept_by_a_list_that_a_project_extends(repo: Repo, python: Script):
    (repo.folder / "mlgit.yaml").write_text("project: p\nrun:\n  environment: [DATA_ROOT, HYDRA_*, API_TOKEN, '*']\n")
    given = {
        "CUDA_VISIBLE_DEVICES": "0,1", "NCCL_DEBUG": "INFO", "DATA_ROOT": "/data", "HYDRA_FULL_ERROR": "1",
        "API_TOKEN": "hush", "HYDRA_PAT": "ghp_" + "a1B2" * 9, "OTHER": "x",
    }  # fmt: skip
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder, env={**os.environ, **given})
    kept = told(repo)["environment"]

    assert given.items() >= {name: kept[name] for name in ("CUDA_VISIBLE_DEVICES", "NCCL_DEBUG", "DATA_ROOT")}.items()
    assert (kept["API_TOKEN"], kept["HYDRA_PAT"], kept["HYDRA_FULL_ERROR"]) == ("***", "***", "1")
    assert "OTHER" not in kept
    assert "HOME" not in kept


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:hush@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://ghp_token@github.com/a/b", "https://github.com/a/b"),
        ("https://u:p@ss@host:8080/x?token=1#y", "https://host:8080/x"),
        ("ssh://git:hush@host/x", "ssh://git@host/x"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("https://github.com/a/b", "https://github.com/a/b"),
        ("/home/ada/private", ""),
        ("file:///home/ada/private", ""),
        ("C:\\work\\x", ""),
        ("", ""),
    ],
)
def test_the_address_of_a_remote_tells_no_credentials_and_no_folder(url: str, shown: str):
    assert secrets.address(url) == shown


def test_remote_and_branch_are_kept(repo: Repo, python: Script):
    repo.git("remote", "add", "upstream", "https://ada:hush@example.com/a.git")
    repo.git("switch", "-qc", "feature/X")
    repo.git("config", "branch.feature/X.remote", "upstream")
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder)

    assert told(repo)["git"] == {"remote": "https://example.com/a.git", "branch": "feature/X"}


def test_on_a_detached_head_there_is_no_branch(repo: Repo, python: Script):
    repo.git("remote", "add", "origin", "git@example.com:a.git")
    repo.git("switch", "-q", "--detach")
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder)

    assert told(repo)["git"] == {"remote": "git@example.com:a.git"}


def test_the_machine_is_described(repo: Repo, python: Script):
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder)
    system = told(repo)["system"]

    assert system["cpus"] > 0
    assert system["memory_gb"] > 0
    assert system["os"].startswith(os.uname().sysname)


def test_seeds_are_kept_whenever_they_were_set(repo: Repo, python: Script):
    code = """
import numpy, mlgit
numpy.random.seed(5)
mlgit.init()
numpy.random.rand()
"""
    python("-c", code, cwd=repo.folder, env={**os.environ, "PYTHONHASHSEED": "7"})

    assert told(repo)["seeds"] == {"numpy": 5, "python_hash": "7"}


def test_the_seeds_of_a_script_inside_mlgit_run_are_kept(repo: Repo, mlgit: Script):
    code = "import mlgit, numpy; mlgit.init(); numpy.random.seed(5)"
    mlgit("run", "--", sys.executable, "-c", code, cwd=repo.folder)

    assert told(repo)["seeds"] == {"numpy": 5}


@pytest.mark.parametrize("when", ["before", "after"])
def test_torchs_seed_is_kept(repo: Repo, python: Script, when: str):
    need("torch", importlib.util.find_spec("torch") is not None)
    calls = ["mlgit.init()", "torch.manual_seed(3)"]
    python("-c", "\n".join(["import mlgit, torch", *(calls if when == "after" else calls[::-1])]), cwd=repo.folder)

    assert told(repo)["seeds"]["torch"] == 3


def test_numpys_state_tells_its_seed_only_while_nothing_was_drawn(monkeypatch: pytest.MonkeyPatch):
    import numpy as np

    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    np.random.seed(2**32 - 1)
    fresh = provenance.seeds()["numpy"]
    np.random.rand()

    assert fresh == 2**32 - 1
    assert "numpy" not in provenance.seeds()


def test_what_is_left_out_is_said_once_a_process_and_shown_in_a_line(repo: Repo, python: Script, mlgit: Script):
    (repo.folder / "ckpt").mkdir()
    for number in range(5):
        (repo.folder / f"ckpt/{number}.pt").write_bytes(b"\0" * (2 << 20))
    code = """
import mlgit, pathlib
for number in (5, 6):
    mlgit.init().finish()
    pathlib.Path(f"ckpt/{number}.pt").write_bytes(bytes(2 << 20))
"""
    done = python("-c", code, cwd=repo.folder)

    assert done.stderr.count("not in the run's snapshot") == 1
    assert "snapshot: ckpt/ (5 files): new, binary and larger than 1 MiB\n" in done.stderr
    last = query.runs(repo)[0]
    assert runs.provenance(repo, last)["left_out"] == ["ckpt/ (6 files): new, binary and larger than 1 MiB"]
    assert "left out ckpt/ (6 files): new" in mlgit("show", cwd=repo.folder).stdout


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_without_save_code_nothing_uncommitted_is_kept_and_that_is_said(repo: Repo, python: Script, how: str):
    (repo.folder / "secret_idea.py").write_text("x = 1\n")
    asked = "save_code=False" if how == "argument" else ""
    env = {**os.environ, **({"WANDB_DISABLE_CODE": "true"} if how == "environment" else {})}
    done = python("-c", f"import mlgit; mlgit.init({asked})", cwd=repo.folder, env=env)
    (run,) = query.runs(repo)

    assert run.source == repo.resolve("HEAD")
    assert not run.dirty
    assert told(repo)["left_out"] == ["1 changed or new files: save_code is off"]
    assert "save_code is off" in done.stderr
    assert repo.read(run.ref, "secret_idea.py") is None


def test_the_python_that_ran_is_told_as_exactly_as_an_environment_needs(repo: Repo, python: Script):
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder)

    about = told(repo)
    assert about["runtime"]["implementation"] == sys.implementation.name
    assert about["runtime"]["abi"].startswith("cpython-3")
    assert about["runtime"]["platform"] == sys.platform


def test_what_is_installed_from_elsewhere_than_an_index_is_told_with_its_commit(
    repo: Repo, python: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    elsewhere = make_repo(tmp_path / "other")
    (elsewhere.folder / "pkg").mkdir()
    (repo.folder / "own").mkdir()
    direct = {
        "vcs": {"url": "https://me:secret@host/a.git", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}},
        "own": {"url": (repo.folder / "own").as_uri(), "dir_info": {"editable": True}},
        "other": {"url": (elsewhere.folder / "pkg").as_uri(), "dir_info": {}},
        "wheel": {"url": "file:///home/me/wheel-1.whl", "archive_info": {"hashes": {"sha256": "0" * 64}}},
    }
    for name, about in direct.items():
        (tmp_path / "site" / f"{name}-1.0.dist-info").mkdir(parents=True)
        (tmp_path / "site" / f"{name}-1.0.dist-info" / "direct_url.json").write_text(json.dumps(about))
    (tmp_path / "site" / "broken-1.0.dist-info").mkdir()
    (tmp_path / "site" / "broken-1.0.dist-info" / "direct_url.json").write_text("{")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder)

    sources = told(repo)["sources"]
    assert {name: sources[name] for name in direct} == {
        "vcs": {"url": "https://host/a.git", "commit": "a" * 40},
        "own": {"path": "own", "editable": True},
        "other": {"folder": "pkg", "commit": elsewhere.resolve("HEAD"), "subdirectory": "pkg"},
        "wheel": {"url": "wheel-1.whl", "sha256": "0" * 64},
    }
    assert "broken" not in sources


def test_what_the_libraries_compute_with_is_told(repo: Repo, python: Script):
    python("-c", "import numpy, sklearn.linear_model, mlgit; mlgit.init()", cwd=repo.folder)

    libraries = told(repo)["libraries"]
    assert libraries["numpy"]["blas"]
    assert all(count >= 1 for count in libraries["threads"].values())


@pytest.mark.parametrize("name", ["numpy.__config__", "threadpoolctl", "torch"])
def test_a_library_that_cannot_say_is_passed_over(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setitem(sys.modules, name, object())  # half loaded

    assert {"numpy.__config__": "numpy", "threadpoolctl": "threads"}.get(name, name) not in libraries.loaded()


@pytest.mark.parametrize("ignored", [True, False])
def test_a_lock_file_that_git_ignores_is_kept_with_the_run(repo: Repo, python: Script, ignored: bool):
    (repo.folder / "uv.lock").write_text("version = 1\n")
    (repo.folder / ".gitignore").write_text("*.lock\n" if ignored else "\n")
    python("-c", "import mlgit; mlgit.init()", cwd=repo.folder)

    (run,) = query.runs(repo)
    kept = repo.read(run.commit, "experiment/lock/uv.lock")
    assert kept == (b"version = 1\n" if ignored else None)
    assert repo.read(run.commit, "uv.lock") == (None if ignored else b"version = 1\n")


def test_inside_of_mlgit_run_it_is_the_python_of_the_script_whose_packages_count(
    repo: Repo, mlgit: Script, tmp_path: Path
):  # fmt: skip
    (tmp_path / "site" / "only_there-3.0.dist-info").mkdir(parents=True)
    (repo.folder / "train.py").write_text("import mlgit; mlgit.init()\n")
    mlgit("run", "--", "env", f"PYTHONPATH={tmp_path / 'site'}", sys.executable, "train.py", cwd=repo.folder)

    (run,) = query.runs(repo)
    assert runs.surroundings(repo, run)["packages"]["only-there"] == "3.0"
