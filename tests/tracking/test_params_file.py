"""The params file is what the code trains with: for a plain `python train.py` and inside `mlgit run` alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = """\
import mlgit
run = mlgit.init(config={"lr": 0.005, "epochs": 3, "net": {"width": 1}})
mlgit.log({"lr": run.config.lr})
"""


@pytest.fixture
def project(repo: Repo) -> Repo:
    """A project whose params file states other values than its script."""
    (repo.folder / "mlgit.yaml").write_text("project: p\nrun: {params: params.yaml}\n")
    (repo.folder / "params.yaml").write_text("lr: 0.3\nnet: {width: 8, depth: 2}\nseed: 7\nspare: {}\n")
    (repo.folder / "train.py").write_text(TRAIN)
    return repo


def only(repo: Repo) -> Run:
    (found,) = query.runs(repo)
    return found


@pytest.mark.parametrize("way", ["python train.py", "mlgit run"])
def test_what_the_params_file_states_stands_against_the_script(project: Repo, python: Script, way: str) -> None:
    inside = ("-m", "mlgit", "run", "--", sys.executable) if way == "mlgit run" else ()
    done = python(*inside, "train.py", cwd=project.folder)

    run = only(project)
    assert run.params == {"lr": 0.3, "epochs": 3, "net": {"width": 8, "depth": 2}, "seed": 7, "spare": {}}
    assert run.metrics == {"lr": 0.3}
    assert run.given == ()
    assert "lr=0.3 was given from outside: the script's 0.005 is not used" in done.stderr


def test_a_param_that_the_file_only_names_is_the_scripts_to_fill(project: Repo, python: Script) -> None:
    python("-c", "import mlgit; mlgit.init(config={'spare': {'a': 1}})", cwd=project.folder)

    assert only(project).params["spare"] == {"a": 1}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("lrr=5", "lrr is not in params.yaml: did you mean lr?"),
        ("momentum=1", "environment alone (MLGIT_PARAM_momentum)"),
    ],
)
def test_a_param_that_the_file_does_not_have_is_said(project: Repo, mlgit: Script, given: str, said: str) -> None:
    done = mlgit("run", "-p", given, "--", "cat", "params.yaml", cwd=project.folder)

    assert said in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [("net=3", "net is a mapping in params.yaml"), ("lr.x=5", "lr is 0.3 in params.yaml, no mapping")],
)
def test_a_param_that_does_not_fit_the_file_is_refused(project: Repo, mlgit: Script, given: str, said: str) -> None:
    done = mlgit("run", "-p", given, "--", "true", cwd=project.folder, check=False)

    assert (done.returncode, said in done.stderr) == (2, True)
    assert query.runs(project) == []


def test_p_stands_against_the_params_file(project: Repo, mlgit: Script) -> None:
    mlgit("run", "-p", "lr=0.9", "--", sys.executable, "train.py", cwd=project.folder)

    assert only(project).metrics == {"lr": 0.9}
    assert only(project).params["net"] == {"width": 8, "depth": 2}


def test_a_params_file_that_is_not_there_is_said(project: Repo, python: Script) -> None:
    (project.folder / "params.yaml").unlink()

    done = python("train.py", cwd=project.folder, check=False)

    assert "there is no file params.yaml" in done.stderr
    assert query.runs(project) == []


def test_a_plain_script_does_not_take_the_params_of_a_run_beside_it(project: Repo, python: Script) -> None:
    beside = (
        sys.executable,
        "-m",
        "mlgit",
        "run",
        "-p",
        "lr=0.9",
        "--",
        sys.executable,
        "-c",
        "print(1, flush=True); input()",
    )
    with subprocess.Popen(
        beside, cwd=project.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as varied:
        assert varied.stdout
        varied.stdout.readline()
        assert "lr: 0.9" in (project.folder / "params.yaml").read_text()
        with subprocess.Popen(
            (sys.executable, "train.py"), cwd=project.folder, stderr=subprocess.PIPE, text=True
        ) as plain:
            assert plain.stderr
            assert "another run holds params.yaml" in plain.stderr.readline()
            varied.communicate(b"\n")
            plain.communicate()

    assert sorted(run.metrics.get("lr", 0) for run in query.runs(project)) == [0, 0.3]


def test_a_script_is_said_to_call_its_run_otherwise_only_where_it_does(project: Repo, mlgit: Script) -> None:
    code = "import sys, mlgit; mlgit.init(project=sys.argv[1])"
    same, other = (
        mlgit("run", "-n", "n", "--", sys.executable, "-c", code, name, cwd=project.folder).stderr for name in "pq"
    )

    assert "calls it" not in same
    assert "its script calls it n of q" in other
