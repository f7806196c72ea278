"""What CI does for a commit: `mlgit ci plan` on real commits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlgit import wiring
from mlgit.ci import code, plan
from mlgit.git.repo import Repo
from mlgit.wiring import ci

Script = Callable[..., subprocess.CompletedProcess[str]]

CONFIG = """
project: digits
run: {params: params.yaml}
ci:
  command: python train.py
  minutes: 20
  runners:
    - {when: {model.size: large}, runs_on: [self-hosted, gpu]}
"""
SWEEP = """
program: train.py
method: random
run_cap: 6
metric: {name: loss}
parameters:
  lr: {min: 0.001, max: 0.1}
  model: {parameters: {size: {values: [small, large]}}}
"""


def put(repo: Repo, files: Mapping[str, str] | None = None, message: str = "change") -> str:
    """Commit *files*, path → text; the commit's id."""
    for name, text in (files or {}).items():
        path = repo.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    repo.git("add", "-A")
    repo.git("commit", "-q", "--allow-empty", "-m", message)
    return repo.git("rev-parse", "HEAD")


@pytest.fixture
def project(inside: Repo) -> Repo:
    put(inside, {"mlgit.yaml": CONFIG, "params.yaml": "model: {size: small}\n", "sweep.yaml": SWEEP, "train.py": ""})
    return inside


