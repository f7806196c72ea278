from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlgit.dvc import project
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from tests.conftest import make_repo

MD5 = "d3b07384d113edec49eaa6238ad5ff00"
POINTER = f"outs:\n- md5: {MD5}\n  size: 4\n  hash: md5\n  path: digits.csv\n".encode()


def dvc(*args: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *args], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"dvc {args}: {done.stdout}{done.stderr}"
    return done.stdout


def tracked(repo: Repo, commit: str, folder: str = "") -> dict[str, str]:
    with repo.reader() as reader:
        return project.tracked(repo, reader, commit, folder)


def test_set_up_writes_what_dvc_init_would_and_stages_nothing(repo: Repo, tmp_path: Path):
    assert repo.work_tree
    stock = make_repo(tmp_path / "stock").work_tree
    assert stock
    dvc("init", "-q", cwd=stock)

    written = project.setup(repo)

    for name in (".dvc/.gitignore", ".dvcignore"):
        assert (repo.work_tree / name).read_text() == (stock / name).read_text()
    assert set(written) == {".dvc/config", ".dvc/.gitignore", ".dvcignore"}
    assert repo.git("diff", "--cached", "--name-only") == ""
    assert project.setup(repo) == ()


def test_stock_dvc_works_after_set_up(repo: Repo):
    assert repo.work_tree
    project.setup(repo)
    (repo.work_tree / "digits.csv").write_text("1,2\n")
    (repo.work_tree / "metrics.yaml").write_text("acc: 0.9\n")
    (repo.work_tree / "dvc.yaml").write_text("metrics: [metrics.yaml]\n")
    dvc("add", "-q", "digits.csv", cwd=repo.work_tree)
    repo.git("add", ".")
    repo.git("commit", "-qm", "data")
    (repo.work_tree / "metrics.yaml").write_text("acc: 0.95\n")

    assert "up to date" in dvc("status", cwd=repo.work_tree)
    assert "0.95" in dvc("metrics", "diff", cwd=repo.work_tree)
    assert list(tracked(repo, "HEAD")) == ["digits.csv"]


def test_a_folder_inside_a_dvc_project_belongs_to_it(repo: Repo):
    project.setup(repo)

    assert project.setup(repo, "packages/digits") == ()


def test_a_package_of_a_monorepo_gets_its_own(repo: Repo):
    assert ".dvc/config" not in project.setup(repo, "packages/digits")
    assert repo.work_tree
    assert (repo.work_tree / "packages/digits/.dvc/config").is_file()


def test_a_bare_repository_is_said_to_be_bare(tmp_path: Path):
    with pytest.raises(MlgitError, match="bare"):
        project.setup(make_repo(tmp_path / "bare", commit=False, bare=True))


def test_a_commit_without_dvc_tracks_nothing_even_if_files_look_like_it(repo: Repo):
    commit = repo.commit(repo.resolve("HEAD"), {"digits.csv.dvc": POINTER}, "no DVC")

    assert tracked(repo, commit) == {}


def test_data_versions_are_read_at_a_commit(repo: Repo):
    lock = f"stages:\n  prep:\n    outs: [{{path: out, md5: {'a' * 32}.dir}}]\n".encode()
    files = {
        ".dvc/config": b"", "pkg/data/digits.csv.dvc": POINTER, "pkg/dvc.lock": lock, "other/digits.csv.dvc": POINTER,
        "pkg/experiment/artifacts/model.dvc": POINTER, "pkg/bad.dvc": b"\t: [", "pkg/big.dvc": b"#" * (5 << 20),
    }  # fmt: skip
    commit = repo.commit(repo.resolve("HEAD"), files, "data")

    assert tracked(repo, commit, "pkg") == {"data/digits.csv": MD5, "out": f"{'a' * 32}.dir"}
    assert tracked(repo, commit)["pkg/data/digits.csv"] == MD5
    assert tracked(repo, commit, "no/such/folder") == {}


def test_reading_data_versions_loads_nothing_of_dvc(repo: Repo, python):
    code = (
        "import sys; from pathlib import Path; from mlgit.git.repo import Repo; from mlgit.dvc import project\n"
        "repo = Repo.find(Path.cwd())\n"
        "with repo.reader() as reader: project.tracked(repo, reader, 'HEAD')\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('dvc', 'yaml')])"
    )

    assert python("-c", code, cwd=repo.work_tree).stdout == "[]\n"
