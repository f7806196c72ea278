"""`mlgit ci init`, `check` and `upgrade`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.cli.ci import job
from mlgit.git.repo import Repo
from tests.github import NAME, GitHub

Script = Callable[..., "subprocess.CompletedProcess[str]"]
REPORT = ".github/workflows/mlgit-report.yml"
LAUNCH = ".github/workflows/mlgit-launch.yml"


def commit(repo: Repo) -> None:
    repo.git("add", ".")
    repo.git("commit", "-qm", "workflows")


def test_the_files_are_written_once_and_know_the_projects_folder(inside: Repo, mlgit: Script):
    folder = inside.folder / "models"
    folder.mkdir()
    (folder / "mlgit.yaml").write_text("project: churn")

    first = json.loads(mlgit("ci", "init", "--only", "report", "--json", cwd=folder).stdout)
    again = mlgit("ci", "init", cwd=folder)

    assert first["written"] == [
        REPORT, *(f".github/actions/mlgit-{name}/action.yml" for name in ("setup", "report", "gates")),
    ]  # fmt: skip
    assert 'working-directory: "models"' in (inside.folder / REPORT).read_text()
    assert f"wrote {LAUNCH}\n" in again.stdout
    assert REPORT not in again.stdout
    assert mlgit("ci", "init", cwd=folder).stdout == "Everything is there already.\n"
    other = mlgit("ci", "init", "--runners", "x", cwd=folder)
    assert f"{REPORT} was made by other options or another mlgit: mlgit ci upgrade" in other.stderr


def test_actions_for_a_workflow_of_ones_own_are_known_without_one(inside: Repo, mlgit: Script):
    paths = [f".github/actions/mlgit-{name}/action.yml" for name in ("setup", "run")]

    first = mlgit("ci", "init", "--only", "run", cwd=inside.folder)

    assert all(f"wrote {path}\n" in first.stdout for path in paths)
    assert "uses: ./.github/actions/mlgit-run" in first.stdout
    assert not (inside.folder / ".github/workflows").exists()
    commit(inside)
    assert mlgit("ci", "check", "--local", cwd=inside.folder).returncode == 0
    (inside.folder / paths[0]).unlink()
    missing = mlgit("ci", "check", "--local", cwd=inside.folder, check=False)
    assert (missing.returncode, f"{paths[0]}: missing" in missing.stdout) == (1, True)
    assert mlgit("ci", "upgrade", cwd=inside.folder).stdout == f"wrote {paths[0]}\n"
    mlgit("ci", "init", "--only", "report", cwd=inside.folder)
    assert f"{REPORT}: as rendered" in mlgit("ci", "check", "--local", cwd=inside.folder, check=False).stdout


def test_what_cannot_be_chosen_is_refused_before_anything_is_written(inside: Repo, mlgit: Script):
    for words in (
        ("--only", "deploy"), ("--forge", "gitlab"), ("--runners", "a;b"), ("--secret", "A B"), ("--install", "x y"),
    ):  # fmt: skip
        assert mlgit("ci", "init", *words, cwd=inside.folder, check=False).returncode == 2
    assert not (inside.folder / ".github").exists()
    missing = mlgit("ci", "check", cwd=inside.folder, check=False)
    assert (missing.returncode, "mlgit ci init" in missing.stderr) == (1, True)
    assert mlgit("ci", "upgrade", cwd=inside.folder, check=False).returncode == 1


def test_an_edit_is_said_and_no_fault_and_an_upgrade_keeps_it(inside: Repo, mlgit: Script):
    mlgit("ci", "init", cwd=inside.folder)
    fresh = mlgit("ci", "check", "--local", cwd=inside.folder, check=False)
    commit(inside)
    path = inside.folder / REPORT
    path.write_text(path.read_text().replace("name: mlgit report\n", "name: ours\n"))
    commit(inside)

    edited = mlgit("ci", "check", "--local", cwd=inside.folder)
    tried = mlgit("ci", "upgrade", "--runners", "self-hosted,cpu", "--dry-run", cwd=inside.folder)
    mlgit("ci", "upgrade", "--runners", "self-hosted,cpu", cwd=inside.folder)

    assert (fresh.returncode, "not committed" in fresh.stdout) == (1, True)
    assert f"ok {REPORT}: edited\n" in edited.stdout
    assert f"would write {REPORT}\n" in tried.stdout
    assert {"name: ours", "    runs-on: [self-hosted, cpu]"} <= {*path.read_text().splitlines()}
    assert mlgit("ci", "check", "--local", cwd=inside.folder, check=False).returncode == 1  # not committed
    commit(inside)
    assert mlgit("ci", "check", "--local", "--json", cwd=inside.folder).returncode == 0


def test_a_conflict_is_marked_and_has_to_be_settled(inside: Repo, mlgit: Script):
    mlgit("ci", "init", "--only", "report", cwd=inside.folder)
    commit(inside)
    path = inside.folder / REPORT
    path.write_text(path.read_text().replace("runs-on: ubuntu-latest", "runs-on: ours"))

    done = mlgit("ci", "upgrade", "--runners", "theirs", cwd=inside.folder, check=False)

    assert done.returncode == 1
    assert f"wrote {REPORT}, 1 conflict marked in it" in done.stdout
    assert "<<<<<<< yours\n    runs-on: ours" in path.read_text()
    again = mlgit("ci", "upgrade", cwd=inside.folder, check=False)
    assert "is in conflict since an upgrade before" in again.stderr
    looked = mlgit("ci", "check", "--local", cwd=inside.folder, check=False)
    assert f"no {REPORT}: in conflict, not committed" in looked.stdout


def test_what_github_lacks_is_said_with_what_mends_it(inside: Repo, mlgit: Script, there: GitHub):
    mlgit("ci", "init", "--only", "report,launch", "--secret", "HF_TOKEN", "--secret", "KEY", cwd=inside.folder)
    commit(inside)
    there.listed = {
        "workflows": [{"path": REPORT, "state": "disabled_manually"}], "secrets": [{"name": "KEY"}],
    }  # fmt: skip
    there.rules = [("exp/*", "creation"), ("exp/*", "deletion")]

    done = mlgit("ci", "check", cwd=inside.folder, check=False)

    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if ".github/actions" not in line][2:] == [
        "ok Actions are enabled",
        f"no {REPORT} is disabled manually on GitHub",
        f"no {LAUNCH} is not on main of GitHub",
        "no a rule refuses creating branches on exp/mlgit/check", "ok branches like mlgit-assets may be pushed",
        "no the secret HF_TOKEN is missing", "ok the secret KEY is there",
    ]  # fmt: skip
    for fix in (
        "gh workflow enable mlgit-report.yml",
        f"merge {LAUNCH} into main",
        "gh secret set HF_TOKEN",
        "leave exp/**/* out",
    ):
        assert fix in done.stderr


@pytest.mark.parametrize(("pattern", "branches"), [
    ("exp/**/*", ["exp/mlgit/check"]), ("**/*", ["exp/mlgit/check", "mlgit-assets"]), ("*", ["mlgit-assets"]),
    ("exp/*", []), ("exp/**", []), ("main", []), ("mlgit-[a-c]*", ["mlgit-assets"]),
])  # fmt: skip
def test_a_protection_in_the_way_of_what_jobs_push_is_seen_by_its_pattern(
    inside: Repo, mlgit: Script, there: GitHub, pattern: str, branches: list[str]
):
    mlgit("ci", "init", "--only", "report", cwd=inside.folder)
    commit(inside)
    flags = ("blocksCreations", "lockBranch", "requiresCommitSignatures", "requiresLinearHistory", "restrictsPushes")
    asks = dict.fromkeys((*flags, "requiresStatusChecks"), False)
    there.listed = {"workflows": [{"path": REPORT, "state": "active"}]}
    there.protections = [{"pattern": pattern, **asks, "requiresApprovingReviews": True}]

    done = json.loads(mlgit("ci", "check", "--json", cwd=inside.folder, check=not branches).stdout)

    said = [one["what"] for one in done["github"] if one["ok"] is False]
    assert said == [f"the protection of {pattern} refuses anything but pull requests on {name}" for name in branches]


def test_what_the_token_may_not_see_is_unknown_and_no_fault(inside: Repo, mlgit: Script, there: GitHub):
    mlgit("ci", "init", "--only", "report", "--runners", "self-hosted,cpu", "--secret", "KEY", cwd=inside.folder)
    commit(inside)
    there.listed = {"workflows": [{"path": REPORT, "state": "active"}]}
    there.read_only.add("ada")

    done = json.loads(mlgit("ci", "check", "--json", cwd=inside.folder).stdout)

    said = {one["what"]: one["ok"] for one in done["github"]}
    assert said[f"{REPORT} is active on GitHub"] is True
    assert said["which secrets there are: the token may not see it"] is None
    assert said["which runners there are: the token may not see it"] is None
    assert said["whether a protection is in the way of what jobs push: the token may not see it"] is None


def test_actions_that_are_disabled_or_a_runner_that_is_away_are_seen(inside: Repo, mlgit: Script, there: GitHub):
    mlgit("ci", "init", "--only", "report", "--runners", "self-hosted,CPU", cwd=inside.folder)
    commit(inside)
    there.actions_enabled = False
    there.listed = {
        "workflows": [{"path": REPORT, "state": "active"}],
        "runners": [{"status": "online", "labels": [{"name": "self-hosted"}, {"name": "cpu"}]}],
    }  # fmt: skip

    done = json.loads(mlgit("ci", "check", "--json", cwd=inside.folder, check=False).stdout)

    said = {one["what"]: one["ok"] for one in done["github"]}
    assert said["Actions are disabled"] is False
    assert said["a runner with the labels self-hosted, CPU is online"] is True


@pytest.mark.parametrize(("labels", "said"), [
    ("gpu", "a runner with the labels gpu is online"),
    ("big", "a runner with the labels big is none of the repository's own"),
    ("ubuntu-24.04-arm", None),
])  # fmt: skip
def test_a_runner_that_is_not_called_self_hosted_is_looked_for_too(
    inside: Repo, mlgit: Script, there: GitHub, labels: str, said: str | None
):
    mlgit("ci", "init", "--only", "report", "--runners", labels, cwd=inside.folder)
    commit(inside)
    there.listed = {
        "workflows": [{"path": REPORT, "state": "active"}],
        "runners": [{"status": "online", "labels": [{"name": "self-hosted"}, {"name": "gpu"}]}],
    }  # fmt: skip

    done = json.loads(mlgit("ci", "check", "--json", cwd=inside.folder).stdout)

    found = [one["what"] for one in done["github"] if "runner" in one["what"]]
    assert found == ([said] if said else [])


def test_jobs_that_are_to_propose_have_to_be_allowed_to(inside: Repo, mlgit: Script, there: GitHub):
    mlgit("ci", "init", "--only", "retrain", "--watch", "data/**", "--watch", "b c/*", cwd=inside.folder)
    commit(inside)
    there.actions_propose = False
    there.rules = [("promote/*", "creation")]

    done = json.loads(mlgit("ci", "check", "--json", cwd=inside.folder, check=False).stdout)

    said = {one["what"]: one["ok"] for one in done["github"]}
    assert said["jobs may not open pull requests"] is False
    assert said["a rule refuses creating branches on promote/mlgit/check"] is False
    assert '- "b c/*"' in (inside.folder / ".github/workflows/mlgit-retrain.yml").read_text()


def test_a_commit_that_is_pushed_is_trained_by_a_dispatch(
    inside: Repo, mlgit: Script, there: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    told = json.loads((inside.folder / "mlgit.yaml").read_text())
    (inside.folder / "mlgit.yaml").write_text(json.dumps(told | {"ci": {"command": "python train.py"}}))
    (inside.folder / "train.py").write_text("")
    commit(inside)
    head = inside.resolve("HEAD") or ""
    (tmp_path / "event.json").write_text(json.dumps({"inputs": {"sweep": "a.yaml", "part": "1"}}))

    said = mlgit("ci", "dispatch", "--run", "'x=a; b'", cwd=inside.folder)
    missing = mlgit("ci", "dispatch", "nothing", cwd=inside.folder, check=False)
    idle = mlgit("ci", "dispatch", cwd=inside.folder, check=False)
    no_sweep = mlgit("ci", "dispatch", "--sweep", "none.yaml", cwd=inside.folder, check=False)
    there.answers.append((404, {}, {"message": "Not Found"}))
    not_pushed = mlgit("ci", "dispatch", "--run", "yes", cwd=inside.folder, check=False)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    mlgit("ci", "dispatch", "--part", "2", cwd=inside.folder)
    monkeypatch.setenv("GITHUB_REF_NAME", "gone")
    refused = mlgit("ci", "dispatch", cwd=inside.folder, check=False)

    assert said.stdout == f"Started mlgit-experiment.yml for {head[:10]} on main\n"
    page = f"https://github.com/{NAME}/actions/runs/1"
    assert said.stderr.splitlines()[1:] == [page, "mlgit ci watch 1 shows how it gets on"]
    assert said.stderr.startswith("CI: ")
    assert there.dispatched == [
        ("mlgit-experiment.yml", "main", {"commit": head, "run": "'x=a; b'", "part": "1"}),
        ("mlgit-experiment.yml", "main", {"commit": head, "sweep": "a.yaml", "part": "2"}),
    ]
    assert missing.returncode == 2
    assert f"Commit {head[:7]} asks CI for nothing." in idle.stderr
    assert "There is no file none.yaml" in no_sweep.stderr
    assert f"GitHub has no commit {head[:10]}" in not_pushed.stderr
    assert "mlgit-experiment.yml of acme/churn cannot be started for gone" in refused.stderr


@pytest.mark.parametrize(
    ("source", "installed", "said"),
    [
        ({"url": "https://github.com/acme/mlgit", "vcs_info": {"vcs": "git", "commit_id": "1a2b3c4d" * 5}},
         f"mlgit@git+https://github.com/acme/mlgit@{'1a2b3c4d' * 5}", ""),
        ({"url": "https://acme.example/mlgit-9.whl", "archive_info": {"hashes": {"sha256": "ab" * 32}}},
         f"mlgit@https://acme.example/mlgit-9.whl#sha256={'ab' * 32}", ""),
        ({"url": "file:///wheels/mlgit-9.whl", "archive_info": {}}, "mlgit==", "came from a disk of this machine"),
        ({"url": "file:///nowhere", "dir_info": {}}, "mlgit==", "--install REQUIREMENT"),
    ],
)  # fmt: skip
def test_runners_install_what_is_installed_here(
    inside: Repo, mlgit: Script, tmp_path: Path, source: dict[str, object], installed: str, said: str
):
    folder = tmp_path / "site/mlgit-9.dist-info"  # as pip writes it
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mlgit\nVersion: 9\n")
    (folder / "direct_url.json").write_text(json.dumps(source))
    env = {**os.environ, "PYTHONPATH": str(folder.parent)}

    done = mlgit("ci", "init", "--only", "report", cwd=inside.folder, env=env)

    assert f'mlgit: "{installed}' in (inside.folder / REPORT).read_text()
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)


def test_a_summary_that_cannot_be_written_is_said_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))

    job.summarize("what is done")

    assert capsys.readouterr().err == "the summary of this step cannot be written: Is a directory\n"