def planned(mlgit: Script, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(mlgit("ci", "plan", "--json", *words).stdout)
    return found


def test_a_commit_asks_for_runs(project: Repo, mlgit: Script) -> None:
    commit = put(project, message="Try\n\nMlgit-Run: lr=0.1 model.size=large\nMlgit-Run: yes\nSigned-off-by: Ada <a@x>")

    found = planned(mlgit)

    one, other = found["trials"]
    assert (found["commit"], found["project"], found["sweep"]) == (commit, "digits", None)
    assert one["params"] == {"lr": 0.1, "model.size": "large"}
    assert one["command"] == [
        "--id", one["id"], "--name", one["name"], "-p", "lr=0.1", "-p", "model.size=large", "--", "python", "train.py"
    ]  # fmt: skip
    assert other["command"] == ["--id", other["id"], "--name", other["name"], "--", "python", "train.py"]
    assert [job["runs_on"]["labels"] for job in found["jobs"]] == [["self-hosted", "gpu"], ["ubuntu-latest"]]
    assert found["what"] == "2 runs in 2 jobs on [self-hosted, gpu] or ubuntu-latest: 35 minutes a job at most"


def test_what_is_asked_for_by_hand_is_another_run_where_its_params_differ_or_it_is_wanted_anew(
    project: Repo, mlgit: Script
):
    asked = (
        ("--run", "lr=0.1"), ("--run", "lr=0.2"), ("--run", "yes"), ("--run", "yes", "--anew", "7"),
        ("--run", "yes", "--anew", "8"),
    )  # fmt: skip

    first, again = ([planned(mlgit, *words)["trials"][0]["id"] for words in asked] for _ in range(2))

    assert first == again
    assert len({*first}) == len(asked)
    wrong = mlgit("ci", "plan", "--anew", "7", check=False)
    assert (wrong.returncode, "--run yes" in wrong.stderr) == (2, True)


def test_the_params_file_of_the_commit_chooses_the_runner_where_the_commit_does_not(project: Repo, mlgit: Script):
    put(project, {"params.yaml": "model: {size: large}\n"}, "Grow\n\nMlgit-Run: lr=1")
    (project.folder / "params.yaml").write_text("model: {size: small}\n")

    assert planned(mlgit)["jobs"][0]["runs_on"]["labels"] == ["self-hosted", "gpu"]


def test_a_sweep_has_the_points_that_it_has_here_and_is_read_from_the_commit(project: Repo, mlgit: Script) -> None:
    commit = put(project, message="Search\n\nMlgit-Sweep: sweep.yaml")
    lines = json.loads(mlgit("sweep", "run", "sweep.yaml", "--dry-run", "--json").stdout)["trials"]
    (project.folder / "sweep.yaml").write_text("no sweep at all")
    (project.folder / "mlgit.yaml").unlink()

    found, again = planned(mlgit), planned(mlgit, commit[:9])

    assert found == again
    assert len(found["trials"]) == 6
    for trial, line in zip(found["trials"], lines, strict=True):
        assert all(f"-p {name}={value}" in line for name, value in trial["params"].items())
        assert trial["command"][:4] == ["--id", trial["id"], "--sweep", found["sweep"]]
    assert found["file"].strip() == SWEEP.strip()
    assert {job["runs_on"]["labels"][0] for job in found["jobs"]} == {"self-hosted", "ubuntu-latest"}


def test_jobs_and_summary_of_a_workflow_hear_of_it(project: Repo, mlgit: Script, tmp_path: Path) -> None:
    put(project, message="x\n\nMlgit-Run: 'note=a|b @team'")
    out, summary, to = (tmp_path / name for name in ("out", "summary", "plan.json"))
    out.write_text("before=1\n")

    mlgit("ci", "plan", "--output", str(out), "--summary", str(summary), "-o", str(to))

    said = dict(line.partition("=")[::2] for line in out.read_text().splitlines())
    assert (said["before"], said["count"], said["minutes"]) == ("1", "1", "35")
    assert json.loads(said["matrix"])["include"][0]["runs_on"] == ["ubuntu-latest"]
    assert r"a\|b" in summary.read_text()
    assert "@team" not in summary.read_text()
    assert plan.read(to.read_text(), source="x").trials[0].params == {"note": "a|b @team"}


def test_a_commit_that_asks_for_nothing_costs_no_job(project: Repo, mlgit: Script, tmp_path: Path) -> None:
    done = mlgit("ci", "plan", "--output", str(tmp_path / "out"))

    assert done.stdout.endswith("asks CI for nothing\n")
    assert "count=0\n" in (tmp_path / "out").read_text()


@pytest.mark.parametrize(
    "message",
    [
        "Mlgit-Run: lr=1",
        "x\n\nMlgit-Run: lr=1\n\nand more words",
        "x\nMlgit-Run: lr=1",
        "x\n\nso\nit is\nMlgit-Run: lr=1",
    ],
)
def test_a_line_that_is_no_trailer_is_told_of(project: Repo, mlgit: Script, message: str) -> None:
    put(project, message=message)

    found = planned(mlgit)

    line = message.splitlines().index("Mlgit-Run: lr=1") + 1
    assert found["trials"] == []
    assert found["notes"][0].startswith(f"Mlgit-Run in line {line} of its message is no trailer")


@pytest.mark.parametrize("end", ["\u2028", "\x0b", "\x1c"])
def test_what_git_has_on_one_line_is_one_trailer(project: Repo, mlgit: Script, end: str) -> None:
    put(project, message=f"x\n\nMlgit-Run: lr=1{end}Mlgit-Run: lr=2")

    refused = mlgit("ci", "plan", check=False)

    assert refused.returncode == 2
    assert "holds what stands on no line of a message" in refused.stderr


def test_a_sweeps_name_is_no_line_that_a_runner_takes_for_a_command(project: Repo, mlgit: Script) -> None:
    put(project, {"sweep.yaml": f'name: "x\\n::set-output name=a::b"\n{SWEEP}'}, message="x\n\nMlgit-Sweep: sweep.yaml")

    said = mlgit("ci", "plan").stdout

    assert "sweep x ::set-output" in said.splitlines()[0]


def test_the_result_of_a_run_asks_for_nothing(project: Repo, mlgit: Script) -> None:
    put(project, message="x\n\nMlgit-Run: yes\nMlgit-Result: {}")

    assert planned(mlgit)["trials"] == []


def test_it_works_on_a_shallow_clone_without_an_identity(
    project: Repo, mlgit: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(project, message="Search\n\nMlgit-Sweep: sweep.yaml")
    here = planned(mlgit)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{project.folder}", tmp_path / "clone"], check=True)
    monkeypatch.chdir(tmp_path / "clone")

    assert planned(mlgit) == here


def test_a_bayesian_search_goes_in_rounds(project: Repo, mlgit: Script) -> None:
    put(project, {"sweep.yaml": SWEEP.replace("random", "bayes")}, "Search\n\nMlgit-Sweep: sweep.yaml")

    first, second = planned(mlgit), planned(mlgit, "--part", "2")

    assert [trial["number"] for trial in first["trials"]] == [1, 2, 3, 4, 5]
    assert first["goes_on"]
    assert (second["trials"], second["goes_on"]) == ([], False)
    assert second["what"] == "nothing is left to do: no trial of the rounds before left a run"
    for trial in first["trials"][:2]:  # the others died, and count as well
        words = trial["command"][: trial["command"].index("--")]
        mlgit("run", *words, "--", sys.executable, "-c", "import mlgit; mlgit.init(); mlgit.log({'loss': 1.0})")
    second = planned(mlgit, "--part", "2")
    assert [trial["number"] for trial in second["trials"]] == [6]
    assert not second["goes_on"]


def test_what_one_matrix_does_not_hold_is_for_a_further_part(project: Repo) -> None:
    put(
        project,
        {
            "mlgit.yaml": CONFIG.replace("minutes: 20", "minutes: 20\n  trials_a_job: 1"),
            "sweep.yaml": SWEEP.replace("run_cap: 6", "run_cap: 600"),
        },
        "Search\n\nMlgit-Sweep: sweep.yaml",
    )
    place = wiring.place()
    held = code.of(place, "HEAD")

    parts = [ci.plan(place, held, ci.asked(held), part=part) for part in (1, 2, 3, 4, 10**12)]

    assert [len(part.trials) for part in parts] == [256, 256, 88, 0, 0]
    assert [part.goes_on for part in parts] == [True, True, False, False, False]
    assert len({trial.id for part in parts for trial in part.trials}) == 600


DVC = "stages:\n  make:\n    cmd: ./make\n    outs: [model.pkl, {small.txt: {cache: false}}]\n"


def test_outputs_that_no_remote_would_hold_are_refused(project: Repo, mlgit: Script) -> None:
    put(project, {"mlgit.yaml": "project: digits\n", "dvc.yaml": DVC}, "x\n\nMlgit-Run: yes")
    refused = mlgit("ci", "plan", check=False)
    put(project, {".dvc/config": "[core]\n    remote = far\n['remote \"far\"']\n    url = s3://far\n"})

    kept = planned(mlgit, "--run", "yes")

    assert refused.returncode == 2
    assert "What the stages make would be lost: model.pkl." in refused.stderr
    assert "dvc remote add -d" in refused.stderr
    assert "--" not in kept["trials"][0]["command"]


def test_data_that_ci_cannot_fetch_is_told_of(project: Repo, mlgit: Script) -> None:
    put(project, {"data/a.csv.dvc": "outs: []\n", "data/b.csv.dvc": "outs: []\n", "data/.dvc/x": ""})

    (note,) = planned(mlgit, "--run", "yes")["notes"]

    assert note == "CI cannot fetch data/a.csv and 1 more: no DVC remote is configured in what git holds"


@pytest.mark.parametrize(
    ("files", "message", "problem"),
    [
        ({}, "x\n\nReviewed-by: a\nMlgit-Run: lr", ":4: Mlgit-Run: 'lr' gives no value."),
        ({}, "x\n\nMlgit-Run : lr=1", ":3: Mlgit-Run: a blank stands before the colon, so GitHub"),
        ({}, "x\n\nReviewed-by : a\nmlgit-sweep\t: a", ":4: mlgit-sweep: a blank stands before the colon"),
        ({}, "x\n\nMlgit-Run: lr=[1", "Mlgit-Run: 'lr=[1' cannot be read."),
        ({}, "x\n\nMlgit-Sweep: gone.yaml", "There is no file gone.yaml in commit"),
        ({}, "x\n\nMlgit-Sweep: ../../etc/passwd", "is no file of the project"),
        ({}, "x\n\nMlgit-Sweep: a\x1b[2J.yaml", "is no file of the project"),
        ({}, "x\n\nMlgit-Sweep: $(touch pwned)", "There is no file $(touch pwned) in commit"),
        ({"sweep.yaml": "method: grid\nparameters: {lr: {valves: [1]}}"}, None, "sweep.yaml:2: parameters.lr.valves"),
        ({"sweep.yaml": SWEEP.replace("run_cap: 6", "")}, None, "has no end of its own"),
        ({"sweep.yaml": SWEEP.replace("6", "20000")}, None, "has 20,000 trials; 10,000 are the most"),
        ({"sweep.yaml": SWEEP.replace("train.py", "gone.py")}, None, "sweep.yaml runs gone.py, which is not in commit"),
        ({"mlgit.yaml": CONFIG.replace("20", "500")}, None, "mlgit.yaml:6: ci.minutes: a trial of 500 minutes"),
        ({"mlgit.yaml": "project: digits\n"}, "x\n\nMlgit-Run: yes", "does not say what an Mlgit-Run runs"),
    ],
)
def test_what_cannot_be_done_is_refused(
    project: Repo, mlgit: Script, files: dict[str, str], message: str | None, problem: str
) -> None:
    put(project, files, message or "Search\n\nMlgit-Sweep: sweep.yaml")

    done = mlgit("ci", "plan", check=False)

    assert done.returncode != 0
    assert problem in done.stderr
    assert not (project.folder / "pwned").exists()
