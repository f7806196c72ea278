"""The whole story, once, as a person sees it: what `mlgit demo` leaves behind is what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlgit.git.repo import Repo

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Demo:
    folder: Path
    repo: Repo
    transcript: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo's folder and all it printed; no network, no configuration but its own."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "demo"
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MLGIT_", "DVC_", "XDG_"))
    }
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    env = kept | nowhere | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": "file"}
    words = (sys.executable, "-m", "mlgit", "demo", str(folder), "--trials", "3")
    done = subprocess.run(words, cwd=home, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    repo = Repo.find(folder)
    assert repo
    return Demo(folder, repo, done.stdout)


def test_every_training_is_a_branch(demo: Demo) -> None:
    names = sorted(ref.removeprefix("refs/heads/exp/digits/")[:-7] for ref in demo.repo.refs("refs/heads/exp/"))

    assert names == ["baseline", "digits-1", "digits-2", "digits-3"]
    for ref in demo.repo.refs("refs/heads/exp/"):
        assert b"accuracy: 0.9" in (demo.repo.read(ref, "experiment/metrics.yaml") or b"")


def test_the_story_goes_on_with_the_sweeps_own_best_trial(demo: Demo, mlgit: Mlgit) -> None:
    best = json.loads(mlgit("sweep", "show", "latest", "--json", cwd=demo.folder).stdout)["best"]

    assert f"Best: {best['name']}, accuracy " in demo.transcript
    assert f"$ mlgit pr open {best['run']}\n#1 {best['name']}: accuracy 0.9" in demo.transcript
    assert f"$ mlgit model register {best['run']} --name digits\n" in demo.transcript
    assert f"git show {best['branch']}\n" in demo.transcript


def test_the_page_shows_the_report_and_its_charts_with_nothing_beside_it(demo: Demo) -> None:
    page = (demo.folder / "pull-request.html").read_text()

    assert page.count('src="data:image/png;base64,') == 3
    assert "better than main&#39;s baseline." in page
    assert 'src="http' not in page


def test_what_was_merged_is_on_main_and_in_the_work_tree(demo: Demo) -> None:
    merged = demo.repo.git("log", "--merges", "--reverse", "--format=%s", "main").splitlines()
    policy = demo.repo.read("main", "registry/policy.yaml")

    assert [re.sub("-[a-z0-9]{6}$", "", subject) for subject in merged] == [
        f"Merge pull request #1 from run/{best_name(demo)}",
        "Merge pull request #2 from promote/digits/v1.0.0/staging",
        "Merge pull request #3 from promote/digits/v1.0.0/production",
    ]
    assert policy == (demo.folder / "registry/policy.yaml").read_bytes()
    assert (demo.folder / "registry/digits/production.yaml").is_file()
    assert demo.repo.read("main", "experiment/metrics.yaml") is None
    assert demo.repo.git("status", "--porcelain") == ""


def test_main_trains_with_the_merged_params(demo: Demo, tmp_path: Path, mlgit: Mlgit) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(demo.folder, folder, symlinks=True)
    best = json.loads(mlgit("ls", "--where", f"name = {best_name(demo)}", "--json", cwd=folder).stdout)[0]

    subprocess.run((sys.executable, "train.py"), cwd=folder, check=True, capture_output=True)

    again = json.loads(mlgit("ls", "--json", cwd=folder).stdout)[0]
    assert again["id"] != best["id"]
    assert again["params"] == best["params"]
    assert again["metrics"]["accuracy"] == best["metrics"]["accuracy"]


def best_name(demo: Demo) -> str:
    found = re.search(r"^Best: (\S+),", demo.transcript, re.MULTILINE)
    assert found
    return found[1]


def test_the_gates_refusal_is_seen_with_its_exit_code(demo: Demo) -> None:
    told = demo.transcript.partition("$ mlgit promote digits@v1.1.0 production\n")[2]

    assert "FAILED  accuracy not worse than the champion" in told
    assert "mlgit: digits v1.1.0 cannot be promoted to production" in told
    assert "\n(exit code 4)\n" in told


def test_the_lineage_of_production_names_the_data_that_it_was_trained_on(demo: Demo) -> None:
    told = demo.transcript.partition("$ mlgit lineage digits@production\n")[2].partition("$ ")[0]

    assert told.startswith("stage digits#production  serves v1.0.0\n")
    assert all(f"dataset {name}:v0  " in told for name in ("train", "test"))
    assert f"run {best_name(demo)} (" in told


def test_a_fresh_clone_makes_the_best_run_again_bit_for_bit(demo: Demo, mlgit: Mlgit) -> None:
    best = json.loads(mlgit("ls", "--where", f"name = {best_name(demo)}", "--json", cwd=demo.folder).stdout)[0]
    again = json.loads(
        mlgit("ls", "--where", f"reproduces = {best['id']}", "--json", cwd=demo.folder / "elsewhere/clone").stdout
    )

    assert f"\nbitwise: {best_name(demo)}, made again\n" in demo.transcript
    assert "  the same to the last bit: 5 params, 3 metrics, 3 series (75 points), 1 artifact\n" in demo.transcript
    assert [one["metrics"]["accuracy"] for one in again] == [best["metrics"]["accuracy"]]


def test_stock_gto_reads_versions_and_stages(demo: Demo) -> None:
    code = "import sys; from gto.cli import app; sys.exit(app())"
    words = (sys.executable, "-c", code, "show", "digits", "--json")
    shown = json.loads(subprocess.run(words, cwd=demo.folder, capture_output=True, text=True, check=True).stdout)

    assert {row["version"]: sorted(stage["stage"] for stage in row["stages"]) for row in shown} == {
        "v1.1.0": [], "v1.0.0": ["production", "staging"],
    }  # fmt: skip


def test_the_repository_is_whole(demo: Demo) -> None:
    words = ("git", "fsck", "--strict", "--no-dangling")  # each claim of a trial leaves the one before behind
    done = subprocess.run(words, cwd=demo.folder, capture_output=True, text=True)

    assert done.returncode == 0
    assert (done.stdout + done.stderr).strip() == ""


def test_what_it_says_about_where_to_look_is_so(demo: Demo) -> None:
    where = demo.transcript.rpartition("Where to look")[2]
    plain = re.search(r"in plain git +(git diff .*)", where)

    assert plain
    assert "-accuracy: 0.9" in subprocess.run(plain[1].split(), cwd=demo.folder, capture_output=True, text=True).stdout
    assert f"cd {demo.folder}\n" in where
    assert "3 pictures in .git/mlgit/forge/assets, and on the branch mlgit-assets" in where
    assert len(demo.repo.git("ls-tree", "-r", "--name-only", "mlgit-assets").splitlines()) == 3
