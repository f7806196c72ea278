"""What is installed, as a lock file that others take; offline, with an index in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock

from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.reproduce import pylock
from tests.conftest import need
from tests.reproduce.wheels import wheel

Mlgit = Callable[..., Any]
FREEZE = """
import sys, tomlkit, click, orjson, rich.console
import mlgit.cli.env, mlgit.reproduce.pylock, mlgit.tracking.installed, mlgit.whole, mlgit.store.place
from mlgit.__main__ import main
sys.path[:] = [sys.argv.pop(1), *(one for one in sys.path if "site-packages" not in one)]
main()
"""
"""The command line in a Python that has nothing installed but what lies in the folder that is named first."""


@pytest.fixture
def site(inside: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What is installed: a package of an index, one of a commit, and one that lies in this repository."""
    need("uv", pylock.uv() is not None)
    wheel(tmp_path / "wheels", "1.0"), wheel(tmp_path / "wheels", "2.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels")), monkeypatch.setenv("UV_NO_INDEX", "1")
    direct = {
        "tiny": None,
        "there": {"url": "https://host/there.git", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}},
        "own": {"url": (inside.folder / "pkg").as_uri(), "dir_info": {"editable": True}},
        "lost": {"url": (tmp_path / "nowhere").as_uri(), "dir_info": {}},
    }
    for name, about in direct.items():
        (tmp_path / "site" / f"{name}-1.0.dist-info").mkdir(parents=True)
        if about:
            (tmp_path / "site" / f"{name}-1.0.dist-info" / "direct_url.json").write_text(json.dumps(about))
    return tmp_path / "site"


def test_what_is_installed_is_a_lock_file_by_the_standard(site: Path, python: Mlgit, tmp_path: Path):
    done = python("-c", FREEZE, str(site), "env", "freeze", "-o", "locks/pylock.toml")

    lock = Pylock.from_dict(tomllib.loads(Path("locks/pylock.toml").read_text()))
    lock.validate()
    packages = {one.name: one for one in lock.packages}
    assert sorted(packages) == ["own", "there", "tiny"]
    assert packages["tiny"].wheels
    assert str(packages["tiny"].version) == "1.0"
    assert packages["tiny"].wheels[0].hashes["sha256"]
    assert packages["there"].vcs
    assert packages["there"].vcs.commit_id == "a" * 40
    assert packages["own"].directory
    assert (packages["own"].directory.path, packages["own"].directory.editable) == ("../pkg", True)
    assert "left out: lost, from nowhere, of which no address is known" in done.stderr


def test_uv_installs_from_it(site: Path, python: Mlgit, tmp_path: Path):
    (tmp_path / "pylock.toml").write_text(pylock.render({"tiny": "1.0"}, {}, python="3.11"))
    uv, there = pylock.needed_uv(), tmp_path / "env"
    subprocess.run((uv, "venv", "-q", "--no-project", "--python", sys.executable, str(there)), check=True)

    words = ("pip", "sync", "-q", "--preview-features", "pylock", "--python", str(there / "bin" / "python"))
    subprocess.run((uv, *words, str(tmp_path / "pylock.toml")), check=True)

    seen = subprocess.run(
        (str(there / "bin" / "python"), "-c", "import tiny; print(tiny.VERSION)"), capture_output=True
    )
    assert seen.stdout == b"1.0\n"


def test_a_package_that_no_index_has_is_named(site: Path):
    with pytest.raises(MlgitError, match=r"tiny==3\.0") as caught:
        pylock.render({"tiny": "3.0"}, {}, python="3.11")

    assert "UV_INDEX" in str(caught.value)


def test_all_that_a_run_would_record_is_said_as_json(inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    found = json.loads(mlgit("env", "freeze", "--json").stdout)

    assert found["packages"]["numpy"]
    assert found["environment"]["OMP_NUM_THREADS"] == "2"
    assert found["runtime"]["implementation"] == sys.implementation.name
