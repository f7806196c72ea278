"""Params of a pipeline that stand in several files, set for one run or only asked about; and which stages are run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlgit.errors import ConfigError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.tracking import files
from tests.tracking.pipeline.made import Script, commit, did, newest, write

PIPELINE = """\
stages:
  yaml: {cmd: cat params.yaml > y.txt, params: [lr], outs: [y.txt]}
  toml: {cmd: cat conf/net.toml > t.txt, params: [{conf/net.toml: [opt.depth]}], outs: [t.txt]}
  python: {cmd: cat net.py > p.txt, params: [{net.py: [BATCH]}], outs: [p.txt]}
  templated: {cmd: 'echo ${lr} > v.txt', outs: [v.txt]}
  after: {cmd: cat t.txt p.txt > a.txt, deps: [t.txt, p.txt], outs: [a.txt]}
  bad: {cmd: exit 4, deps: [y.txt], outs: [bad.txt], always_changed: true}
"""
SEVERAL = {
    "dvc.yaml": PIPELINE, "params.yaml": "lr: 0.1  # slow\n", "net.py": "BATCH = 32  # rows\n",
    "conf/net.toml": "# the net\n[opt]\ndepth = 3\n",
}  # fmt: skip
NEW = ["-p", "lr=0.5", "-p", "conf/net.toml:opt.depth=4", "-p", "net.py:BATCH=64"]
GOOD = [word for name in ("yaml", "after", "templated") for word in ("-s", name)]


@pytest.fixture
def several(project: Repo) -> Repo:
    write(project, SEVERAL)
    commit(project)
    return project


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    names = (path for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path))
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in names if "tmp" not in path.parts}


def test_params_of_several_files_are_put_in_and_given_back(several: Repo, run: Script, mlgit: Script, dvc: Script):
    run(*GOOD)
    commit(several)
    before = contents(several.folder)
    asked = {one["name"]: one["would_run"] for one in json.loads(run(*NEW, *GOOD, "--dry-run", "--json").stdout)}
    nothing = {one["name"]: one["would_run"] for one in json.loads(run(*GOOD, "--dry-run", "--json").stdout)}
    after = contents(several.folder)
    run(*NEW, *GOOD, "-n", "first")
    found = newest(several)

    assert after == before, "asking has changed something"
    assert asked == dict.fromkeys(("yaml", "toml", "python", "after", "templated"), True)
    assert nothing == dict.fromkeys(asked, False)
    assert set(did(several, found).values()) == {"ran"}
    assert found.given == ("lr", "conf/net.toml:opt.depth", "net.py:BATCH")
    assert (found.params["lr"], found.params["opt.depth"], found.params["BATCH"]) == (0.5, 4, 64)
    assert {name: (several.folder / name).read_text() for name in SEVERAL} == SEVERAL
    assert several.git("status", "--porcelain") == ""
    assert "up to date" in dvc("status", "yaml", "after", "templated").stdout

    assert "bitwise: first" in mlgit("reproduce", "first", cwd=several.folder).stdout
    mlgit("rerun", "first", "-p", "net.py:BATCH=128", cwd=several.folder)
    assert (newest(several).params["BATCH"], newest(several).params["opt.depth"]) == (128, 4)


def test_only_the_stages_asked_for_are_run(several: Repo, run: Script, dvc: Script, tmp_path: Path):
    went = run("--keep-going", check=False)
    all_of_them = did(several, newest(several))
    write(several, {"conf/net.toml": "[opt]\ndepth = 9\n", "two/dvc.yaml": "stages: {far: {cmd: echo}}\n"})
    run("--single-item", "--stage", "after")
    alone = did(several, newest(several))
    run("--downstream", "--stage", "toml")
    down = did(several, newest(several))
    run("--all-pipelines", "--keep-going", check=False)
    everywhere = did(several, newest(several))
    dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    dvc("push", "-q", "toml", "python")
    for place in (".dvc/cache/files", "t.txt", "a.txt"):
        path = several.folder / place
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run("--pull", "--single-item", "--stage", "after")
    pulled = did(several, newest(several))

    assert went.returncode == 255
    assert all_of_them == dict.fromkeys(("yaml", "toml", "python", "templated", "after"), "ran") | {"bad": "failed"}
    assert alone == {"after": "unchanged"}
    assert down == {"toml": "ran", "after": "ran"}
    assert pulled == {"after": "ran"}
    assert (several.folder / "a.txt").read_text() == "[opt]\ndepth = 9\nBATCH = 32  # rows\n"
    assert everywhere["two/dvc.yaml:far"] == "ran"


def test_a_param_in_no_file_that_is_named_and_a_stage_for_a_program_are_refused(several: Repo, run: Script):
    unknown = run("-p", "conf/net.toml:width=4", check=False)
    elsewhere = run("-p", "opt.depth=4", check=False)
    stage = run("after", check=False)
    program = run("--downstream", "--", "true", check=False)

    assert "width is not in net.toml" in unknown.stderr
    assert "-p FILE:opt.depth=" in elsewhere.stderr
    assert "mlgit run --stage after" in stage.stderr
    assert "--downstream: for the stages of dvc.yaml" in program.stderr
    assert [done.returncode for done in (unknown, elsewhere, stage, program)] == [2, 2, 2, 2]
    assert not query.search(several).runs


def test_a_text_that_dvc_cannot_write_into_python_is_refused(tmp_path: Path):
    path = tmp_path / "net.py"
    path.write_text("name = 'adam'\nclass Net:\n    layers = 2\n")

    assert files.with_params(path, {"Net.layers": 3}) == "name = 'adam'\nclass Net:\n    layers = 3\n"
    with pytest.raises(ConfigError, match=r"net\.py:1: name: 'sgd' cannot be put there"):
        files.with_params(path, {"name": "sgd"})
    path.write_text("a = = 1\n")
    with pytest.raises(ConfigError, match=r"net\.py:1: not Python"):
        files.read_params(path)
