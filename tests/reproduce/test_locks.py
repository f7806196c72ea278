"""Environments made again from what locked them, and from the indexes that they came from."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.reproduce import pylock
from mlgit.store import runs
from mlgit.tracking import indexes
from tests.conftest import need
from tests.reproduce.test_reproduce import commit, is_clean, recorded, told, write
from tests.reproduce.wheels import wheel

Mlgit = Callable[..., Any]
TRAIN = "import json, tiny\njson.dump({'major': float(tiny.VERSION[:3])}, open('m.json', 'w'))\n"


@pytest.fixture
def project(inside: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Repo:
    """A project whose script wants `tiny`; uv has no index but what a test names."""
    need("uv", pylock.uv() is not None)
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    write(tmp_path / "site", {"tiny.py": "VERSION = '1.0'\n"})
    return inside


def ran(repo: Repo, mlgit: Mlgit, installed: str) -> None:
    """A run `x` of the script, which had *installed*."""
    commit(repo, train_py=TRAIN)
    mlgit("run", "-n", "x", "-m", "m.json", "--", "python", "train.py")
    recorded(repo, "x", {"requirements.txt": installed.encode()})


def test_a_uv_lock_beside_the_command_is_what_uv_installs(
    project: Repo, mlgit: Mlgit, tmp_path: Path, monkeypatch: Any
):
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "wheels", version)
    about = 'name = "p"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["tiny"]\n'
    links = (
        f'[tool.uv]\nfind-links = ["{tmp_path / "wheels"}"]\nno-index = true\nconstraint-dependencies = ["tiny<2"]\n'
    )
    write(project.folder, {"pyproject.toml": f"[project]\n{about}{links}"})
    monkeypatch.delenv("UV_CONFIG_FILE")
    subprocess.run((pylock.needed_uv(), "lock", "-q", "--python", sys.executable), cwd=project.folder, check=True)
    ran(project, mlgit, "tiny==1.0\n")
    monkeypatch.delenv("PYTHONPATH")

    found = told(mlgit("reproduce", "x", "--json"))

    assert (found["verdict"], found["environment"], found["missing"]) == ("bitwise", "uv", [])
    again = query.of_id(project, found["again"])
    assert again
    assert runs.surroundings(project, again)["packages"] == {"tiny": "1.0"}
    assert is_clean(project)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a folder of this machine with two indexes: `empty/`, and `simple/` with `tiny` in two versions."""
    for version in ("1.0", "1.0+cpu"):
        wheel(tmp_path / "www" / "simple" / "tiny", version)
    (tmp_path / "www" / "empty").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "www"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Say nothing."""


def test_a_version_that_only_an_index_of_its_own_has_is_found_there_again(
    project: Repo, mlgit: Mlgit, served: str, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.delenv("UV_CONFIG_FILE")
    monkeypatch.setenv("UV_INDEX", f"cpu=http://ada:token@{served}/simple")
    ran(project, mlgit, "tiny==1.0+cpu\n")
    monkeypatch.delenv("UV_INDEX"), monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{served}/empty")
    about = runs.provenance(project, query.find(project, "x"))

    found = told(mlgit("reproduce", "x", "--json"))
    recorded(project, "x", {"run.yaml": lambda text: text.replace(b"indexes:", b"unknown:")})
    unknown = told(mlgit("reproduce", "x", "--check", "--json", check=False))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    recorded(project, "x", {"run.yaml": lambda text: text + b"indexes: {index: ['http://127.0.0.1:1/simple']}\n"})
    away = told(mlgit("reproduce", "x", "--check", "--json", check=False))

    assert about["indexes"] == {"index": [f"http://{served}/simple"]}
    assert (found["verdict"], found["environment"]) == ("bitwise", "uv")
    again = query.of_id(project, found["again"])
    assert again
    assert runs.surroundings(project, again)["packages"] == {"tiny": "1.0+cpu"}
    assert [(one["name"], one["why"]) for one in away["missing"]] == [
        ("tiny==1.0+cpu", "no index has it that answers here; the run knew of http://127.0.0.1:1/simple")
    ]
    (lacked,) = unknown["missing"]
    assert (lacked["name"], lacked["why"]) == (
        "tiny==1.0+cpu", "no index has it, and the run recorded none of its own",
    )  # fmt: skip


def test_the_indexes_of_uv_and_pip_are_known_without_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: Path
):
    uv = '[[tool.uv.index]]\nname = "torch"\nurl = "https://host/whl/cpu"\n[tool.uv.pip]\nfind-links = ["/wheels"]\n'
    pip = "[global]\nindex-url = https://ada:token@host/simple?key=1\nextra-index-url =\n  https://pypi.org/simple\n  https://b\n"
    write(tmp_path, {"pyproject.toml": uv, "sub/train.py": ""})
    write(sealed / ".config", {"pip/pip.conf": pip, "uv/uv.toml": "not toml"})
    monkeypatch.setenv("UV_FIND_LINKS", "https://links/a.html,/folder")

    found = indexes.known(tmp_path / "sub")

    assert found["index"][:3] == ["https://host/whl/cpu", "https://host/simple", "https://b"]
    assert found["find_links"] == ["https://links/a.html"]
